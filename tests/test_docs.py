"""What the documentation says is so: examples run, options exist, links lead somewhere."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import devicephys
from tests.docs_material import NAMES, lay_out
from tests.docs_pages import DOCS, PAGES, ROOT, anchors, blocks, commands, links, slug

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

#: blocks that are shown and not run, page by page; the reason stands before each of them
NOT_RUN = {"campaigns.md": 1}
#: words that tell that an example simulates
SIMULATES = ("simulate", "campaign.run", "run.start", "devicephys.sweep(")


def python(page: Path) -> list[Any]:
    return [b for b in blocks(page.read_text(encoding="utf-8")) if b.language == "python"]


def runs(page: Path) -> list[Any]:
    """Scripts of a page: the blocks it has in common, and each that guards itself as a script.

    A script has its lines where the page has them, so that a traceback tells the page's line.
    """
    shown = [block for block in python(page) if block.not_run is None]
    alone = [b for b in shown if '__name__ == "__main__"' in b.text]
    together = [b for b in shown if b not in alone]
    return [group for group in (together, *([b] for b in alone)) if group]


def needs(module: str) -> None:
    """Skip where a package is missing; it is not imported here, for the order matters."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def cases() -> list[Any]:
    found = []
    for page in PAGES:
        for number, group in enumerate(runs(page)):
            text = "".join(block.text for block in group)
            marks = [pytest.mark.fem] if any(word in text for word in SIMULATES) else []
            found.append(pytest.param(page, group, marks=marks, id=f"{page.name}-{number}"))
    return found


@pytest.mark.parametrize(("page", "group"), cases())
def test_the_examples_of_a_page_run(page: Path, group: list[Any], tmp_path: Path) -> None:
    text = "".join(block.text for block in group)
    if any(word in text for word in SIMULATES):
        needs("dolfinx")
    if "sklearn" in text or page.name == "learning.md":
        needs("sklearn")
    if "import torch" in text:
        needs("torch")
    lay_out(tmp_path, page.name)
    lines = [""] * max(block.line + len(block.lines) for block in group)
    for block in group:
        lines[block.line - 1 : block.line - 1 + len(block.lines)] = block.lines
    assert not lines[0], "the first line of a page is its title"
    lines[0] = f"import quick_preset; {NAMES.get(page.name, '')}"
    script = tmp_path / f"page_{page.stem}.py"  # not the name of a package
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT))),
    }
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, f"{page.name}:\n{done.stderr[-3000:]}"


def test_blocks_that_are_not_run_are_counted_and_say_why() -> None:
    skipped: dict[str, int] = {}
    for page in PAGES:
        for block in python(page):
            if block.not_run is not None:
                assert len(block.not_run) > 15, f"{page.name}, line {block.line}: no reason"
                skipped[page.name] = skipped.get(page.name, 0) + 1
    assert skipped == NOT_RUN


def test_the_reader_of_pages_sees_blocks_reasons_and_commands() -> None:
    text = (
        "# Title\n\n```python\na = 1\n```\n\n<!-- not run: needs a cluster -->\n```python\nb\n```\n"
        "\n    ddk-device iv --out x \\\n      --loops 2\n\n```sh\n$ ddk-compact show t.nc\n```\n"
    )
    first, second, third = blocks(text)
    assert (first.language, first.line, first.lines, first.not_run) == (
        "python",
        4,
        ("a = 1",),
        None,
    )
    assert second.not_run == "needs a cluster"
    assert third.not_run is None
    assert [line for _, line in commands(text)] == [
        "ddk-device iv --out x --loops 2",
        "ddk-compact show t.nc",
    ]
    assert slug("Where `n` is, and *why*: α") == "where-n-is-and-why-α"


PROGRAMS = {"ddk-device": "devicephys", "ddk-compact": "compact", "ddk-network": "ddk"}
COMMANDS = [
    pytest.param(line, id=f"{page.name}:{number}")
    for page in PAGES
    for number, line in commands(page.read_text(encoding="utf-8"))
]


