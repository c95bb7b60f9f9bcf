"""PyTorch, or one clear line where it is missing.

The modules beside this one take ``torch`` and ``nn`` from here, so that each of them can be
imported wherever PyTorch is, and nothing else in the package needs it.
"""

from __future__ import annotations

import importlib
from typing import Any

from ddkbase.errors import InputError, InstallationError

__all__ = ["make", "nn", "torch"]

try:
    torch: Any = importlib.import_module("torch")
except ImportError as error:
    raise InstallationError(
        "PyTorch is not installed", "network.baselines", "Run pip install 'ddk-toolkit[torch]'"
    ) from error

nn: Any = torch.nn


def make(module: str, kind: str, name: str, sizes: dict[str, Any]) -> Any:
    """An object of a class in a module, made with sizes that it must know.

    Parameters
    ----------
    module, kind : str
        Where the class is.
    name : str
        What an error calls it.
    sizes : dict
        Arguments of the class.

    Raises
    ------
    InputError
        It takes no such argument.
    """
    factory = getattr(importlib.import_module(module), kind)
    try:
        return factory(**sizes)
    except TypeError as error:
        raise InputError(str(error), name) from error
