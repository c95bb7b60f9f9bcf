# The commands a person types. `make demo` and `make test` need git, make, a C compiler and some
# Python >= 3.12, and install everything else into .venv.

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
INSTALLED := .venv/.installed

# The solver runs on one core; threads inside its small matrices only get in each other's way.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: help demo test bench docs lab notebooks notebooks-fast verify mutants lock lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## the whole chain in one report: loop, pulse trains, table, network, controls, hardware
	@n=1; while [ -e results/demo-$$n ]; do n=$$((n + 1)); done; d=results/demo-$$n; \
	if $(BIN)/ddk-network pipeline demo --out $$d --workers 2; then \
	  echo "Open $$d/report.html in a browser"; \
	else \
	  code=$$?; echo "It goes on with: $(BIN)/ddk-network pipeline demo --out $$d --workers 2"; \
	  exit $$code; \
	fi

test: $(INSTALLED) lint ## check style and types, run all tests, the fast ones first
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not fem and not slow"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "fem or slow" --ignore tests/test_notebooks.py
	$(BIN)/python -m pytest -n 2 -m "fem or slow" tests/test_notebooks.py

bench: $(INSTALLED) ## measure solver, fits, layer and arrays; print the tables of the docs (half an hour)
	$(BIN)/python tests/benchmarks/run.py --full --balances --sensitivity --loops \
	  --pulses --pulse-scaling --memory
	$(BIN)/python tests/benchmarks/scaling.py
	$(BIN)/python tests/benchmarks/compact_fit.py
	$(BIN)/python tests/benchmarks/ddk_speed.py
	$(BIN)/python tests/benchmarks/array_solver.py

notebooks-fast: $(INSTALLED) ## run all notebooks on coarse meshes, exercises solved and checked
	DDK_FAST=1 $(BIN)/python -m pytest -n 2 tests/test_notebooks.py

notebooks: $(INSTALLED) ## the same at full length
	DDK_FAST=0 $(BIN)/python -m pytest -n 2 tests/test_notebooks.py

lab: $(INSTALLED) ## open the notebooks in JupyterLab, which is installed into .venv first
	@$(BIN)/python -c 'import jupyterlab, ipywidgets' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check jupyterlab ipywidgets
	$(BIN)/python -m jupyterlab notebooks

docs: $(INSTALLED) ## build the documentation into docs/_build/html; warnings are errors
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html
	@echo "docs/_build/html/index.html"

verify: $(INSTALLED) ## compare the solver with manufactured and closed-form solutions
	$(BIN)/ddk-device verify

mutants: $(INSTALLED) ## put known faults into a copy of the code, see whether the tests notice (an hour or two)
	$(BIN)/python tools/mutants.py

lint: $(INSTALLED) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED) ## put the code into the common style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## write requirements.lock anew from pyproject.toml
	@python=$$(sh tools/find_python.sh) && "$$python" tools/make_lock.py

clean: ## remove .venv and caches; results stay
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml
	@sh tools/check_compiler.sh
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
	  python=$$(sh tools/find_python.sh) && echo "Installing into .venv with $$python" && \
	  "$$python" -m venv --clear .venv; fi
	@echo "Installing the packages of requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
