"""A task on a folder of the user's own data."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

from ddk.studies.task import SplitPlan, Task, Training
from ddk.studies.tasks import SOUND_MODELS, TASKS
from ddkbase.errors import InputError, StorageError
from network import datasets

__all__ = ["folder_task"]

#: lengths of an utterance that are tried on a folder of sounds, the loader's own first
_UTTERANCES = ("1 s", "0.5 s", "0.25 s", "0.1 s")


def folder_task(path: Path) -> Task:
    """A task on a folder of the user's own data, of a kind that `network.datasets.load` knows.

    A known set in a folder is that task; a folder of labelled sounds becomes a task like
    "speakers", with recordings held out whole where there are three or more of each class, and
    else one stretch of every recording.

    Raises
    ------
    StorageError
        No such folder, or nothing in it that is known.
    """
    data, utterance = _loaded(path)
    known = next((t for t in TASKS.values() if t.dataset == data.name), None)
    if known is not None:
        options = dict(known.options)
        if "align" in options and not any(path.glob("*.mat")):
            del options["align"]  # only silhouettes say where the person is
        split = known.split
        if split.by == "fold" and not _has_folds(data):
            split = SplitPlan("group", test=0.2, validation=0.1)
        return dataclasses.replace(
            known, dataset=str(path.absolute()), options=options, split=split
        )
    recordings = np.unique(
        np.stack([np.unique(data.groups, return_inverse=True)[1], data.y]), axis=1
    )
    fewest = int(np.bincount(recordings[1], minlength=len(data.classes)).min())
    if _has_folds(data):
        split = SplitPlan("fold", validation=0.1)
        words = "The test part is the source's own."
    elif fewest >= 3:
        split = SplitPlan("group", test=0.2, validation=0.1)
        words = "Recordings are held out whole, drawn by the seed."
    else:
        split = SplitPlan("block", test=0.2, validation=0.1)
        utterance = _short_enough(path, utterance, split)
        words = (
            f"There {'is one recording' if fewest == 1 else 'are two recordings'} of a class: one "
            "stretch of every recording is held out, so that the accuracy is also that of telling "
            "recordings apart."
        )
    return Task(
        name=re.sub(r"[^a-z0-9_+-]+", "-", path.absolute().name.lower()).strip("-") or "folder",
        title=f"{len(data.classes)} classes of {path.absolute().name}",
        dataset=str(path.absolute()),
        split=split,
        hidden=(16,),
        training=Training(epochs=200),
        vote="" if split.by == "block" else "recording",
        models=SOUND_MODELS,
        protocol=words,
        options={"front": "spectral", "size": 128, "utterance": utterance},
        quick={"epochs": 40},
    )


def _loaded(path: Path) -> tuple[datasets.DataSet, str]:
    """The data, and the first of some lengths of an utterance that leaves no class without one."""
    try:
        data = datasets.load(path)
        known = any(task.dataset == data.name for task in TASKS.values())
        if known or np.unique(data.y).size == len(data.classes):
            return data, _UTTERANCES[0]
    except StorageError as error:
        if "as long as an utterance" not in error.what:
            raise
    for utterance in _UTTERANCES[1:]:
        try:
            data = datasets.load(path, utterance=utterance)
        except StorageError:
            continue
        if np.unique(data.y).size == len(data.classes):
            return data, utterance
    raise StorageError(
        "a class has no recording of 0.1 s or more", str(path), "Leave it out, or add recordings"
    )


def _has_folds(data: datasets.DataSet) -> bool:
    return {"train", "test"} <= set(np.unique(data.fold).tolist())


def _short_enough(path: Path, longest: str, plan: SplitPlan) -> str:
    """The longest utterance of which every recording has enough for a stretch of each part."""
    reason = ""
    for utterance in _UTTERANCES[_UTTERANCES.index(longest) :]:
        try:
            data = datasets.load(path, utterance=utterance)
            parts = datasets.split(data, plan.test, plan.validation, by=plan.by)
        except (InputError, StorageError) as error:
            reason = error.what
            continue
        if all(np.unique(data.y[p]).size == len(data.classes) for p in (parts.train, parts.test)):
            return utterance
        reason = "a class is missing in a part"
    raise StorageError(
        f"a class has fewer than three recordings, which are too short to hold out a stretch of "
        f"each [{reason}]",
        str(path),
        "Add recordings to it, or longer ones",
    )
