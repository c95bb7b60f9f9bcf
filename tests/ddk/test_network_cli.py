"""The command line ``ddk-network``: results whole or not at all, one line for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from ddk.cli import options as cli_base
from ddk.cli.commands import app
from ddkbase.errors import InputError
from network.model.files import load_network
from network.model.history import read_history
from tests.network.data_files import mnist_like, speakers

QUICK = ("--quick", "--epochs", "1")
FILES = {"model.npz", "metrics.json", "history.nc", "report.html"}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_line(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run"
    result = call("train", "--data", "digits", *QUICK, "--out", path)
    assert result.exit_code == 0, result.output
    return path


def test_train_leaves_a_whole_folder(trained: Path) -> None:
    assert names(trained) == FILES
    assert names(trained.parent) == {"run"}
    found = json.loads((trained / "metrics.json").read_text())
    assert found["schema"] == "NetworkResult" and found["task"] == "digits"
    assert found["parameters"] == 2412
    assert "numpy" in found["versions"]
    assert load_network(trained / "model.npz").classes == 10
    assert read_history(trained / "history.nc").epochs == 1
    report = (trained / "report.html").read_text()
    for words in ("Confusion", "Feature maps", "Layers", "alpha/(beta x_max)^2", "2,412"):
        assert words in report
    assert report.count("data:image/png;base64,") == 4
    assert "://" not in report


def test_train_prints_r_and_what_it_means(tmp_path: Path) -> None:
    for integrator, words in (("implicit", "stays positive"), ("explicit", "state")):
        out = tmp_path / integrator
        result = call("train", "--data", "digits", *QUICK, "--integrator", integrator, "--out", out)
        assert result.exit_code == 0
        text = " ".join(result.output.split())
        assert "r = " in text and "alpha/(beta x_max)^2" in text and words in text


def test_evaluate_gives_the_same_again(trained: Path) -> None:
    result = call("evaluate", trained)
    assert result.exit_code == 0, result.output
    assert "the same" in result.output
    assert names(trained) == FILES


def test_a_control_has_no_ddk_options(tmp_path: Path) -> None:
    result = call("train", "--data", "digits", "--model", "raw", *QUICK, "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "r") == FILES
    options = ("train", "--data", "digits", "--out", tmp_path / "s", "--model")
    line = error_line(call(*options, "raw", "--integrator", "explicit"), 2)
    assert "has no DDK layer" in line and "--integrator" in line
    line = error_line(call(*options, "lenet5", "--readout", "last"), 2)
    assert "has a structure of its own" in line and "--readout" in line


def test_a_control_is_read_as_the_ddk_layer_is(tmp_path: Path) -> None:
    for model in ("leaky", "echo"):
        result = call("train", "--data", "digits", "--model", model, "--readout", "last",
                      "--banks", 2, *QUICK, "--out", tmp_path / model)  # fmt: skip
        assert result.exit_code == 0, result.output
        stored = json.loads((tmp_path / model / "metrics.json").read_text())
        assert stored["features"] == 2 * 8


def test_overwriting_is_asked_for(trained: Path, tmp_path: Path) -> None:
    before = (trained / "metrics.json").read_bytes()
    line = error_line(call("train", "--data", "digits", *QUICK, "--out", trained), 4)
    assert "holds a result already" in line and "--overwrite" in line
    assert (trained / "metrics.json").read_bytes() == before
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    line = error_line(call("train", "--data", "digits", "--out", mine, "--overwrite"), 4)
    assert "something else" in line
    assert names(mine) == {"thesis.txt"}
    out = tmp_path / "again"
    for seed in (0, 1):
        result = call("train", "--data", "digits", *QUICK, "--out", out, "--overwrite", "--seed",
                      seed)  # fmt: skip
        assert result.exit_code == 0, result.output
    assert json.loads((out / "metrics.json").read_text())["seed"] == 1
    assert names(tmp_path) == {"mine", "again"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("train", "--data", "digit", "--out", "o"), 2, "Did you mean 'digits'"),
        (("train", "--data", "", "--out", "o"), 2, "is empty"),
        (("train", "--data", "digits", "--out", ""), 2, "is empty"),
        (("train", "--data", "digits", "--out", "file/b"), 4, "cannot be made"),
        (("train", "--data", "digits", "--out", "file"), 4, "not a folder"),
        (("train", "--data", "digits", "--model", "rew", "--out", "o"), 2, "'raw'"),
        (("train", "--data", "digits", "--epochs", "0", "--out", "o"), 2, "0 epochs"),
        (("train", "--data", "digits", "--hidden", "4,x", "--out", "o"), 2, "'x' is no width"),
        (("train", "--data", "digits", "--readout", "0", "--out", "o"), 2, "no readout"),
        (("train", "--data", "digits", "--readout", "9", "--out", "o"), 2, "readout"),
        (("train", "--data", "digits", "--table", "no.nc", "--out", "o"), 4, "no such file"),
        (("train", "--data", "digits", "--table", "file", "--out", "o"), 4, "not a NetCDF-4"),
        (("train", "--data", "digits", "--device", "mine", "--out", "o"), 2, "'simulated'"),
        (
            ("train", "--data", "digits", "--device", "simulated", "--table", "t", "--out", "o"),
            2,
            "a table is given already",
        ),
        (("train", "--data", "mnist", "--root", "no", "--out", "o"), 4, "no such folder"),
        (("train", "--data", "./no/where", "--out", "o"), 4, "no such folder"),
        (("train", "--data", "sub", "--out", "o"), 4, "no data that is known"),
        (("evaluate", "nothing"), 4, "no such folder"),
        (("evaluate", "sub"), 4, "no such file"),
        (("evaluate", "broken"), 4, "damaged"),
        (("compare", "--task", "digits", "--seeds", "0", "--out", "o"), 2, "names no seeds"),
        (("compare", "--task", "digits", "--seeds", "a", "--out", "o"), 2, "names no seeds"),
        (("compare", "--task", "digits", "--seeds", "1,1", "--out", "o"), 2, "given twice"),
        (("compare", "--task", "digits", "--models", "ddk,,raw", "--out", "o"), 2, "empty name"),
        (("compare", "--task", "digits", "--models", "rew", "--out", "o"), 2, "no model"),
        (("compare", "--task", "digits", "--out", "file/a/b"), 4, "cannot be made"),
        (("compare", "--task", "digits", "--out", "broken"), 4, "something else"),
        (("search", "--task", "digits", "--seeds", "999-1000", "--out", "o"), 2, "0 to 999"),
        (("count", "--task", "nothing"), 2, "no task"),
        (("compare", "--data", "nothing", "--out", "x"), 2, "no task"),
        (("train", "--task", "nothing", "--out", "x"), 2, "no task"),
        (("features", "--data", "digits", "--out", "f.jpg"), 2, "'.jpg' is no format"),
        (("features", "--data", "digits", "--how", "table", "--out", "f.nc"), 2, "--table"),
        (("features", "--data", "digits", "--amplitude", "1 V,2 V", "--out", "f.nc"), 2, "pulses"),
        (("features", "--data", "digits", "--out", "no/f.nc"), 4, "no such folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DDK_DATA", raising=False)
    (tmp_path / "file").write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "metrics.json").write_text('{"schema": ')
    assert words in error_line(call(*arguments), code)
    assert names(tmp_path) == {"file", "sub", "broken"}
    assert names(tmp_path / "sub") == set()


def test_a_damaged_result_is_told(trained: Path, tmp_path: Path) -> None:
    for number, change in enumerate(
        (
            {"settings": {}},
            {"settings": {"task": {"name": "digits"}}},
            {"test": {}, "test_vote": {}},
            {"schema": "AlphaBetaTable"},
            {"schema_version": 2},
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model.npz").write_bytes((trained / "model.npz").read_bytes())
        told = json.loads((trained / "metrics.json").read_text()) | change
        (folder / "metrics.json").write_text(json.dumps(told))
        assert "metrics.json" in error_line(call("evaluate", folder), 4)
    (folder / "metrics.json").write_bytes((trained / "metrics.json").read_bytes())
    (folder / "model.npz").write_bytes((trained / "model.npz").read_bytes()[:900])
    assert "model.npz" in error_line(call("evaluate", folder), 4)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("network.model.saving.np.savez_compressed", full)
    line = error_line(call("train", "--data", "digits", *QUICK, "--out", tmp_path / "o"), 4)
    assert "No space left on device" in line
    assert names(tmp_path) == set()


def test_own_folders(tmp_path: Path) -> None:
    speakers(tmp_path / "sounds", count=2, each=5)
    result = call("train", "--data", tmp_path / "sounds", *QUICK, "--out", tmp_path / "a")
    assert result.exit_code == 0, result.output
    assert "recordings" in result.output
    assert call("evaluate", tmp_path / "a").exit_code == 0
    mnist_like(tmp_path / "pictures", train=40, test=8)
    result = call("train", "--data", tmp_path / "pictures", "--epochs", 1, "--out", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert load_network(tmp_path / "b" / "model.npz").input_shape == (3, 3)


def test_counts_are_printed() -> None:
    result = call("count", "--markdown")
    assert result.exit_code == 0
    assert "| 2,236 | 2,236 |" in result.output and "not reproduced" in result.output
    result = call("count", "--task", "mnist", "--markdown")
    assert "| ddk | DDK layer, implicit step | 38,172 | 39,680 |" in result.output


def test_features_are_written(tmp_path: Path) -> None:
    import xarray as xr

    assert call("features", "--data", "digits", "--out", tmp_path / "f.nc").exit_code == 0
    with xr.open_dataset(tmp_path / "f.nc", engine="h5netcdf") as ds:
        assert ds["feature"].dims == ("sample", "row", "step")
        assert ds.sizes == {"sample": 10, "row": 8, "step": 8}
        assert all(v.attrs["units"] and v.attrs["long_name"] for v in ds.data_vars.values())
    assert call("features", "--data", "digits", "--out", tmp_path / "f.png").exit_code == 0
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"
    line = error_line(call("features", "--data", "digits", "--out", tmp_path / "f.png"), 4)
    assert "exists already" in line


@pytest.mark.parametrize(
    ("given", "expected"),
    [((), ("-2 V", "-3 V")), (("--amplitude", "-2 V,-3 V"), ("-2 V", "-3 V"))],
)
def test_pulses_of_the_simulated_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple, expected: tuple
) -> None:

    class Asked(InputError):
        pass

    def by_device(rows: np.ndarray, *, amplitude: tuple[str, str], **more: object) -> None:
        assert rows.shape == (80, 8) and more["fit"] is False
        raise Asked(f"pulses {amplitude}")

    monkeypatch.setattr("ddk.studies.feature_maps.by_device", by_device)
    out = tmp_path / "f.nc"
    line = error_line(
        call("features", "--data", "digits", "--how", "device", *given, "--out", out), 2
    )
    assert f"pulses {expected}" in line
    monkeypatch.setattr("ddk.studies.feature_maps._PULSES", 639)
    line = error_line(call("features", "--data", "digits", "--how", "device", "--out", out), 2)
    assert "80 trains of 8 pulses" in line


def test_maps_side_by_side_with_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xarray as xr

    def by_device(rows: np.ndarray, *, fit: bool, **_: object) -> xr.Dataset:
        assert fit
        curve = 1e-4 * np.exp(-np.cumsum(rows, axis=1))
        told = {"units": "S", "long_name": "conductance"}
        one = {"units": "1", "long_name": "fitted"}
        found = dict.fromkeys(("conductance", "fitted"), (("utterance", "pulse"), curve, told))
        by_row = dict.fromkeys(("alpha", "beta", "residual"), ("utterance", rows[:, 0] + 1, one))
        return xr.Dataset({**found, **by_row}, attrs={"method": "finite elements"})

    monkeypatch.setattr("ddk.studies.feature_maps.by_device", by_device)
    pictures = tmp_path / "all.png", tmp_path / "fits.png"
    how = ("features", "--data", "digits", "--how", "all")
    result = call(*how, "--out", pictures[0], "--fits", pictures[1])
    assert result.exit_code == 0, result.output
    assert all(p.read_bytes()[:4] == b"\x89PNG" for p in pictures)
    result = call(*how, "--out", tmp_path / "all.nc", "--fits", tmp_path / "again.png")
    assert result.exit_code == 0, result.output
    with xr.open_dataset(tmp_path / "all.nc", engine="h5netcdf") as ds:
        assert ds["device"].dims == ds["algorithm"].dims == ("sample", "row", "step")
        assert "table" not in ds and ds["alpha"].dims == ("sample", "row")
        assert np.array_equal(ds["alpha"], ds["input"][..., 0] + 1)
    line = error_line(
        call("features", "--data", "digits", "--out", tmp_path / "a.png", "--fits", "f.png"), 2
    )
    assert "--how device or all" in line


@pytest.mark.slow
def test_a_table_shapes_the_layer(tmp_path: Path) -> None:
    from compact.table.table import AlphaBetaTable
    from tests.compact.table_data import campaign

    table = AlphaBetaTable.fit(campaign(cycles=3), integrator="implicit")
    table.write(tmp_path / "t.nc")
    out = tmp_path / "run"
    result = call("train", "--data", "digits", *QUICK, "--table", tmp_path / "t.nc", "--out", out)
    assert result.exit_code == 0, result.output
    assert "reached" in result.output
    ((alpha, beta),) = load_network(out / "model.npz").kinetics().values()
    assert table.invert(alpha=float(alpha.item()), beta=float(beta.item())).distance < 1e-6
    result = call("evaluate", out, "--table", tmp_path / "t.nc", "--draws", 2)
    assert result.exit_code == 0, result.output
    assert "with statistics taken anew" in result.output
    features = tmp_path / "f.nc"
    result = call(
        "features", "--data", "digits", "--how", "table", "--table", tmp_path / "t.nc",
        "--out", features,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    control = tmp_path / "raw"
    call("train", "--data", "digits", "--model", "raw", *QUICK, "--out", control)
    line = error_line(call("evaluate", control, "--table", tmp_path / "t.nc"), 2)
    assert "no DDK layer" in line


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [0, 1, 2]), ("7,", [7]), ("3,5,8", [3, 5, 8]), ("0-2", [0, 1, 2]), ("1-2,9", [1, 2, 9])],
)
def test_seeds_of_a_text(text: str, seeds: list[int]) -> None:
    assert cli_base.seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "-1", "1-", "2-1-0", "1e3", "0-99999", "9" * 40, "²", ",1"])
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="seeds"):
        cli_base.seeds_of(text)


@pytest.mark.parametrize(
    "arguments",
    [(), ("nonsense",), ("train",), ("compare", "--seeds"), ("search", "--task", "digits",
     "--confirm", "1", "--out", "o")],
)  # fmt: skip
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2


def test_a_path_that_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    line = error_line(call("train", "--data", "digits", "--out", tmp_path / ("a" * 300)), 4)
    assert "File name too long" in line
