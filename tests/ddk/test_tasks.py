"""Tasks: their structures count as the article's, and their parts share nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from ddk.studies import folds
from ddk.studies.folds import Material
from ddk.studies.models import LAYERS, Model, build, get_model
from ddk.studies.tasks import TASKS, SplitPlan, Task, folder_task, get_task
from ddkbase.errors import InputError, StorageError
from tests.network.data_files import real, sound, speakers, tone


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("speakers", 2_236, 2_464),
        ("mnist", 38_172, 39_680),
        ("ag_news", 39_046, 2_496_512),
        ("actions", 648_962, 658_048),  # the article's has batch norms: 649,720
        ("voxels", 165_578, 167_168),  # the article's has batch norms: 165,952
    ],
)
def test_networks_of_the_tasks_count_as_the_articles(name: str, parameters: int, macs: int) -> None:
    task = get_task(name)
    found = build(task, LAYERS["ddk"], task.shape, task.classes, 0).count()
    assert (found.parameters, found.macs) == (parameters, macs)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_controls_have_as_many_parameters_as_the_ddk_network(name: str) -> None:
    task = get_task(name)
    counts = {
        model.name: build(task, model, task.shape, task.classes, 0).count().parameters
        for model in LAYERS.values()
        if not model.data and model.name not in ("echo", "raw-all") and model.layer != "memory"
    }
    assert len(set(counts.values())) == 1, counts


@pytest.mark.parametrize("name", ["digits-spoken", "digits-spoken-onset"])
def test_memories_have_as_many_parameters_too(name: str) -> None:
    task = get_task(name)
    models = [m for m in LAYERS.values() if m.layer in ("ddk", "memory") and m.name != "principal"]
    counts = {
        m.name: build(task, m, task.shape, task.classes, 0).count().parameters for m in models
    }
    assert len(set(counts.values())) == 1, counts
    with pytest.raises(InputError, match="read once"):
        build(get_task("digits"), LAYERS["taps"], (8, 8), 10, 0)


@pytest.mark.parametrize("name", sorted(TASKS))
@pytest.mark.parametrize("quick", [False, True])
def test_settings_rebuild_a_task(name: str, quick: bool) -> None:
    task = get_task(name, quick)
    settings = json.loads(json.dumps(task.settings()))
    again = Task.from_settings(settings)
    assert json.loads(json.dumps(again.settings())) == settings
    assert again.protocol == task.protocol


def test_settings_that_are_none() -> None:
    settings = get_task("digits").settings()
    with pytest.raises(InputError, match="no settings of a task"):
        Task.from_settings({**settings, "colour": "red"})
    del settings["split"]
    with pytest.raises(InputError, match="no settings of a task"):
        Task.from_settings(settings)


def test_unknown_names_give_the_closest() -> None:
    with pytest.raises(InputError, match="Did you mean 'digits'"):
        get_task("digit")
    with pytest.raises(InputError, match="Did you mean 'leaky'"):
        get_model("leeky")


def test_arrangements_are_models_by_name() -> None:
    from ddk.studies.model_search import ARRANGEMENTS

    for name, options in ARRANGEMENTS.items():
        if name:
            found = get_model(f"ddk-{name}")
            assert (found.layer, dict(found.options)) == ("ddk", options)


def test_all_models_of_all_tasks_are_known() -> None:
    for task in TASKS.values():
        assert {get_model(name).name for name in task.models} == set(task.models)


def parts_of(task: Task, seed: int, root: Path | None = None) -> list[dict[str, set[str]]]:
    material = Material(task, root)
    data = material.dataset()
    out = []
    for split, _ in material._splits(data, seed):
        out.append({n: set(map(str, data.groups[getattr(split, n)]))
                    for n in ("train", "validation", "test")})  # fmt: skip
    return out


def few_voices() -> Task:
    """The task with three speakers who say little."""
    options = {"speakers": 3, "recordings": 5, "recording": 0.6, "utterance": "0.2 s"}
    return dataclasses.replace(get_task("voices"), options=options)


def test_parts_overlap_only_where_they_are_redrawn() -> None:
    for task in TASKS.values():
        given = task.split.by in ("fold", "leave-one-out")
        assert (task.split.overlap == 0) is given, task.name
    assert SplitPlan("group", test=0.2, validation=0.1).overlap == pytest.approx(2 / 7)


def test_texts_of_the_test_part_are_not_trained_on(tmp_path: Path) -> None:
    from network import datasets

    folder = tmp_path / "ag_news"
    folder.mkdir()
    training = [f"{k % 4},word{'abcd'[k % 4]} text number {k}" for k in range(12)]
    (folder / "train_subset_4000_tokenised.csv").write_text("\n".join(training) + "\n")
    tests = [f'{k + 1},"title","Word{"abcd"[k]} text, number {k}."' for k in range(4)]
    (folder / "test.csv").write_text("\n".join(tests) + "\n")
    told = {"root": tmp_path, "words": 4, "dimension": 3, "embedding": "hash"}
    whole, fewer = (datasets.load("ag_news", drop_repeats=drop, **told) for drop in (False, True))
    assert [np.sum(data.fold == "train") for data in (whole, fewer)] == [12, 8]
    assert np.sum(fewer.fold == "test") == 4
    assert "4 texts of the test part" in whole.notes[0]
    assert not any("test part" in note for note in fewer.notes)
    kept = np.flatnonzero(fewer.fold == "train")
    np.testing.assert_array_equal(fewer.y[kept], whole.y[4:12])
    assert get_task("ag_news").options["drop_repeats"] is True


def test_groups_are_on_one_side_only() -> None:
    task = few_voices()
    for seed in range(3):
        (parts,) = parts_of(task, seed)
        assert not parts["train"] & parts["test"]
        assert not parts["train"] & parts["validation"]
        assert not parts["validation"] & parts["test"]


def test_every_person_is_left_out_once() -> None:
    task = get_task("actions")
    task = dataclasses.replace(task, options={**task.options, "frames": 2, "size": (6, 8)})
    found = parts_of(task, 0, real("weizmann_actions"))
    assert sorted(name for parts in found for name in parts["test"]) == sorted(
        {"daria", "denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar"}
    )
    assert all(not parts["train"] & (parts["test"] | parts["validation"]) for parts in found)


def test_another_front_end_is_split_over_the_same_groups() -> None:
    task = few_voices()
    one = next(iter(Material(task).folds(3)))
    other = next(iter(Material(task).folds(3, {"front": "mfcc", "size": 20})))
    assert other.shape == (20,)
    for name in ("train", "validation", "test"):
        assert set(getattr(one, name).item) == set(getattr(other, name).item)


def test_slices_of_a_body_are_together() -> None:
    task = get_task("voxels", quick=True)
    material = Material(task, real("modelnet10"))
    assert not any("equal a training grid" in note for note in material.dataset().notes)
    fold = next(iter(material.folds(0)))
    assert fold.shape == (32, 32)
    assert len(fold.train) == 32 * task.limits["train"]
    ids, counts = np.unique(fold.test.item, return_counts=True)
    assert len(ids) == task.limits["test"]
    assert set(counts) == {32}
    assert not set(fold.test.item) & set(fold.train.item)


def test_words_are_the_steps() -> None:
    options = {"words": 8, "dimension": 5, "embedding": "hash"}
    task = dataclasses.replace(get_task("ag_news", quick=True), options=options)
    material = Material(task, real("ag_news"))
    fold = next(iter(material.folds(0)))
    assert fold.shape == (5, 8)
    whole = next(iter(material.folds(0, cut="whole")))
    np.testing.assert_array_equal(fold.test.x, whole.test.x.swapaxes(1, 2))


def test_a_part_that_is_empty_is_told() -> None:
    task = dataclasses.replace(get_task("digits"), split=SplitPlan("random", 0.2, 0.0))
    with pytest.raises(InputError, match="the validation part is empty"):
        next(iter(Material(task).folds(0)))


def test_a_folder_becomes_a_task(tmp_path: Path) -> None:
    speakers(tmp_path / "My Voices!", count=3, each=4)
    task = folder_task(tmp_path / "My Voices!")
    assert task.name == "my-voices"
    assert task.split.by == "group"
    assert task.options["utterance"] == "0.5 s"
    fold = next(iter(Material(task).folds(0)))
    assert fold.classes == ("spk0", "spk1", "spk2")


def test_single_recordings_are_split_by_blocks(tmp_path: Path) -> None:
    for name, pitch in (("low", 200.0), ("high", 900.0)):
        sound(tmp_path / "tones" / name / "one.wav", tone(12, pitch=pitch))
    task = folder_task(tmp_path / "tones")
    assert task.split.by == "block"
    assert "one recording" in task.protocol
    fold = next(iter(Material(task).folds(0)))
    assert len(fold.test) >= 2


@pytest.mark.parametrize("front", [None, "spectral"])
def test_sounds_that_are_read_once_have_frames_as_steps(tmp_path: Path, front: str | None) -> None:
    speakers(tmp_path, count=3, each=4)
    options = {} if front is None else {"front": front}
    task = folder_task(tmp_path, options, read_once=True)
    fold = next(iter(Material(task).folds(0)))
    # half a second in windows of 32 ms that overlap by half, or their mean
    assert fold.shape == task.shape == ((32, 30) if front is None else (32,))
    assert task.hidden == () and task.models == get_task("digits-spoken").models
    assert ("frame of 32" in task.protocol) == (front is None)
    assert folder_task(tmp_path, options).hidden == (16,)


def test_short_sounds_of_a_folder_are_said_and_its_parts_kept(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label, pitch in (("low", 200.0), ("high", 900.0)):
            for k, length in enumerate((1.0, 0.4, 0.4)):
                sound(tmp_path / part / label / f"{k}.wav", tone(length, pitch=pitch + k))
    task = folder_task(tmp_path)
    assert task.split.by == "fold"
    assert "8 of 12 recordings are shorter than 1 s and are filled with silence." in task.protocol
    fold = next(iter(Material(task).folds(0)))
    assert fold.classes == ("high", "low")
    assert len(fold.test) == 6


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no data that is known"):
        folder_task(tmp_path)


def test_models_say_what_they_depend_on() -> None:
    from network.ddk.constraints import Clamp

    told = Model("ddk", "ddk", "x", {"constraint": Clamp(), "banks": 2}).settings()
    assert json.loads(json.dumps(told))["options"]["banks"] == 2


def test_other_options_are_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[dict[str, object]] = []

    def load(name: str, root: object = None, **options: object) -> dict[str, object]:
        read.append(options)
        return dict(options)

    monkeypatch.setattr(folds.datasets, "load", load)
    material = Material(get_task("digits"))
    for told in ({"size": 12}, {"size": 20}, {"front": "mfcc"}, {"size": 12}, {}):
        found = material.dataset(told)
        assert {k: found[k] for k in told} == told  # type: ignore[index]
    assert len(read) == 4  # one of them twice


def test_another_seed_takes_other_samples_of_a_limited_part() -> None:
    """The source's own split is the same for all seeds; which of its samples are taken is not."""
    task = get_task("digits")
    data = Material(task).dataset()
    given = dataclasses.replace(
        data, fold=np.where(np.arange(len(data.y)) % 4 == 0, "test", "train").astype(object)
    )
    plan = dataclasses.replace(
        task, split=SplitPlan("fold", test=0.25, validation=0.2), limits={"test": 40}
    )
    tests = [next(iter(Material(plan, dataset=given).folds(seed))).test for seed in (1, 2, 1)]
    assert all(len(part) == 40 for part in tests)
    np.testing.assert_array_equal(tests[0].x, tests[2].x)
    assert not np.array_equal(tests[0].x, tests[1].x)
