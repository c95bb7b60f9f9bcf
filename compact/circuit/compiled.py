"""A Verilog-A module, compiled by OpenVAF and evaluated from Python.

The package ``openvaf-py`` (``pip install 'ddk-toolkit[verilog-a]'``) compiles a file and evaluates
what a circuit simulator sees of it: for each equation the current f and the charge q, with
f + dq/dt = 0, and their derivatives by the unknowns. Where a module has numbers that nobody gave,
or asks for what is not understood here, it is refused.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, InstallationError, StorageError, closest, similar_file

TEMPERATURE = 300.15  # [K], 27 degrees, at which simulators evaluate unless told otherwise

_PROBE = re.compile(r"([VI])\(([^,()]+)(?:,([^,()]+))?\)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r"\.va:(\d+)")
_FIXED = {"mfactor": 1.0, "$mfactor": 1.0, "$temperature": TEMPERATURE}
_NOT_ASKED = ("hidden_state", "param_given")


@dataclass(frozen=True)
class _Probe:
    """A voltage between two unknowns (or one and the ground), or the current of a branch."""

    name: str
    plus: int
    minus: int  # -1: none


class VerilogModule:
    """A compiled module: what it is called, its unknowns, and its equations at given values.

    Made by `compile_verilog_a`.

    Parameters
    ----------
    compiled : openvaf_py.VaModule
        What the compiler made.
    path : Path
        The file, for messages.

    Attributes
    ----------
    name : str
        Of the module.
    terminals : tuple of str
        Its ports, in their order.
    unknowns : tuple of str
        Nodes (the terminals first) and currents of branches, ``flow(branch)``.
    defaults : dict of str to float
        Its parameters and their defaults; NaN where the file gives an expression, not a number.
    """

    def __init__(self, compiled: Any, path: Path) -> None:
        self._compiled = compiled
        self._path = str(path)
        system = compiled.get_dae_system()
        self.name: str = compiled.name
        self.terminals: tuple[str, ...] = tuple(system["terminals"])
        self.unknowns: tuple[str, ...] = tuple(node["name"] for node in system["nodes"])
        self._refuse_what_is_not_understood(system)
        plain = compiled.get_param_defaults()
        declared = [entry["name"] for entry in compiled.get_osdi_descriptor()["params"]]
        self.defaults: dict[str, float] = {
            name: float(plain.get(name, plain.get(name.lower(), np.nan))) for name in declared
        }
        self._probes = tuple(self._probes_of(compiled))
        jacobian = system["jacobian"]
        self._rows = np.array([entry["row_node_idx"] for entry in jacobian], int)
        self._columns = np.array([entry["col_node_idx"] for entry in jacobian], int)
        #: equations with a charge: their unknowns have a history
        self.dynamic = np.zeros(len(self.unknowns), bool)
        for entry in jacobian:
            self.dynamic[entry["row_node_idx"]] |= bool(entry["has_react"])

    def _refuse_what_is_not_understood(self, system: Mapping[str, Any]) -> None:
        compiled = self._compiled
        if compiled.num_states:
            raise InputError("uses $limit, which is not integrated here", self._path)
        if system["num_collapsible"]:
            raise InputError("joins nodes by its parameters", self._path, "Write the one circuit")
        known = set(_FIXED)
        for name, kind in zip(
            (*compiled.param_names, *compiled.init_param_names),
            (*compiled.param_kinds, *compiled.init_param_kinds),
            strict=True,
        ):
            if kind in ("param", "voltage", "current", *_NOT_ASKED) or name in known:
                continue
            raise InputError(
                f"asks for {name} ({kind}), which is not understood here",
                self._path,
                "Parameters, voltages, currents of branches and $temperature are",
            )

    def _probes_of(self, compiled: Any) -> Iterator[_Probe]:
        for name, kind in zip(compiled.param_names, compiled.param_kinds, strict=True):
            if kind not in ("voltage", "current"):
                continue
            match = _PROBE.fullmatch(name)
            if match is None:
                raise InputError(f"asks for {name}, which is not understood here", self._path)
            _, plus, minus = match.groups()
            if kind == "current":
                # one that is contributed and not asked for has no unknown of its own
                flow = f"flow({plus})" if minus is None else f"flow({plus},{minus})"
                if flow in self.unknowns:
                    yield _Probe(name, self.unknowns.index(flow), -1)
                continue
            yield _Probe(
                name,
                self.unknowns.index(plus),
                -1 if minus is None else self.unknowns.index(minus),
            )

    def parameters(self, **values: float) -> dict[str, float]:
        """All parameters of the module, those of ``values`` instead of their defaults.

        Raises
        ------
        InputError
            A name that the module has not, a number that is not finite, or no number for a
            parameter whose default is an expression.
        """
        for name in values:
            if name not in self.defaults:
                raise InputError(
                    f"module '{self.name}' has no parameter '{name}'",
                    self._path,
                    closest(name, self.defaults),
                )
        full = {**self.defaults, **{name: float(value) for name, value in values.items()}}
        missing = [name for name, value in full.items() if not np.isfinite(value)]
        if missing:
            raise InputError(
                f"no finite number for the parameter '{missing[0]}' of '{self.name}'",
                self._path,
                "Give one; a default that is an expression is not evaluated here",
            )
        return full

    def evaluate(
        self, parameters: Mapping[str, float], unknowns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Currents and charges of all equations, and their derivatives.

        Parameters
        ----------
        parameters : dict of str to float
            As of `parameters`.
        unknowns : ndarray, shape (n,), V or A
            Voltages of the nodes and currents of the branches, in the order of `unknowns`.

        Returns
        -------
        current : ndarray, shape (n,)
            f of each equation.
        charge : ndarray, shape (n,)
            q of each equation.
        current_slopes, charge_slopes : ndarray, shape (n, n)
            Their derivatives, by equation and unknown.
        """
        arguments = {**_FIXED, **parameters}
        x = unknowns.tolist()
        for probe in self._probes:
            minus = x[probe.minus] if probe.minus >= 0 else 0.0
            arguments[probe.name] = x[probe.plus] - minus
        residual, entries = self._compiled.run_init_eval(arguments)
        n = len(self.unknowns)
        both = np.array(residual)
        slopes = np.zeros((2, n, n))
        values = np.array(entries)
        slopes[0, self._rows, self._columns] = values[:, 2]
        slopes[1, self._rows, self._columns] = values[:, 3]
        return both[:, 0], both[:, 1], slopes[0], slopes[1]


