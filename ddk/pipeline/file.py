"""Pipeline files: found by name or path, read safely, their keys checked."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ddk.pipeline.keys import Keys
from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, closest, shorten

__all__ = ["STEPS", "Chain", "example_text", "list_pipelines", "read_chain"]

#: keys of each step, in the order in which they are done
STEPS: dict[str, tuple[str, ...]] = {
    "loop": (
        "device", "set", "preset", "loops", "reset_voltage", "set_voltage", "rate",
    ),
    "pulses": (
        "device", "set", "preset", "amplitude", "width", "count", "rise", "fall", "period",
        "read_voltage", "read_width", "read_edge", "initial_resistance",
    ),
    "campaign": (
        "device", "set", "preset", "from", "pulses", "grid", "initial_resistance", "cycles",
        "devices", "seed", "variability",
    ),
    "fit": (
        "method", "integrator", "window", "loss", "seed", "direction", "mirror", "skip_missing",
        "amplitude", "width", "initial_resistance", "columns",
    ),
    "network": (
        "task", "models", "seed", "epochs", "quick", "hidden", "integrator", "per", "banks",
        "readout", "states", "draws",
    ),
    "controls": ("task", "models", "seeds", "epochs", "quick"),
    "hardware": ("model", "seeds", "noise", "chip", "cases"),
    "compile": ("model", "chip", "layout", "largest_weight"),
}  # fmt: skip
TOP = ("name", "description", "device", "set", "preset", "trains", "table", "root", *STEPS)
EXAMPLE = "example"
_LARGEST = 100_000  # bytes


@dataclass(frozen=True)
class Chain:
    """A pipeline file, its keys known.

    Attributes
    ----------
    name : str
        Name of the pipeline.
    description : str
        Description of the pipeline.
    text : str
        Text of the file.
    top : Keys
        Its keys at the top.
    steps : dict of str to Keys
        Keys of the steps that it has, in the order in which they are done.
    """

    name: str
    description: str
    text: str
    top: Keys
    steps: dict[str, Keys]

    def above(self, step: str, key: str) -> tuple[Keys, str]:
        """Where a key of a step stands: in the step, or at the top."""
        own = self.steps[step]
        return (own, key) if key in own else (self.top, key)


def list_pipelines() -> list[str]:
    """Names of the pipelines that ship with the toolkit, sorted."""
    names = (e.name for e in _shipped().iterdir() if e.name.endswith(".yaml"))
    return sorted(n.removesuffix(".yaml") for n in names if n != f"{EXAMPLE}.yaml")


def example_text() -> str:
    """A pipeline file with every step and a comment on every key, to start from."""
    return str((_shipped() / f"{EXAMPLE}.yaml").read_text(encoding="utf-8"))


def read_chain(name_or_path: str) -> Chain:
    """A pipeline of the toolkit by its name, or of a YAML file.

    Raises
    ------
    InputError
        No such pipeline or file, no valid YAML, or a key that is not known (the closest is named).
    StorageError
        The file cannot be read.
    """
    if not name_or_path.strip():
        raise InputError("the name is empty", "FILE", closest("", list_pipelines()))
    if name_or_path in list_pipelines():
        text = (_shipped() / f"{name_or_path}.yaml").read_text(encoding="utf-8")
        return parse_chain(text, name_or_path, None, name_or_path)
    path = Path(name_or_path)
    text = _read(path)
    return parse_chain(text, str(path), path.absolute().parent, path.stem)


def parse_chain(text: str, where: str, folder: Path | None, name: str) -> Chain:
    """The pipeline of a YAML text.

    Parameters
    ----------
    text : str
        Text of the file.
    where : str
        The file, for errors.
    folder : Path or None
        Folder from which its paths are meant; None: from the working folder.
    name : str
        Name of the pipeline, if the file says none.

    Raises
    ------
    InputError
        No valid YAML, a key that is not known, no step.
    """
    data = parse_yaml(text, where)
    try:
        if data is None:
            raise InputError("it is empty", "", "'ddk-network pipeline --example' prints one")
        top = Keys(data, "", TOP, folder)
        steps = {}
        for step, known in STEPS.items():
            if step in top:
                steps[step] = Keys(top.raw(step), step, known, folder)
        if not steps:
            raise InputError("it has no step", "", f"Write one of {', '.join(STEPS)}")
        title = top.text("name", name) or name
        return Chain(title, top.text("description", "") or "", text, top, steps)
    except InputError as error:
        raise located(error, where) from None


def located(error: InputError, where: str) -> InputError:
    """The error with the file before the place in it."""
    return InputError(error.what, ": ".join(p for p in (where, error.where) if p), error.hint)


def _shipped() -> Any:
    return resources.files("ddk.pipeline") / "library"


def _read(path: Path) -> str:
    where = str(path)
    known = closest(where, list_pipelines())
    try:
        if path.is_dir():
            raise InputError("is a folder, not a file", where, "Name the YAML file in it")
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block, /dev/zero never ends
            raise InputError("is not a regular file", where, "Name a pipeline's YAML file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InputError("is too large for a pipeline", where, "Name a pipeline's YAML file")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", where, known) from None
    except UnicodeDecodeError:
        raise InputError("is not text", where, "Name a YAML file in UTF-8") from None
    except InputError:
        raise
    except ValueError as error:  # a null byte in the path
        raise InputError(f"not a path: {error}", shorten(where)) from error
    except OSError as error:
        raise StorageError(error.strerror or "cannot be read", where) from error
