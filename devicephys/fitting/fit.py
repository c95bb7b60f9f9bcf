"""A fit from its description to its result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, Interrupted, SolverError
from ddkbase.folders import at_work
from devicephys.fitting.data import as_dataset, read_data
from devicephys.fitting.description import FitDescription, read_description, refined
from devicephys.fitting.information import Profile, direction_text
from devicephys.fitting.posterior import require_emcee
from devicephys.fitting.result import (
    FitEvent,
    FitInterrupted,
    FitResult,
    factor_text,
    parameter_table,
)
from devicephys.fitting.search import Search

__all__ = ["fit_device"]


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def fit_device(
    source: FitDescription | Mapping[str, Any] | str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: Callable[[FitEvent], None] | None = None,
    warn: Callable[[str], None] | None = None,
    remark: Callable[[str], None] | None = None,
) -> FitResult:
    """Fit parameters of a device to measured loops and trains.

    Least squares (trust region, robust loss) on the logarithms of the parameters; residuals are
    differences of the logarithms of currents and conductances over their errors, derivatives come
    from the tangents of the simulation (``simulate(..., sensitivities=[...])``), so that a solve of
    all data gives both.

    Parameters
    ----------
    source : FitDescription, mapping, str or Path
        What is fitted to what; the path of a YAML file, or what stands in one.
    folder : str or Path or None, optional
        Where each solve is kept; the same fit with the same folder goes on where it was stopped.
    progress : callable or None, optional
        Called with a `FitEvent` after each solve.
    warn : callable or None, optional
        Called before the first solve with what of the device the data contradict, a line each.
    remark : callable or None, optional
        Called before the first solve with what the files were taken for, a line each.

    Returns
    -------
    FitResult
        The device, its parameters with intervals, and what the data do not determine.

    Raises
    ------
    InputError
        A description or a file that is not clear, a folder of another fit.
    SolverError
        The device that the fit begins with cannot be simulated.
    StorageError
        A file cannot be read or written, or another process is at work in the folder.
    FitInterrupted
        Ctrl-C; ``result`` is the `FitResult` of the best solve so far, if there is one.
    InstallationError
        No finite-element stack or no C compiler.
    """
    description, beside = read_description(source)
    device = description.start(beside)
    description.bounds(device)
    if description.posterior:
        require_emcee()
    data, predict = (read_data(d, beside) for d in (description.data, description.predict))
    for one in data:
        one.require_change()
    told = (text for d in (*data, *predict) for text in d.remarks)
    against = (text for d in (*data, *predict) for text in d.contradictions(device))
    for call, texts in ((remark, told), (warn, against)):
        for text in dict.fromkeys(texts):
            if call is not None:
                call(text)
    kept = None if folder is None else Path(folder)
    search = Search(description, data, predict, device, kept, progress)
    with contextlib.nullcontext() if kept is None else at_work(kept):
        return _carry_out(search)


def _carry_out(search: Search) -> FitResult:
    """Search, then what takes more solves; Ctrl-C keeps what there is."""
    try:
        reason = search.all_starts()
    except (KeyboardInterrupt, Interrupted):  # between solves, and within one
        best = _result(search, "interrupted", {}) if search.best is not None else None
        raise FitInterrupted(f"solve {len(search.solves) + 1}", best) from None
    try:
        search.refine()
        search.explore()
        search.refine()
        profiles = search.profiles()
        return _result(search, reason, profiles, whole=True)
    except (KeyboardInterrupt, Interrupted):
        where = f"what follows the search, solve {len(search.solves) + 1}"
        raise FitInterrupted(where, _result(search, reason, {})) from None


def _result(
    search: Search, reason: str, profiles: dict[str, Profile], whole: bool = False
) -> FitResult:
    """Parameters, intervals and curves of the best solve; ``whole`` with what takes more solves."""
    assert search.best is not None
    logs, solve = search.best[1:]
    known, device = search.information(), search.moved(logs)
    ends = np.cumsum([len(d.measured) for d in search.data])[:-1]
    parts = zip(search.data, solve.simulated, np.split(solve.jacobian, ends), strict=True)
    predicted, posterior, failures = [], None, [search.refining] if search.refining else []
    for held in search.predict if whole else ():
        try:
            _, jacobian, curve = held.misfit(device, search.finer or search.settings, search.paths)
        except (SolverError, InputError) as error:
            failures.append(f"{held.name}, held out, is not predicted: {error}")
            continue
        predicted.append(as_dataset(held, curve, jacobian @ search.tie, known.covariance))
    if whole:
        try:
            posterior = search.posterior(known)
        except InputError as error:
            failures.append(f"no samples of the posterior: {error}")
    curves = zip(solve.simulated, search.data, strict=True)
    ratios = [np.log10(np.abs(curve / d.measured)) for curve, d in curves]
    parameters = parameter_table(
        search.described(), logs, search.bounds, known, profiles, posterior
    )
    if search.unrefined is not None:
        parameters["refined"] = ("parameter", logs - search.unrefined, {"units": "1"})
        parameters.attrs["refined"] = refined(search.description)
    return FitResult(
        device=device,
        parameters=parameters,
        data=[as_dataset(d, c, j, known.covariance) for d, c, j in parts],
        predicted=predicted,
        profiles=profiles,
        posterior=posterior,
        suggestions=search.suggestions(device, known) if whole else None,
        undetermined=[
            f"{direction_text(search.names, known.directions[k])} (known to a factor "
            f"{factor_text(known.spread[k])})"
            for k in known.open_directions
        ],
        failures=failures,
        misfit=_rms(solve.residual),
        log_misfit=_rms(np.concatenate(ratios)),
        solves=len(search.solves) + len(search.finer_solves),
        reason=reason,
        alternatives=search.alternatives(known),
        paths={name: tuple(search.description.paths(name)) for name in search.names},
    )
