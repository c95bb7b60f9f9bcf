"""The command ``ddk examples``: sample files for every command that reads one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

import ddk
from ddkbase.cli.application import command
from ddkbase.cli.options import path_of
from ddkbase.cli.output import Output
from ddkbase.errors import StorageError
from ddkbase.folders import check_new_folder, new_folder

__all__ = ["examples"]

_SAMPLES = Path(ddk.__file__).parent / "samples"


@command
def examples(
    output: Output,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to make.")],
) -> None:
    """Write sample files, made up and small, and a README that says what to try with each."""
    path = path_of(folder, "DIR", "folder")
    names = sorted(file.name for file in _SAMPLES.iterdir() if file.is_file())

    check_new_folder(path)
    if path.exists() and any(path.iterdir()):
        raise StorageError("the folder is not empty", str(path), "Choose another name")
    with new_folder(path) as scratch:
        for name in names:
            shutil.copyfile(_SAMPLES / name, scratch / name)
    output.add(folder=path, files=names)
    output.file(*(path / name for name in names))
