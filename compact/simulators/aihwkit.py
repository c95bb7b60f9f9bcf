"""A device of IBM's analog hardware acceleration kit, ``PiecewiseStepDevice``.

Weights from -1 to 1 stand for the range of conductances. A pulse moves a weight by ``dw_min`` times
a factor that is linear between equidistant nodes (M. J. Rasch et al., AICAS 2021, and the
documentation of the kit).
"""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from compact.simulators.steps import PulseSteps, largest_difference, pulse_steps, said
from ddkbase.files import write_bytes

__all__ = ["aihwkit_text", "piecewise_after", "to_aihwkit"]

NODES = 129  # of a factor


def to_aihwkit(
    source: Any,
    path: str | os.PathLike[str],
    opposite: Any = None,
    *,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """A Python file that defines a preset: ``ddk_device()`` and ``rpu_config()``.

    Parameters
    ----------
    source : AlphaBetaFit, AlphaBetaTable or xarray.Dataset
        The fit or table.
    path : str or Path
        The file to make.
    opposite : AlphaBetaFit, AlphaBetaTable or None, optional
        The other polarity.
    overwrite : bool, default False
        Replace an existing file.
    **options : dict, optional
        Further arguments of `pulse_steps`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        As of `pulse_steps`.
    StorageError
        The file exists or cannot be written.
    """
    text = aihwkit_text(pulse_steps(source, opposite, **options))
    return write_bytes(path, text.encode("utf-8"), overwrite)


def aihwkit_text(steps: PulseSteps) -> str:
    """The preset as Python, with a heading that says how exact it is."""
    nodes = np.linspace(steps.low, steps.high, NODES)
    scale = 2 / (steps.high - steps.low)  # weights from -1 to 1
    # the kit itself stops at the ends
    sizes = {sign: scale * np.abs(steps.step(nodes, sign)) for sign in (-1, 1)}
    means = {sign: steps.mean_step(sign) for sign in (1, -1)}
    smallest = 0.5 * scale * (means[-1] + means[1])
    factors = {sign: size / smallest for sign, size in sizes.items()}

    def after(conductance: np.ndarray, sign: int) -> np.ndarray:
        weight = (np.asarray(conductance) - steps.low) * scale - 1
        new = piecewise_after(weight, sign, smallest, factors[sign])
        return (new + 1) / scale + steps.low

    spreads = {1: steps.rise_spread, -1: steps.fall_spread}
    shares = [spreads[s] / means[s] for s in means if np.isfinite(spreads[s])]
    lost = [
        "how a step depends on the amplitude and width of a pulse: they are those of the fit",
        "the conductances themselves: weights from -1 to 1 stand for the range",
    ]
    if shares:
        lost.append(
            "where the spread is larger or smaller: dw_min_std is one share of every step, the mean"
        )
    else:
        lost.append("the spread from cycle to cycle, which was not measured: dw_min_std is 0")
    heading = said(
        steps, "IBM aihwkit, PiecewiseStepDevice, written by ddk-toolkit",
        largest_difference(steps, after), lost, "#",
    )  # fmt: skip
    return "\n".join(
        [
            *heading,
            "",
            "from aihwkit.simulator.configs import SingleRPUConfig",
            "from aihwkit.simulator.configs.devices import PiecewiseStepDevice",
            "",
            *_listed("FACTORS_UP", factors[1]),
            "",
            *_listed("FACTORS_DOWN", factors[-1]),
            "",
            "",
            "def ddk_device():",
            "    return PiecewiseStepDevice(",
            "        w_min=-1.0, w_max=1.0, w_min_dtod=0.0, w_max_dtod=0.0,",
            f"        dw_min={smallest!r}, dw_min_dtod=0.0,",
            f"        dw_min_std={float(np.mean(shares)) if shares else 0.0!r},",
            "        up_down=0.0, up_down_dtod=0.0, write_noise_std=0.0,",
            "        piecewise_up=list(FACTORS_UP), piecewise_down=list(FACTORS_DOWN),",
            "    )",
            "",
            "",
            "def rpu_config():",
            "    return SingleRPUConfig(device=ddk_device())",
            "",
        ]
    )


def piecewise_after(
    weight: np.ndarray, sign: int, dw_min: float, factors: np.ndarray
) -> np.ndarray:
    """Weight after one pulse without noise, as the kit moves it.

    Parameters
    ----------
    weight : ndarray, shape (...)
        From -1 to 1.
    sign : {-1, 1}
        Down or up.
    dw_min : float
        Size of a step of factor 1.
    factors : ndarray, shape (n,)
        At equidistant weights from -1 to 1.

    Returns
    -------
    ndarray, shape (...)
        After it, from -1 to 1.
    """
    nodes = np.linspace(-1.0, 1.0, factors.size)
    return np.asarray(
        np.clip(weight + sign * dw_min * np.interp(weight, nodes, factors), -1.0, 1.0)
    )


def _listed(name: str, values: np.ndarray) -> list[str]:
    text = ", ".join(f"{v:.9g}" for v in values.tolist())
    return [
        f"{name} = (",
        *textwrap.wrap(text, 94, initial_indent="    ", subsequent_indent="    "),
        ")",
    ]
