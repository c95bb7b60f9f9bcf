"""The named tasks: data, front end, split, structure and training, stated once.

A task says everything a result depends on but the model and the seed. Its split keeps what belongs
together whole (an utterance, a person, a recording); validation samples come out of the training
part, and the test part is looked at once, after the last epoch.

Structures are those of Shi et al. 2025 (Nat. Commun. 16, 913, Fig. 5, Fig. S13, Table S3); where
the article's data cannot be had, a public set of the same kind stands in, as ``protocol`` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ddk.studies.task import SplitPlan, Task, Training
from ddkbase.errors import InputError, closest

__all__ = ["SOUND_MODELS", "TASKS", "get_task"]

_MODELS = ("ddk", "raw", "leaky", "sum", "pooling", "random", "echo")
SOUND_MODELS = (*_MODELS, "mfcc", "minirocket")

_IMAGES = (
    "The source's own test part; a tenth of its training part, drawn by the seed, is the "
    "validation part. The seed also draws the start of the weights and the batches. A row of an "
    "image is one sequence, its columns are the steps."
)
_SPEECH = (
    "Utterances are held out whole: two in ten of each speaker for the test, one for validation, "
    "drawn by the seed. All utterances of a speaker are from one recorded chapter, so microphone "
    "and room are the same in training and test."
)

_TASKS = (
    Task(
        name="digits",
        shape=(8, 8),
        classes=10,
        title="Handwritten digits, 8 x 8 (scikit-learn)",
        dataset="digits",
        split=SplitPlan("random", test=0.2, validation=0.1),
        hidden=(32,),
        training=Training(epochs=60, batch_size=128),
        protocol="A fifth of the images is the test part, a tenth the validation part, drawn by "
        "the seed; the set does not say who wrote what, so a writer may be in both. A row is one "
        "sequence of 8 steps.",
        quick={"epochs": 12},
    ),
    Task(
        name="voices",
        shape=(128,),
        classes=10,
        title="Synthetic voices, 10 speakers",
        dataset="voices",
        split=SplitPlan("group", test=0.2, validation=0.1),
        hidden=(16,),
        training=Training(epochs=200),
        vote="utterance",
        headline="decision",
        models=SOUND_MODELS,
        protocol="Utterances are made by a parametric generator and held out whole. Synthetic: the "
        "accuracy says that the chain works, and nothing about speech.",
        quick={"epochs": 40},
    ),
    Task(
        name="speakers",
        shape=(128,),
        classes=10,
        title="10 speakers (LibriSpeech), log spectra of 128 values",
        dataset="speakers",
        options={"front": "spectral", "size": 128, "utterance": "1 s"},
        split=SplitPlan("group", test=0.2, validation=0.1),
        hidden=(16,),
        training=Training(epochs=500),
        vote="utterance",
        headline="decision",
        models=SOUND_MODELS,
        protocol=_SPEECH + " Every vector is the log spectrum of a second of speech in 128 bands.",
        article="93.5 % (Speakers in the Wild, best epoch on the test part)",
        quick={"epochs": 60},
    ),
    Task(
        name="speakers-waveform",
        shape=(128,),
        classes=10,
        title="10 speakers (LibriSpeech), pooled waveform of 128 values",
        dataset="speakers",
        options={"front": "pooled", "size": 128, "utterance": "1 s"},
        split=SplitPlan("group", test=0.2, validation=0.1),
        hidden=(16,),
        training=Training(epochs=500),
        vote="utterance",
        headline="decision",
        models=SOUND_MODELS,
        protocol=_SPEECH
        + " Every vector is a second of the waveform, average-pooled to 128 values "
        "between 0 and 1, as the article describes it.",
        article="93.5 % (Speakers in the Wild, best epoch on the test part)",
        quick={"epochs": 60},
    ),
    Task(
        name="mnist",
        shape=(28, 28),
        classes=10,
        title="MNIST",
        dataset="mnist",
        split=SplitPlan("fold", validation=0.1),
        hidden=(48,),
        activation="relu",
        training=Training(epochs=30, batch_size=256, rate=0.005),
        models=(*_MODELS, "lenet5"),
        protocol=_IMAGES,
        article="96.6 %",
        quick={"epochs": 6, "limits": {"train": 6000, "validation": 600, "test": 2000}},
    ),
    Task(
        name="fashion",
        shape=(28, 28),
        classes=10,
        title="Fashion-MNIST",
        dataset="fashion",
        split=SplitPlan("fold", validation=0.1),
        hidden=(48,),
        activation="relu",
        training=Training(epochs=30, batch_size=256, rate=0.005),
        models=(*_MODELS, "lenet5"),
        protocol=_IMAGES,
        quick={"epochs": 6, "limits": {"train": 6000, "validation": 600, "test": 2000}},
    ),
    Task(
        name="ag_news",
        shape=(300, 64),
        classes=4,
        title="AG News, 64 words x 300",
        dataset="ag_news",
        options={"drop_repeats": True},
        cut="words",
        split=SplitPlan("fold", validation=0.1),
        hidden=(128,),
        training=Training(epochs=20, batch_size=64, rate=0.003),
        models=(*_MODELS, "lstm", "transformer"),
        protocol="Trained on 4,000 texts of the official training part (descriptions only), tested "
        "on the 7,600 of the official test file; a tenth of the 4,000 is the validation part. "
        "Texts that are also in the test file are left out of the training part. The embedding is "
        "learnt from training and validation texts, without labels, and not from test texts. The "
        "words are the steps; each word is classified, a text is the mean over its words.",
        article="91.2 % (trained on 120,000 texts)",
        quick={"epochs": 4, "limits": {"train": 1000, "validation": 200, "test": 1000}},
    ),
    Task(
        name="actions",
        shape=(80, 60),
        classes=10,
        title="Actions (Weizmann silhouettes), 60 x 80",
        dataset="actions",
        options={"view": "frame", "frames": 16, "size": (60, 80), "align": "person"},
        cut="rows",
        split=SplitPlan("leave-one-out", validation=0.1),
        hidden=(128, 128, 128),
        ddk={"per": "step"},
        activation="relu",
        training=Training(epochs=15, batch_size=128, rate=0.003),
        vote="clip",
        models=(*_MODELS, "c3d"),
        protocol="Every person is the test part once, trained on the eight others (of which one, "
        "drawn by the seed, is the validation part); the accuracy is over all clips. A frame is "
        "one decision, its 60 rows are the steps; a clip is the mean of 16 frames. The "
        "window follows the person: where somebody stands in the picture is not told.",
        article="90.8 % (UCF)",
        quick={"epochs": 2},
    ),
    Task(
        name="voxels",
        shape=(32, 32),
        classes=10,
        title="ModelNet10, 32 x 32 x 32",
        dataset="voxels",
        options={"drop_repeats": True},
        cut="slices",
        split=SplitPlan("fold", validation=0.1),
        hidden=(128, 128, 128),
        ddk={"per": "step"},
        activation="relu",
        training=Training(epochs=20, batch_size=256, rate=0.003),
        vote="object",
        models=(*_MODELS, "voxnet"),
        protocol="The official split; a tenth of the training objects is the validation part. 69 "
        "test objects have the grid of a training object: the latter are left out of the training "
        "part, as are empty grids. A slice is one decision, its 32 rows are the steps; an object "
        "is the mean of its 32 slices.",
        article="89.6 % (protocol not fully known)",
        quick={"epochs": 2, "limits": {"train": 400, "validation": 50, "test": 200}},
    ),
    Task(
        name="whales",
        shape=(128,),
        classes=4,
        title="4 whales, trained on one source, tested on the other",
        dataset="whales",
        options={"front": "spectral", "size": 128, "utterance": "1 s"},
        split=SplitPlan("fold", validation=0.2),
        hidden=(16,),
        training=Training(epochs=200),
        vote="recording",
        headline="decision",
        models=SOUND_MODELS,
        protocol="Trained on the MARS recordings, tested on those of NOAA PMEL and PAMGuard: other "
        "places, instruments and playback speeds. "
        "The validation part is stretches of the MARS recordings. The test part is unbalanced, 133 "
        "seconds of 5 recordings: the spread over seeds says nothing about other recordings.",
        quick={"epochs": 40},
    ),
    Task(
        name="whales-within",
        shape=(128,),
        classes=4,
        title="4 whales, trained and tested within one source",
        dataset="whales",
        options={"front": "spectral", "size": 128, "utterance": "1 s"},
        split=SplitPlan("block", test=0.2, validation=0.1),
        hidden=(16,),
        training=Training(epochs=200),
        models=SOUND_MODELS,
        protocol="One stretch of every recording is held out, its neighbours are left out. There "
        "are one to three recordings a species: the accuracy is also that of telling recordings "
        "apart.",
        quick={"epochs": 40},
    ),
)

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _TASKS})
"""All tasks by name."""


def get_task(name: str, quick: bool = False) -> Task:
    """A task by its name, or its small variant.

    Raises
    ------
    InputError
        No such task; the closest name is given.
    """
    if name not in TASKS:
        raise InputError(f"there is no task '{name}'", "task", closest(name, TASKS))
    return TASKS[name].small() if quick else TASKS[name]
