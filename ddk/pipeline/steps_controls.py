"""The step that holds the network against its controls."""

from __future__ import annotations

import dataclasses

from ddk.pipeline.content import of_data
from ddk.pipeline.file import Chain
from ddk.pipeline.job import Found, Job, Picture, Place, Rows
from ddk.pipeline.steps_network import Trainee, data_settings, on_table, root_of, task_of
from ddk.pipeline.steps_table import TableSource
from ddkbase.errors import InputError

__all__ = ["ON_TABLE", "controls_job"]

ON_TABLE = "ddk-table"
_TITLE = "DDK layer, alpha and beta where pulses of the table's cells can put them"


def controls_job(chain: Chain, table: TableSource, trainee: Trainee | None) -> Job:
    """Several models on the same splits, the network on the table among them.

    Raises
    ------
    InputError
        No such task or model, or the network on a table without a table.
    """
    from ddk.studies.models import get_model

    keys = chain.steps["controls"]
    own = any(key in keys for key in ("task", "epochs", "quick")) or trainee is None
    task = task_of(chain, "controls") if own or trainee is None else trainee.task
    root = root_of(chain)
    data = of_data(task, root) if own or trainee is None else trainee.data
    default = ((ON_TABLE,) if table else ()) + ("ddk", "raw", "leaky", "random")
    names = keys.names("models", default)
    if ON_TABLE in names and not table:
        raise InputError(f"'{ON_TABLE}' needs a table", keys.place("models"), "Add the step 'fit'")
    models = [get_model("ddk" if name == ON_TABLE else name) for name in names]
    seeds = keys.seeds("seeds", 3)
    on = ON_TABLE in names
    settings = {
        **data_settings(task, data),
        "models": [[n, m.settings()] for n, m in zip(names, models, strict=True)],
        "seeds": list(seeds),
        **(table.settings() if on else {}),
    }

    def work(place: Place) -> Found:
        from ddk.studies.comparison import (
            best_control,
            comparison_rows,
            difference_note,
            write_comparison,
        )
        from ddk.studies.runs import compare

        found_table = table.read(place) if on else None
        chosen = models
        if found_table is not None:
            ours = dataclasses.replace(
                on_table(get_model("ddk"), found_table, ON_TABLE), title=_TITLE
            )
            chosen = [ours if n == ON_TABLE else m for n, m in zip(names, models, strict=True)]
        folder = place.folder / "comparison"
        for name in ("comparison.nc", "comparison.md", "comparison.png", "report.html"):
            (folder / name).unlink(missing_ok=True)  # of other models or seeds
        found = compare(
            task, chosen, seeds, folder=folder, root=root, processes=place.workers or 1,
            progress=lambda text: place.say(text.split("; r = ")[0]),
        )  # fmt: skip
        write_comparison(found, folder)
        heads, rows = comparison_rows(found)
        words = difference_note(found) if "ddk" in names else ""
        told = {row[0]: f"{row[0]} {row[1]} %" for row in rows}
        control = best_control(found)
        key = [told[n] for n in (ON_TABLE, "ddk") if n in told][:1]
        key += [f"best control {told[control]}"] if control is not None else []
        return Found(
            {},
            [Picture("comparison/comparison.png", "accuracy of every seed")],
            [Rows(words, heads, rows)],
            {
                "comparison/report.html": "report of the comparison",
                "comparison/comparison.nc": "the numbers",
            },
            key=", ".join(key),
        )

    uses = table.uses() if on else ()
    return Job("controls", "Controls", settings, uses, work, ("models", "seeds"))
