"""Layers that are read once: equal reads, starts chosen on the validation part, one command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ddk.cli.commands import app
from ddk.studies.experiment import run
from ddk.studies.few_reads.disturbances import (
    Disturbance,
    _range,
    _read,
    accuracy_of,
    cases,
)
from ddk.studies.few_reads.starts import NUMBER, candidates, chosen
from ddk.studies.folds import Fold, Material, Part
from ddk.studies.models import get_model
from ddk.studies.tasks import Task, get_task
from ddkbase.errors import InputError, StorageError
from network import datasets
from network.ddk.constraints import Reachable
from tests.network.data_files import sound, tone

MEMORIES = ("ddk", "leaky", "saturating", "squares", "diagonal", "echo")
FIXED = ("segments", "taps", "cosine", "principal")


def spoken(folder: Path, each: int = 9) -> Path:
    """Two "digits" by two speakers: tones that rise or fall, from 0.2 to 0.4 s, the last of 1 s."""
    for digit in range(2):
        for speaker in ("ann", "bob"):
            for number in range(each):
                length = 1.0 if number == each - 1 else 0.2 + 0.2 * number / each
                t = np.arange(round(8000 * length)) / 8000
                pitch = 400 + 60 * (speaker == "bob") + 3 * number
                sweep = pitch + (1 - 2 * digit) * 900 * (t - length / 2)
                wave = 0.4 * np.sin(2 * np.pi * np.cumsum(sweep) / 8000)
                sound(folder / "spoken_digits" / f"{digit}_{speaker}_{number}.wav", wave)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spoken(tmp_path_factory.mktemp("data"))


def few(task: Task, **options: object) -> Task:
    small = {"utterance": "200 ms", "size": 4, **options}
    return dataclasses.replace(task, options={**task.options, **small})


def test_spoken_digits_have_the_source_s_own_test_part(root: Path) -> None:
    data = datasets.load("spoken_digits", root=root)
    assert data.x.shape == (36, 32, 48)
    assert data.dims == ("band", "time")
    assert data.classes == ("0", "1")
    assert (data.fold == "test").sum() == 2 * 2 * 5
    assert all(name.endswith("0") or part == "train" or int(name[-1]) < 5
               for name, part in zip(data.groups, data.fold, strict=True))  # fmt: skip
    assert data.x.min() == 0 and data.x.max() == 1
    assert any("filled with silence" in note for note in data.notes)
    by_speaker = datasets.load("spoken_digits", root=root, group="speaker")
    assert set(by_speaker.groups) == {"ann", "bob"} and set(by_speaker.fold) == {""}
    late, again = (datasets.load("spoken_digits", root=root, utterance="1 s", onset="300 ms")
                   for _ in range(2))  # fmt: skip
    np.testing.assert_array_equal(late.x, again.x)
    silent = (late.x < 1e-6).all(axis=1)
    first = silent.argmin(axis=1)
    assert first.min() <= 4 and first.max() >= 12  # frames of 16 ms
    with pytest.raises(InputError, match="unknown group"):
        datasets.load("spoken_digits", root=root, group="digit")


def test_recordings_of_other_names_are_no_spoken_digits(tmp_path: Path) -> None:
    sound(tmp_path / "seven.wav", tone())
    with pytest.raises(StorageError, match="DIGIT_SPEAKER_NUMBER"):
        datasets.load("spoken_digits", root=tmp_path)


@pytest.mark.parametrize("banks", [1, 2, 4])
def test_all_have_as_many_candidates(banks: int) -> None:
    for name in MEMORIES:
        tried = candidates(get_model(name), banks, 48)
        assert len(tried) == NUMBER, name
        assert len({json.dumps(t, sort_keys=True) for t in tried}) == NUMBER, name
    for name in (*FIXED, "raw", "minirocket"):
        assert candidates(get_model(name), banks, 48) == []


def test_equal_reads_for_all(root: Path) -> None:
    task = few(get_task("digits-spoken"))
    for name in (*MEMORIES, *FIXED):
        result = run(task, name, 0, root=str(root))
        assert result.features == 2 * 4, name
        assert result.parameters <= (2 * 4 + 1) * 2 + 2 * 2, name
        assert ("start" in result.settings) == (name in MEMORIES or name == "principal"), name
        assert result.accuracy > 0.6, name
        assert result.texts()["read-out"].startswith("ridge")
    assert run(task, "raw-all", 0, root=str(root)).features == 4 * 11


def test_the_start_is_the_one_that_the_validation_part_likes(root: Path) -> None:
    """One series whose first sample tells the class: a fast memory has lost it."""
    rng = np.random.default_rng(0)
    x = rng.random((200, 1, 30)).astype(np.float32)
    y = (x[:, 0, 0] > 0.5).astype(np.int64)
    x[..., 1:] *= 0.05

    def part(at: slice) -> Part:
        return Part(x[at], y[at], np.arange(200)[at])

    fold = Fold(part(slice(100)), part(slice(100, 150)), part(slice(150, 200)), ("a", "b"), "x")
    task = get_task("digits-spoken").with_layer(banks=1)
    found = chosen(task, get_model("leaky"), fold, 0)
    assert isinstance(found.options["leak"], float)
    assert found.options["leak"] < 0.1
    # what was given stays, and what is not read once has nothing to choose
    told = dataclasses.replace(get_model("leaky"), options={"leak": 0.4})
    assert chosen(task, told, fold, 0) is told
    assert chosen(task.with_layer(readout="all"), get_model("leaky"), fold, 0).options == {}
    # the test part decides nothing
    swapped = dataclasses.replace(fold, test=fold.train)
    assert chosen(task, get_model("leaky"), swapped, 0) == found


def test_a_trained_network_starts_there_too(root: Path) -> None:
    task = few(get_task("digits-spoken"))
    trained = dataclasses.replace(
        task, hidden=(4,), training=dataclasses.replace(task.training, solver="adam", epochs=3)
    )
    result = run(trained, "ddk", 0, root=str(root))
    assert len(result.settings["start"]["alpha"]) == 2
    assert result.history is not None
    starts = result.history.dataset["alpha_start"].values
    np.testing.assert_allclose(starts, result.settings["start"]["alpha"], rtol=1e-5)


def test_one_solver_for_one_layer() -> None:
    with pytest.raises(InputError, match="one layer"):
        dataclasses.replace(get_task("digits-spoken"), hidden=(3,))
    # results of versions without other solvers stay valid
    assert "solver" not in get_task("digits").settings()["training"]
    told = get_task("digits-spoken").settings()
    assert Task.from_settings(told).training.solver == "ridge"


def test_what_is_disturbed_is_named_and_only_cells_scatter() -> None:
    names = [name for name, _, _ in cases()]
    assert len(set(names)) == len(names)
    assert {"ddk.exact", "ddk.train-0.03-bits-6", "leaky.bits-8-common"} <= set(names)
    assert not [n for n in names if "train" in n and not n.startswith("ddk")]


def test_disturbances_cost_what_they_should(root: Path) -> None:
    task = few(get_task("digits-spoken"))
    fold = next(iter(Material(task, str(root)).folds(0)))
    exact = accuracy_of(task, "leaky", fold, 0, Disturbance())
    assert exact == run(task, "leaky", 0, root=str(root)).accuracy
    assert accuracy_of(task, "leaky", fold, 0, Disturbance(bits=16)) == pytest.approx(
        exact, abs=0.1
    )
    # reads of nothing but noise leave a guess of two
    lost = accuracy_of(task, "leaky", fold, 0, Disturbance(read=1e6))
    assert 0.2 < lost < 0.8 < exact
    plain = accuracy_of(task, "ddk", fold, 0, Disturbance())
    scattered = accuracy_of(task, "ddk", fold, 0, Disturbance(train=2.0))
    assert scattered < plain
    # cells that differ are no loss for a read-out that is trained on them
    assert accuracy_of(task, "ddk", fold, 0, Disturbance(device=0.3)) > plain - 0.15


def test_the_ranges_of_converters_are_of_a_column_or_of_all() -> None:
    reads = np.random.default_rng(0).random((1000, 2)) * [1.0, 100.0]
    low, high = _range(reads, False)
    assert high[0] < 1.01 and 95 < high[1] < 101
    shared = _range(reads, True)
    assert (shared[1] == high[1]).all() and (shared[0] == low.min()).all()
    told = _read(reads, low, high, Disturbance(bits=3), np.random.default_rng(1))
    np.testing.assert_allclose(np.unique(told), np.arange(8) / 7)


def test_the_study_of_what_breaks_it(root: Path, tmp_path: Path) -> None:
    told = ["harden", "--task", "digits-spoken", "--root", str(root), "--kind", "few-reads"]
    told += ["--seeds", "2", "--out", str(tmp_path / "h"), "--banks", "1"]
    cut = ["--cases", "segments.exact,segments.bits,principal.exact,principal.bits"]
    done = CliRunner().invoke(app, [*told, *cut, "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["cases"]["segments.bits-6"]["count"] == 2
    assert (tmp_path / "h" / "few_reads.png").stat().st_size > 5000
    done = CliRunner().invoke(app, [*told[:-4], "--readout", "all", "--seeds", "1", "--out",
                                    str(tmp_path / "i")])  # fmt: skip
    assert done.exit_code == 2
    assert "read once" in done.output


def test_the_command(root: Path, tmp_path: Path) -> None:
    data = root / "spoken_digits"
    told = ["compare", "--task", "digits-spoken", "--root", str(data), "--readout", "last"]
    told += ["--banks", "3", "--models", "ddk,leaky,taps", "--seeds", "2", "--json"]
    done = CliRunner().invoke(app, [*told, "--out", str(tmp_path / "c")])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert [m["features"] for m in answer["models"]] == [3 * 32] * 3
    assert answer["models"][1]["over_test_samples"]["p"] <= 1
    done = CliRunner().invoke(app, [*told, "--readout", "first", "--out", str(tmp_path / "d")])
    assert done.exit_code == 2
    assert "is no readout" in done.output


def test_starts_are_settings_of_a_table_where_one_says_what_is_reached() -> None:
    rng = np.random.default_rng(5)
    corners = np.exp(rng.uniform(-6, 0, (12, 3, 2)))
    allowed = Reachable.from_triangles(corners)
    model = dataclasses.replace(get_model("ddk"), options={"constraint": allowed})
    settings = {tuple(pair) for pair in corners.reshape(-1, 2).tolist()}
    for banks in (1, 3):
        found = candidates(model, banks, 48)
        assert len(found) == NUMBER
        for start in found:
            pairs = zip(np.atleast_1d(start["alpha"]), np.atleast_1d(start["beta"]), strict=True)
            assert all((float(a), float(b)) in settings for a, b in pairs)
        assert len({str(start) for start in found}) > 8


def test_compare_keeps_pairs_where_a_table_reaches(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "reach"
    told = ["compare", "--task", "digits-spoken", "--root", str(root), "--seeds", "1"]
    told += ["--models", "ddk,leaky", "--table", "tin-taox-hfox-tin-fig2b", "--pictures", "none"]
    done = CliRunner().invoke(app, [*told, "--out", str(out)])
    assert done.exit_code == 0, done.output
    runs = [json.loads(path.read_text()) for path in (out / "runs").glob("ddk*.json")]
    assert runs and 1e-3 < min(runs[0]["alpha"]) <= max(runs[0]["alpha"]) < 2.2e-3
