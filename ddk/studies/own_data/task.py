"""Tasks on the user's own data: what is held out, and by what it is learnt."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddk.studies.tasks import TASKS, SplitPlan, Task, Training
from ddkbase.errors import InputError, StorageError
from network import datasets

__all__ = ["SOUND_MODELS", "folder_task"]

SOUND_MODELS = ("ddk", "raw", "leaky", "sum", "pooling", "random", "echo", "mfcc", "minirocket")
"""What is compared on sounds."""

#: lengths of an utterance that are tried on a folder of sounds, the loader's own first
_UTTERANCES = ("1 s", "0.5 s", "0.25 s", "0.1 s")


def folder_task(
    path: Path, options: Mapping[str, Any] | None = None, read_once: bool = False
) -> Task:
    """A task on the user's own data, a folder or a file that `network.datasets.load` knows.

    A known set in a folder is that task; pictures with a folder a class, files of series and files
    of arrays X and y become one as they are; a folder of labelled sounds becomes a task like
    "speakers", with recordings held out whole where there are three or more of each class, and
    else one stretch of every recording.

    Parameters
    ----------
    path : Path
        Folder or file of the data.
    options : mapping or None, optional
        Options of `network.datasets.load`, as the column of the class of a table.
    read_once : bool, default False
        Whether layers are to be read once, at the end of a sequence. Series, arrays and pictures
        then have the read-out of the named tasks of this kind: ridge regression and no hidden
        layers, a fifth of the samples to validate, and the models of these tasks. Of other data it
        says nothing.

    Returns
    -------
    Task
        The task; its data set is the folder or file.

    Raises
    ------
    InputError
        What is not understood in a file, or an option that such data do not have.
    StorageError
        No such folder, or nothing in it that is known.
    """
    asked = dict(options or {})
    data, utterance = _loaded(path, asked)
    named = next((t for t in TASKS.values() if t.dataset == data.name), None)
    if named is not None:
        settings = {**named.options, **asked}
        if "align" in settings and not any(path.glob("*.mat")):
            del settings["align"]  # only silhouettes say where the person is
        split = named.split
        if split.by == "fold" and not _has_folds(data):
            split = SplitPlan("group", test=0.2, validation=0.1)
        return dataclasses.replace(
            named, dataset=str(path.absolute()), options=settings, split=split
        )
    if data.seconds is None:
        return _array_task(path, data, asked, read_once)
    recordings = np.unique(
        np.stack([np.unique(data.groups, return_inverse=True)[1], data.y]), axis=1
    )
    fewest = int(np.bincount(recordings[1], minlength=len(data.classes)).min())
    if _has_folds(data):
        split = SplitPlan("fold", validation=0.1)
        protocol = "The test part is the source's own."
    elif fewest >= 3:
        split = SplitPlan("group", test=0.2, validation=0.1)
        protocol = "Recordings are held out whole, drawn by the seed."
    else:
        split = SplitPlan("block", test=0.2, validation=0.1)
        utterance = _short_enough(path, utterance, split)
        protocol = (
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
        protocol=" ".join([protocol, *(f"{n[0].upper()}{n[1:]}." for n in data.notes)]),
        options={"front": "spectral", "size": 128, "utterance": utterance, **asked},
        quick={"epochs": 40},
    )


def _array_task(
    path: Path, data: datasets.DataSet, options: Mapping[str, Any], read_once: bool
) -> Task:
    """A task on samples that are not cut out of sounds: pictures, series, or arrays X and y."""
    once = TASKS["digits-spoken"]
    validation, share = (once.split.validation, "a fifth") if read_once else (0.1, "a tenth")
    given = _has_folds(data)
    groups = len(set(data.groups.tolist()))
    if given:
        protocol = f"The test part is the source's own; {share} of the others validates."
    elif groups == len(data):
        protocol = f"A fifth of the samples is the test part, {share} validates, drawn by the seed."
    else:
        protocol = (
            f"A fifth of the {groups} groups is the test part, {share} validates, drawn by the "
            "seed: each group is whole on one side."
        )
    sentences = [protocol, *(f"{note[0].upper()}{note[1:]}." for note in data.notes)]
    models = ("ddk", "raw", "leaky", "sum", "pooling", "random", "echo", "minirocket")
    if read_once:
        sentences.append(
            "Each channel is read once, at its end; the constants of every memory and the strength "
            "of the ridge regression behind it are chosen on the validation part."
        )
    return Task(
        name=re.sub(r"[^a-z0-9_+-]+", "-", data.name.lower()).strip("-") or "folder",
        title=f"{len(data.classes)} classes of {path.absolute().name}",
        dataset=str(path.absolute()),
        options=dict(options),
        split=SplitPlan("fold" if given else "group", test=0.2, validation=validation),
        hidden=() if read_once else (16,),
        training=once.training if read_once else Training(epochs=100, batch_size=128),
        models=once.models if read_once else models,
        protocol=" ".join(sentences),
        shape=data.sample_shape,
        classes=len(data.classes),
        quick={} if read_once else {"epochs": 20},
    )


def _loaded(path: Path, options: Mapping[str, Any]) -> tuple[datasets.DataSet, str]:
    """The data, and the longest utterance of which each class has a whole one."""
    for utterance in _UTTERANCES:
        try:
            # other sets than sounds have no such option, and are known at the first attempt
            more = {} if utterance == _UTTERANCES[0] else {"utterance": utterance}
            data = datasets.load(path, **{**more, **options})
        except StorageError as error:
            if "as long as an utterance" not in error.what:
                raise
            continue
        named = any(task.dataset == data.name for task in TASKS.values())
        short = data.span[:, 1] - data.span[:, 0] < (data.seconds or 0.0) * (1 - 1e-9)
        if named or np.unique(data.y[~short]).size == len(data.classes):
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
            split = datasets.split(data, plan.test, plan.validation, by=plan.by)
        except (InputError, StorageError) as error:
            reason = error.what
            continue
        if all(np.unique(data.y[p]).size == len(data.classes) for p in (split.train, split.test)):
            return utterance
        reason = "a class is missing in a part"
    raise StorageError(
        f"a class has fewer than three recordings, which are too short to hold out a stretch of "
        f"each [{reason}]",
        str(path),
        "Add recordings to it, or longer ones",
    )
