"""How a campaign shows itself: a bar on a terminal, a line now and then elsewhere, a table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

from ddkbase.cli.progress import Bar
from ddkbase.units import format_si

if TYPE_CHECKING:
    from devicephys.campaign.description import Campaign
    from devicephys.campaign.execution import CampaignResult, CampaignState

_PLAIN_SHARE = 1 / 16  # of the points, between two lines where there is no terminal
_PLAIN_PAUSE = 300.0  # s, after which there is a line in any case


def duration(seconds: float | None) -> str:
    """A time as one reads it: "40 s", "12 min", "3 h 20 min", "2 days 4 h"."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} days {hours % 24} h"


class Display(Bar):
    """Shows a ``CampaignState`` whenever it is called with one; use it as a context."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "starting the workers")
        self._console = console
        self._next, self._printed = 0.0, 0.0
        self._phase: tuple[bool, bool] | None = None

    def __call__(self, state: CampaignState) -> None:
        """Take notice of how far the campaign is."""
        text = line(state)
        if self._show(state.done + state.failed, None if state.starting else state.size, text):
            return
        share, now = (state.done + state.failed) / state.size, time.monotonic()
        phase = state.starting, state.starting or state.workers > 0
        late = now >= self._printed + _PLAIN_PAUSE
        if phase != self._phase or share >= self._next or late or state.left == 0:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)
            self._phase, self._printed, self._next = phase, now, share + _PLAIN_SHARE


def line(state: CampaignState) -> str:
    """One line on how far a campaign is."""
    finished = f"{state.done} of {state.size} points done"
    failed = f", {state.failed} failed" if state.failed else ""
    if state.starting:
        return f"{finished}{failed}, {state.left} to compute; starting the workers"
    if not state.workers:
        return f"{finished}{failed}, {state.left} left; waiting for a worker"
    return f"{finished}{failed}, {state.left} left, to go: {duration(state.seconds_left)}"


def grid_rows(campaign: Campaign) -> list[list[str]]:
    """The axes of a campaign and its points: name, how many values, which."""
    rows = []
    axes = (
        ("amplitude", campaign.amplitudes, "V", "a list, one for each pulse"),
        ("width", campaign.widths, "s", "a list, one for each pulse"),
        ("initial resistance", campaign.initial_resistances, "ohm", "the cell as it is"),
    )
    for name, values, unit, otherwise in axes:
        rows.append([name, str(len(values)), _values(values, unit, otherwise)])
    rows.append(["cycle", str(campaign.cycles), ""])
    rows.append(["device", str(campaign.devices), ""])
    rows.append(["all points", str(campaign.size), f"{campaign.pulse_count} pulses each"])
    return rows


def _values(values: tuple[float | None, ...], unit: str, otherwise: str) -> str:
    texts = [otherwise if v is None else format_si(v, unit, 6) for v in values]
    return ", ".join(texts if len(texts) <= 12 else [*texts[:5], "...", *texts[-2:]])


def outcome_rows(outcome: CampaignResult) -> list[list[str]]:
    """What a run left behind: names and texts."""
    rows = [["Points done", str(outcome.done)], ["Points failed", str(outcome.failed)]]
    if outcome.missing:
        rows.append(["Points missing", str(outcome.missing)])
    if outcome.reasons:
        reason, count = outcome.reasons[0]
        rows.append(["Most frequent reason", f"{count} times: {reason}"])
    rows.append(["Computed in this run", f"{outcome.computed} in {duration(outcome.seconds)}"])
    rows.append(["Store", str(outcome.store)])
    return rows