def application(package: str) -> Any:
    """The typer application of a package; some have it in a module that is imported late."""
    for module in ("cli.commands",):
        if importlib.util.find_spec(f"{package}.{module}") is not None:
            found = getattr(importlib.import_module(f"{package}.{module}"), "app", None)
            if found is not None:
                return found
    raise AssertionError(f"{package} has no command line")


def parsed(line: str) -> None:
    """Parse a command line without running it; raises what typer raises."""
    name, *arguments = shlex.split(line, comments=True)
    if ">" in arguments:  # what follows belongs to the shell
        arguments = arguments[: arguments.index(">")]
    group: Any = typer.main.get_command(application(PROGRAMS[name]))
    context = group.make_context(name, list(arguments))
    command, found, rest = group.resolve_command(context, list(arguments))
    assert found is not None
    found.make_context(command, rest, parent=context)


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 80


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_has_the_options_it_is_shown_with(line: str) -> None:
    parsed(line)


@pytest.mark.parametrize(
    "line",
    [
        "ddk-device iv --out x --no-such-option",
        "ddk-device no-such-command",
        "ddk-device iv --preset coarse --out x",
        "ddk-device pulses --count many --out x",
        "ddk-compact fit lab.csv",
        "ddk-device iv --out",
    ],
)
def test_a_command_that_is_wrong_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)option|command|parameter|not one of|int"):
        parsed(line)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            assert target.startswith("https://"), target
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}"
        assert there.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}: no such heading"


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:[\w ]+<)?(\w+)>?$", index, re.MULTILINE)
    assert sorted(listed) == sorted(p.stem for p in DOCS.glob("*.md") if p.stem != "index")


def test_what_is_to_be_cited_is_this_version() -> None:
    page = (DOCS / "cite.md").read_text(encoding="utf-8")
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    (version,) = re.findall(r"^version: (\S+)$", cited, re.MULTILINE)
    (doi,) = re.findall(r"doi: (\S+)$", cited, re.MULTILINE)
    assert version == devicephys.__version__
    assert f"version {version} " in page
    assert f"https://doi.org/{doi}" in page


def test_the_deck_of_the_how_to_runs(tmp_path: Path) -> None:
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed")
    from compact.circuit.export import to_spice
    from compact.fitting.fit import fit
    from compact.kinetics.equations import integrate
    from tests.compact.trains import falling

    page = (DOCS / "howto_spice.md").read_text(encoding="utf-8")
    (deck,) = (block for block in blocks(page) if block.language == "spice")
    (tmp_path / "deck.cir").write_text(deck.text, encoding="utf-8")
    found = fit(falling(0.01, 0.1, integrator="exact", pulses=30), integrator="exact")
    to_spice(found, tmp_path / "cell.sub", amplitude="1.7 V", width="100 ns")
    done = subprocess.run(
        ["ngspice", "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    state = float(re.findall(r"= ([-+.e\d]+)", done.stdout)[-1])
    expected = integrate("exact", found.alpha, found.beta, [1.0] * 30)[-1]
    # the fit of one amplitude drives less on the edges, an eighth of each edge
    assert state == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    for module in (
        "sphinx", "numpydoc", "myst_parser", "furo", "sphinx_copybutton", "latex2mathml",
    ):  # fmt: skip
        pytest.importorskip(module, reason="pip install 'ddk-toolkit[docs]'")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "site")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    built = {page.stem for page in (tmp_path / "site").glob("*.html")}
    assert {page.stem for page in DOCS.glob("*.md")} <= built
    assert "<math" in (tmp_path / "site" / "theory_device.html").read_text(encoding="utf-8")


def test_the_house_is_as_it_is_shown() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`([\w./]+/[\w./]*)`", page))
    assert len(paths) > 40
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