def compile_verilog_a(path: str | os.PathLike[str]) -> VerilogModule:
    """The module of a Verilog-A file, compiled.

    Parameters
    ----------
    path : str or Path
        A file with one module.

    Raises
    ------
    InstallationError
        ``openvaf-py`` is not installed.
    StorageError
        No such file.
    InputError
        The compiler refuses the file (the line says where and why), it holds several modules, or
        uses what is not understood here: ``$limit``, nodes that parameters join, ``$abstime``.
    """
    try:
        import openvaf_py  # optional
    except ImportError:
        raise InstallationError(
            "the compiler of Verilog-A is not installed",
            str(path),
            "Run pip install 'ddk-toolkit[verilog-a]'",
        ) from None
    path = Path(path)
    if not path.is_file():
        raise StorageError("there is no such file", str(path), similar_file(path))
    complaints: list[str] = []
    try:
        with _complaints(complaints):
            modules = openvaf_py.compile_va(str(path))
    except ValueError as error:
        raise InputError(_first(complaints, str(error)), str(path)) from None
    except BaseException as error:  # a fault of the compiler is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise InputError(
            f"the compiler fails on it: {error}", str(path), "Write the statement another way"
        ) from None
    if len(modules) != 1:
        names = ", ".join(module.name for module in modules)
        raise InputError(
            f"holds {len(modules)} modules ({names})", str(path), "Write one into a file"
        )
    return VerilogModule(modules[0], path)


@contextmanager
def _complaints(lines: list[str]) -> Iterator[None]:
    """Take what the compiler prints to the standard error, which it does below Python's own."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept_open = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept_open, 2)
            os.close(kept_open)
            file.seek(0)
            lines += _COLOUR.sub("", file.read().decode("utf-8", "replace")).splitlines()


def _first(lines: list[str], otherwise: str) -> str:
    """The first complaint of the compiler and its line in the file."""
    for number, line in enumerate(lines):
        if line.startswith("error"):
            place = next((m for later in lines[number:] if (m := _PLACE.search(later))), None)
            at = f" at line {place[1]}" if place else ""
            return f"does not compile{at}: {line.partition(':')[2].strip()}"
    return f"does not compile: {otherwise}"
