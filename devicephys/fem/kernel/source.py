"""C source of a problem's residual and Jacobian: generated integrands in hand-written loops.

It is compiled into libraries in the folder of the forms.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.machinery
import importlib.util
import os
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cffi
import ufl
from dolfinx import fem, jit
from ufl.classes import Coefficient, Constant, Expr, Grad, Indexed, Restricted, SpatialCoordinate

from devicephys.fem.kernel.integrands import (
    Domain,
    Equations,
    Slot,
    Split,
    Unsupported,
    number_of,
    split_form,
)
from devicephys.fem.kernel.printing import Constants, Printer
from devicephys.installation import compiling

#: what both the library and its caller know: a grid, where unknowns are, numbers of the device
DECLARATIONS = """
typedef struct {
  int nr, nz, fields_only;
  const double *r, *z;
  const int *layer, *tag_r, *tag_z, *node, *cell, *row_u, *row_n;
  const double *p, *c;
  const double *const *f;
} ddk_grid;
void ddk_residual(const ddk_grid *g, double *out_u, double *out_n);
void ddk_jacobian(const ddk_grid *g, double *a, long ld);
int ddk_coupled(int layer);
int ddk_factorise(int n, double *a, long ld, const int *reach, double smallest, double *inverse);
void ddk_solve(int n, const double *a, long ld, const int *lead, const int *reach,
               const double *inverse, double *x);
void ddk_clear(int n, double *a, long ld, const int *lead, const int *reach);
void ddk_identity(int count, const int *rows, double *a, long ld, const int *lead,
                  const int *reach);
