"""Which way each pair of alpha and beta of a compiled network went: by pulses, or on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from network.hardware.chip.placement import Placement

__all__ = ["pair_rows"]


def pair_rows(placement: Placement) -> tuple[list[str], list[list[Any]]]:
    """Which pair of alpha and beta went which way, a row a pair.

    Parameters
    ----------
    placement : Placement
        What `network.hardware.compile_network` or `read_placement` gives.

    Returns
    -------
    heads : list of str
        Names of the columns.
    rows : list of list
        Layer, number of the pair, alpha, beta, "pulses" or "arrays", by what share the pulses of
        the table miss the pair (None without a table), and for a pair on arrays the error of its
        states after the last sample: of exact products, of those of one imprecise chip, and beside
        them the spread of the states.
    """
    heads = ["layer", "pair", "alpha", "beta", "way", "pulses miss by"]
    heads += ["error, exact products", "error, a chip", "spread of states"]
    rows: list[list[Any]] = []
    for entry in placement.layers:
        if "alpha" not in entry:
            continue
        settings = placement.pulses[entry["name"]]["settings"]
        by_pair = {x["pair"]: x for x in entry.get("recurrences", ())}
        for pair, values in enumerate(zip(entry["alpha"], entry["beta"], strict=True)):
            row = [entry["name"], pair, *values]
            if pair in by_pair:
                x = by_pair[pair]
                exact, chip = x["error"], x["error_on_chip_0"]
                row += ["arrays", x["table_miss"], exact["last"], chip["last"], exact["spread"]]
            else:
                setting = settings[pair if len(settings) > 1 else 0] or {}
                row += ["pulses", setting.get("miss"), None, None, None]
            rows.append(row)
    return heads, rows