"""

_FOLDER = Path(__file__).parent
#: the files that the text of a source follows from, besides the forms
_TRANSLATION = (
    *("source.py", "integrands.py", "printing.py"),
    *("head.c", "cell.c", "band.c"),
)
_BASES = {-1: "VALUE[q]", 0: "ALONG_R[q]", 1: "ALONG_Z[q]"}
_SCALES = {-1: "", 0: " * at->inverse[0]", 1: " * at->inverse[1]"}


class _Body:
    """Statements of one function: the values at a point and what they are computed from."""

    def __init__(self, spaces: tuple[Any, ...], domain: Domain, constants: Constants) -> None:
        self.spaces, self.domain = spaces, domain
        self.loads: dict[str, str] = {}
        self.points: dict[str, str] = {}
        self.printer = Printer(self._terminal, constants)

    def _terminal(self, expr: Expr) -> str:
        side, base = "", expr
        if isinstance(base, Restricted):
            side, base = base.side(), base.ufl_operands[0]
        indices: tuple[int, ...] = ()
        if isinstance(base, Indexed):
            base, multi = base.ufl_operands
            indices = tuple(int(index) for index in multi)
        derivative = -1
        if isinstance(base, Grad):
            base, derivative, indices = base.ufl_operands[0], indices[-1], indices[:-1]
        if isinstance(base, SpatialCoordinate) and derivative < 0:
            return self._position(indices[0])
        if isinstance(base, Constant) and derivative < 0 and not base.ufl_shape:
            return f"g->p[{number_of(base)}]"
        if isinstance(base, Coefficient):
            number, space = number_of(base), base.ufl_function_space()
            if space == self.spaces[0]:
                return self._nodal(number, indices[0], derivative, side)
            if space.ufl_element().embedded_superdegree == 0 and derivative < 0:
                return self._cellwise(number, indices, base.ufl_shape, side)
        raise Unsupported(f"the terminal {expr}")

    def _position(self, axis: int) -> str:
        line = f"at->{'rz'[axis]}"
        if self.domain.kind == "face":
            return line
        name = f"x{axis}"
        self.points[name] = f"const double {name} = {line} + GAUSS[q][{axis}] * at->size[{axis}];"
        return name

    def _cellwise(
        self, number: int, indices: tuple[int, ...], shape: tuple[int, ...], side: str
    ) -> str:
        if len(shape) > 1:
            raise Unsupported(f"a coefficient of shape {shape}")
        component = indices[0] if indices else 0
        name = f"w{number}_{component}{'m' if side == '-' else ''}"
        cell = f"{shape[0] if shape else 1} * at->cell[{1 if side == '-' else 0}] + {component}"
        self.loads[name] = f"const double {name} = g->f[{number}][{cell}];"
        return name

    def _nodal(self, number: int, component: int, derivative: int, side: str) -> str:
        nodal = f"v{number}_{component}"
        nodes = 6 if self.domain.kind == "face" else 4
        values = ", ".join(f"g->f[{number}][2 * at->node[{a}] + {component}]" for a in range(nodes))
        self.loads[nodal] = f"const double {nodal}[{nodes}] = {{{values}}};"
        name = nodal + ("" if derivative < 0 else f"_{'rz'[derivative]}")
        if self.domain.kind == "face" and derivative == self.domain.axis:
            name += "m" if side == "-" else "p"
        basis, scale = self._basis(derivative, side)
        if nodes == 6 and derivative < 0:
            total = f"0.5 * ({nodal}[2] + {nodal}[3])"
        else:
            total = " + ".join(f"{basis}[{a}] * {nodal}[{a}]" for a in range(nodes))
        self.points[name + "_"] = f"const double {name}_ = ({total}){scale};"
        return name + "_"

    def _basis(self, derivative: int, side: str) -> tuple[str, str]:
        """Values at the point of the functions of the nodes, and what divides them."""
        if self.domain.kind == "cell":
            return _BASES[derivative], _SCALES[derivative]
        if derivative < 0:
            return "AT_FACE", ""
        if derivative != self.domain.axis:
            return "ALONG_FACE", " * at->inverse[2]"
        minus = side == "-"
        return ("ACROSS_MINUS" if minus else "ACROSS_PLUS"), f" * at->inverse[{int(minus)}]"

    def function(self, name: str, sums: list[str], before: str = "", after: str = "") -> str:
        """The whole function; ``sums`` use what the printer has computed."""
        text = f"INLINED void {name}(const ddk_grid *g, const element *at, double *restrict b) {{\n"
        text += "".join(f"  {line}\n" for line in self.loads.values()) + before
        if self.domain.kind == "cell":
            text += "  const double weight = 0.25 * at->size[0] * at->size[1];\n"
            text += "  for (int q = 0; q < 4; ++q) {\n"
        else:
            text += "  const double weight = at->length;\n  {\n"
        lines = [*self.points.values(), *self.printer.lines, *sums]
        return text + "".join(f"    {line}\n" for line in lines) + "  }\n" + after + "}\n"


def _residual_cell(body: _Body, split: Split) -> str:
    sums = []
    for (test,), value in split.items():
        name = f"weight * {body.printer.value(value)}"
        if test.field == 2:
            sums.append(f"b[8] += {name};")
            continue
        basis, scale = body._basis(test.derivative, test.side)
        sums.append(
            f"{{ const double c = {name}{scale};"
            f" for (int a = 0; a < 4; ++a) b[2 * a + {test.field}] += c * {basis}[a]; }}"
        )
    return body.function(f"residual_cell_{body.domain.number}", sums)


def _jacobian_cell(body: _Body, split: Split) -> tuple[str, bool]:
    blocks: dict[tuple[int, int], dict[Slot, dict[Slot, str]]] = {}
    for (test, trial), value in split.items():
        block = blocks.setdefault((test.field, trial.field), {})
        block.setdefault(test, {})[trial] = body.printer.value(value)
    sums, before, after, coupled = [], "", "", False
    for (rows, columns), block in sorted(blocks.items()):
        name = f"k{rows}{columns}"
        size = f"[{4 if rows < 2 else 1}][{4 if columns < 2 else 1}]"
        before += f"  double {name}{size} = {{{{0.0}}}};\n"
        coupled |= (rows == 2) != (columns == 2)
        for test, trials in block.items():
            sums.append(_block_sum(body, name, test, trials))
        row = f"(2 * i + {rows}) * CELL_SIZE" if rows < 2 else "8 * CELL_SIZE"
        column = f"2 * j + {columns}" if columns < 2 else "8"
        after += f"  for (int i = 0; i < {4 if rows < 2 else 1}; ++i)"
        after += f" for (int j = 0; j < {4 if columns < 2 else 1}; ++j)"
        after += f" b[{row} + {column}] += {name}[i][j];\n"
    return body.function(f"jacobian_cell_{body.domain.number}", sums, before, after), coupled


def _block_sum(body: _Body, name: str, test: Slot, trials: dict[Slot, str]) -> str:
    """What the products of one test value with all trial values add to a block."""
    terms, constants = [], []
    for number, (trial, value) in enumerate(trials.items()):
        basis, scale = body._basis(trial.derivative, trial.side)
        constants.append(f"const double c{number} = weight * {value}{scale};")
        terms.append(f"c{number}" + ("" if trial.field == 2 else f" * {basis}[j]"))
    width = 1 if next(iter(trials)).field == 2 else 4
    text = "{ " + " ".join(constants) + f" double row[{width}];"
    text += f" for (int j = 0; j < {width}; ++j) row[j] = {' + '.join(terms)};"
    if test.field == 2:
        return text + f" for (int j = 0; j < {width}; ++j) {name}[0][j] += row[j]; }}"
    basis, scale = body._basis(test.derivative, test.side)
    return (
        text + f" for (int i = 0; i < 4; ++i) {{ const double w = {basis}[i]{scale};"
        f" for (int j = 0; j < {width}; ++j) {name}[i][j] += w * row[j]; }} }}"
    )


def _row(slot: Slot) -> int:
    if slot.field != 2 or not slot.side:
        raise Unsupported("a test function other than that of n on a face")
    return int(slot.side == "-")


def _face_name(what: str, domain: Domain) -> str:
    return f"{what}_face_{domain.number}_{'rz'[domain.axis]}"


def _residual_face(body: _Body, split: Split) -> str:
    sums = [
        f"b[{_row(test)}] += weight * {body.printer.value(value)};"
        for (test,), value in split.items()
    ]
    return body.function(_face_name("residual", body.domain), sums)


def _jacobian_face(body: _Body, split: Split) -> str:
    sums = []
    for (test, trial), value in split.items():
        row, name = _row(test), f"weight * {body.printer.value(value)}"
        if trial.field == 2:
            sums.append(f"b[{row} * FACE_SIZE + {12 + int(trial.side == '-')}] += {name};")
            continue
        basis, scale = body._basis(trial.derivative, trial.side)
        sums.append(
            f"{{ const double c = {name}{scale}; for (int a = 0; a < 6; ++a)"
            f" b[{row} * FACE_SIZE + 2 * a + {trial.field}] += c * {basis}[a]; }}"
        )
    return body.function(_face_name("jacobian", body.domain), sums)


def _switch(head: str, variable: str, cases: dict[int, str]) -> str:
    text = f"{head} {{\n  switch ({variable}) {{\n"
    text += "".join(f"    case {number}: {call} break;\n" for number, call in cases.items())
    return text + "    default: break;\n  }\n"


def _dispatch(residual: dict[Domain, Split], coupled: dict[int, bool]) -> str:
    """The functions that the loops call: which integrand a layer or a face has."""
    arguments = "const ddk_grid *g, const element *at, double *restrict b"
    cells = [domain.number for domain in residual if domain.kind == "cell"]
    tags = sorted({domain.number for domain in residual if domain.kind == "face"})
    text = f"INLINED int coupled_cell(int layer) {{ return {
        ' || '.join([f'layer == {n}' for n in cells if coupled[n]] or ['0'])
    }; }}\n"
    for what in ("residual", "jacobian"):
        text += _switch(
            f"INLINED int {what}_cell(int layer, {arguments})",
            "layer",
            {n: f"{what}_cell_{n}(g, at, b);" for n in cells},
        )
        text += "  return coupled_cell(layer);\n}\n"
        text += _switch(
            f"INLINED void {what}_face(int tag, int axis, {arguments})",
            "tag",
            {
                n: f"if (axis) {what}_face_{n}_z(g, at, b); else {what}_face_{n}_r(g, at, b);"
                for n in tags
            },
        )
        text += "}\n"
    return text


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def source(equations: Equations) -> str:
    """C source of the residual of (V, T) and of n, of their Jacobian, and of band LU.

    Parameters
    ----------
    equations : Equations
        The residuals, in terms of numbered functions and constants.

    Returns
    -------
    str
        The source; numbers of a device are read when it runs.

    Raises
    ------
    Unsupported
        The forms hold what the loops or the printer do not know.
    """
    spaces, layers = equations.spaces, equations.layers
    residual: dict[Domain, Split] = {}
    jacobian: dict[Domain, Split] = {}
    for form in equations.residuals:
        for domain, split in split_form(form, spaces, layers).items():
            residual.setdefault(domain, {}).update(split)
        for field, space in zip(equations.fields, spaces, strict=True):
            derivative = ufl.derivative(form, field, ufl.TrialFunction(space))
            for domain, split in split_form(derivative, spaces, layers).items():
                jacobian.setdefault(domain, {}).update(split)
    functions, coupled, constants = [], {}, Constants()
    for domain, split in residual.items():
        bodies = [_Body(spaces, domain, constants) for _ in range(2)]
        derivatives = jacobian.get(domain, {})
        if domain.kind == "cell":
            functions.append(_residual_cell(bodies[0], split))
            text, coupled[domain.number] = _jacobian_cell(bodies[1], derivatives)
        else:
            functions.append(_residual_face(bodies[0], split))
            text = _jacobian_face(bodies[1], derivatives)
        functions.append(text)
    head = f"#define CONSTANTS {max(1, len(constants.lines))}\n"
    head += "static void constants(const double *p, double *c) {\n"
    head += "".join(f"  {line}\n" for line in constants.lines) + "}\n"
    parts = [DECLARATIONS, _file("head.c"), head, *functions, _dispatch(residual, coupled)]
    return "\n".join([*parts, _file("cell.c"), _file("band.c")])


@functools.cache
def _translation() -> bytes:
    return b"".join((_FOLDER / name).read_bytes() for name in _TRANSLATION)


def signature(equations: Equations) -> str:
    """What the source follows from: the equations, and the code that translates them."""
    digest = hashlib.sha256(f"{ufl.__version__}\n{equations.text}".encode())
    digest.update(_translation())
    return digest.hexdigest()[:40]


# -ffast-math is not among them: a NaN has to stay one, so that the stepper sees it.
JIT_OPTIONS = {"cffi_extra_compile_args": ["-O3", "-fno-math-errno"]}
#: of the kernel likewise; sums may use fused operations where the machine has them
COMPILE_ARGUMENTS = ["-std=gnu17", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-g0", "-w"]

_LOADED: dict[str, Any] = {}


def compiled_form(form: Any) -> fem.Form:
    """A form in UFL made ready to assemble; InstallationError where the compiler fails."""
    with compiling():
        return fem.form(form, jit_options=JIT_OPTIONS)


def library(signature: str, source: Callable[[], str]) -> Any:
    """The compiled library of a source; it is made where the folder does not have it.

    Parameters
    ----------
    signature : str
        What the source follows from, hexadecimal.
    source : callable
        Gives the C source; called where it has to be compiled.

    Raises
    ------
    InstallationError
        The compiler failed or is absent.
    """
    if signature not in _LOADED:
        name = f"libddk_kernel_{signature}"
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        path = Path(jit.get_options()["cache_dir"]).expanduser() / (name + suffix)
        if not path.exists():
            text = source()
            with compiling():
                _compile(name, text, path)
        _LOADED[signature] = _load(name, path)
    return _LOADED[signature]


def _compile(name: str, source: str, path: Path) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    builder = cffi.FFI()
    builder.cdef(DECLARATIONS)
    builder.set_source(name, source, extra_compile_args=COMPILE_ARGUMENTS, libraries=["m"])
    # Each process compiles in a folder of its own and puts a whole file into its place; where two
    # do so at once the later one replaces the other's, which is the same.
    with tempfile.TemporaryDirectory(prefix="libddk_kernel_", dir=path.parent) as folder:
        library_file = builder.compile(tmpdir=folder, target=path.name, verbose=False)
        os.replace(library_file, path)


def _load(name: str, path: Path) -> Any:
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
