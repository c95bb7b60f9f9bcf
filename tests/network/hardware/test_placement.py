"""A placement file alone gives the predictions of the model it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddkbase.errors import InputError, StorageError
from network.hardware.chip.chip import Chip, load_chip
from network.hardware.chip.compiler import compile_network, placement_cost
from network.hardware.chip.folder import HEADS, pulses, write_pulses
from network.hardware.chip.layouts import LAYOUTS, Block, arrange
from network.hardware.chip.placement import read_placement
from network.layers.plain import Dense, Dropout, Flatten
from network.model.network import Network, ddk_network
from tests.network.hardware.cell_data import table

RNG = np.random.default_rng(3)
X = RNG.random((40, 5, 12)).astype(np.float32)


def net(**options: Any) -> Network:
    made = ddk_network((5, 12), [9], 4, seed=2, **options)
    made.reestimate(X)
    for layer in made.layers:
        if isinstance(layer, Dense):
            layer.parameters["bias"][...] = np.linspace(-1, 1, layer.outputs)
    made.notes = {"task": "nothing", "seed": 3}
    return made


def chip(**changes: Any) -> Chip:
    told = load_chip("180nm").to_mapping()
    for key, value in changes.items():
        told["values"][key]["value"] = value
    return Chip.from_mapping(told)


SMALL = {"rows": 16, "columns": 12}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ddk": {"per": "channel"}},
        {"ddk": {"per": "step", "integrator": "explicit"}},
        {"ddk": {"banks": 2, "readout": 5}},
        {"standardise": {"affine": True}},
        {"standardise": False, "activation": "relu"},
    ],
)
def test_the_file_alone_gives_the_same_answers(
    layout: str, options: dict[str, Any], tmp_path: Path
) -> None:
    network = net(**options)
    path = compile_network(network, chip(**SMALL), layout=layout).write(tmp_path / "p.json")
    found = read_placement(path)
    again = found.network()
    assert np.allclose(again.logits(X), network.logits(X), rtol=2e-5, atol=2e-5)
    assert np.array_equal(again.predict(X), network.predict(X))
    assert again.notes == network.notes


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scheme", ["differential", "reference"])
def test_every_cell_has_a_place_of_its_own(layout: str, scheme: str) -> None:
    described = Chip.from_mapping(chip(**SMALL).to_mapping() | {"scheme": scheme})
    found = compile_network(net(), described, layout=layout)
    blocks = found.blocks
    assert not any(a.overlaps(b) for k, a in enumerate(blocks) for b in blocks[:k])
    for block in blocks:
        assert block.row + block.height <= 16 and block.column + block.width <= 12
    window = described.mapping.window
    for cells in found.cells:
        if cells is not None:
            assert window.holds(np.round(cells, 12)).all()


def test_layouts_differ_in_what_shares_a_tile() -> None:
    number = {x: compile_network(net(), chip(), layout=x).tiles for x in LAYOUTS}
    assert number == {"separate": 3, "packed": 2, "joined": 2, "compact": 1}
    joined = compile_network(net(), chip(), layout="joined")
    tile = {b.layer: b.tile for b in joined.blocks}
    assert tile["ddk"] == tile["dense1"] != tile["dense2"]


def test_one_changed_conductance_changes_the_network(tmp_path: Path) -> None:
    path = compile_network(net(), chip()).write(tmp_path / "p.json")
    told = json.loads(path.read_text())
    block = next(b for b in told["blocks"] if b["layer"] == "dense2")
    block["conductance_uS"][0][0] += 50
    path.write_text(json.dumps(told))
    assert not np.allclose(read_placement(path).network().logits(X), net().logits(X), atol=1e-3)


def test_its_chip_can_be_simulated_from_the_file(tmp_path: Path) -> None:
    path = compile_network(net(), chip()).write(tmp_path / "p.json")
    found = read_placement(path)
    exact = found.network().logits(X)
    noisy = found.network().logits(X, realise=found.realise(1), rng=np.random.default_rng(0))
    assert not np.allclose(noisy, exact, atol=1e-3)
    ideal = found.realise(1, write=None, kinetics=None)
    assert np.allclose(found.network().logits(X, realise=ideal), exact, atol=1e-4)


def test_pulses_are_one_line_for_each_thing_done(tmp_path: Path) -> None:
    found = compile_network(net(), chip())
    lines = list(pulses(found))
    assert {len(line) for line in lines} == {len(HEADS)}
    by_phase = {
        p: [x for x in lines if x[0] == p] for p in ("write", "prepare", "feature", "product")
    }
    assert len(by_phase["write"]) == 61 * 18 + 10 * 8
    assert len(by_phase["prepare"]) == 5
    assert len(by_phase["feature"]) == 2 * 5 * 12  # a pulse and a read
    assert len(by_phase["product"]) == 2
    places = {x[2:5] for x in by_phase["write"]}
    assert len(places) == len(by_phase["write"])
    path = write_pulses(found, tmp_path / "pulses.csv")
    assert path.read_text().splitlines()[0] == ",".join(HEADS)


def test_a_table_says_which_pulses_give_alpha_and_beta() -> None:
    from network.hardware.training import confine

    network = net()
    confine(network, table())
    found = compile_network(network, chip(), table=table())
    settings = found.pulses["ddk"]["settings"]
    assert len(settings) == 1 and settings[0]["miss"] < 0.05
    volts = next(x[7] for x in pulses(found) if x[0] == "feature")
    assert volts.startswith("-(0+") and f"{abs(settings[0]['amplitude_at_1_V']):g}" in volts
    far = net(ddk={"alpha": 50.0, "beta": 40.0})
    with pytest.raises(InputError, match="outside of the table"):
        compile_network(far, chip(), table=table())


def test_pulses_of_a_pair_for_each_step_follow_the_steps() -> None:
    from network.hardware.training import confine

    network = net(ddk={"per": "step", "spread": 0.3})
    confine(network, table())
    found = compile_network(network, chip(), table=table())
    settings = found.pulses["ddk"]["settings"]
    assert len(settings) == 12
    shown = [x[7] for x in pulses(found) if x[0] == "feature" and x[6] == "RESET"][::5]
    for one, text in zip(settings, shown, strict=True):
        assert f"{abs(one['amplitude_at_1_V']):g}" in text


def test_the_schedule_and_the_cost_agree() -> None:
    found = compile_network(net(), chip(), layout="compact")
    whole = placement_cost(found)
    assert found.schedule[-1]["end_s"] == pytest.approx(whole.latency)
    assert whole.tiles == found.tiles == 1
    starts = [s["start_s"] for s in found.schedule]
    assert starts == sorted(starts)


def test_what_does_not_fit_is_one_line() -> None:
    with pytest.raises(InputError, match=r"needs \d+ tiles"):
        compile_network(net(), chip(**SMALL, tiles=2))
    with pytest.raises(InputError, match="beyond") as caught:
        compile_network(net(), chip(), largest_weight=0.01)
    assert "dense1" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no layout"):
        compile_network(net(), chip(), layout="close")
    control = ddk_network((5, 12), [9], 4, front=None, seed=0)
    assert compile_network(control, chip()).tiles == 2  # raw samples need no DDK cells


def test_dropout_is_left_out_of_a_chip() -> None:
    made = Network([Flatten(), Dropout(0.5), Dense(3)], (5, 12), 3, 0)
    found = compile_network(made, chip())
    assert np.array_equal(found.network().predict(X), made.predict(X))


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    path = compile_network(net(), chip()).write(tmp_path / "p.json")
    with pytest.raises(StorageError, match="exists"):
        compile_network(net(), chip()).write(path)
    text = path.read_text()
    told = json.loads(text)
    for change in (
        {"format": "x"},
        {"version": 2},
        {"blocks": None},
        {"layout": "odd"},
        {"network": {}},
    ):
        path.write_text(json.dumps(told | change))
        with pytest.raises(StorageError) as caught:
            read_placement(path)
        assert "\n" not in str(caught.value)
    path.write_text(text[:100])
    with pytest.raises(StorageError, match="damaged"):
        read_placement(path)
    with pytest.raises(StorageError, match="no such file"):
        read_placement(tmp_path / "none.json")
    told["blocks"] = [b for b in told["blocks"] if b["layer"] != "dense2"]
    path.write_text(json.dumps(told))
    with pytest.raises(StorageError, match="cells are missing"):
        read_placement(path)
    told["layers"][0]["class"] = "os"
    path.write_text(json.dumps(told))
    with pytest.raises(StorageError, match="no layer 'os'"):
        read_placement(path)


def _block(number: int, **change: Any) -> Any:
    return lambda told: told["blocks"][number].update(change)


def _layer(name: str, **change: Any) -> Any:
    def edit(told: dict[str, Any]) -> None:
        next(layer for layer in told["layers"] if layer["name"] == name).update(change)

    return edit


def _cell(value: float) -> Any:
    def edit(told: dict[str, Any]) -> None:
        told["blocks"][1]["conductance_uS"][0][0] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_block(1, tile=-1), "is on tile -1 of 128"),
        (_block(1, tile=10**6), "is on tile 1000000 of 128"),
        (_block(1, tile=1.5), "tile of a block of dense1 is 1.5"),
        (_block(1, row=120), "lies beyond its tile of 128 x 128"),
        (_block(2, tile=0, row=0, column=0), "share cells of tile 0"),
        (_block(1, inputs=[5, 1]), "another size"),
        (_block(1, layer="dense9"), "a block of dense9"),
        (_block(1, kind="odd"), "of kind 'odd'"),
        (lambda told: told["blocks"].pop(1), "cells are missing"),
        (_cell(float("nan")), "not finite"),
        (_block(1, inputs=[float("inf"), 1]), "Infinity is not finite"),
        (_cell(-5.0), "a conductance of -5 uS, the window is 6.1 to 202.1 uS"),
        (_cell(5000.0), "a conductance of 5000 uS"),
        (_layer("dense1", scale=0), "the scale of dense1 is 0"),
        (_layer("dense1", inputs=10**9), "cells are missing"),
        (_layer("dense1", positive=[999] * 9), "not the columns of its outputs"),
        (_layer("dense1", positive=[0]), "not the columns of its outputs"),
        (_layer("ddk", alpha=[-1]), "alpha of ddk is not a number from 0"),
        (_layer("ddk", alpha=[1, 2, 3]), "cannot reshape"),
        (_layer("ddk", config={"steps": 10**9}), "steps is 1000000000"),
        (_layer("standardise", arrays={"mean": [0]}), "its arrays are not those"),
        (lambda told: told.update(pulses={}), "no pulses for ddk"),
        (lambda told: told["network"]["notes"].update(seed="x"), "a seed of 'x'"),
        (lambda told: told["chip"]["values"]["rows"].update(value=4), "beyond its tile of 4 x"),
    ],
)
def test_edited_placements_are_refused(edit: Any, words: str, tmp_path: Path) -> None:
    path = compile_network(net(), chip()).write(tmp_path / "p.json")
    told = json.loads(path.read_text())
    edit(told)
    path.write_text(json.dumps(told))
    with pytest.raises(StorageError) as caught:
        read_placement(path)
    line = str(caught.value)
    assert words in line and str(path) in line and "\n" not in line


def test_a_table_that_does_not_know_its_pulses() -> None:
    found = table()
    ds = found.dataset.isel(amplitude=[0], width=[0], initial_resistance=[0])
    nan = ds["amplitude"].copy(data=[np.nan])
    blind = type(found)(ds.assign_coords(amplitude=nan))
    made = net(ddk={"alpha": float(ds["alpha"].mean()), "beta": float(ds["beta"].mean())})
    with pytest.raises(InputError, match="does not say with which amplitude and width"):
        compile_network(made, chip(), table=blind, miss=np.inf)


def test_blocks_fill_free_rectangles_before_a_new_tile() -> None:
    blocks = [Block(f"m{k}", "matrix", 8, 6, (0, 8), (0, 6)) for k in range(4)]
    placed = arrange(blocks, "packed", 16, 12, 9)
    assert {b.tile for b in placed} == {0}
    assert [b.layer for b in placed] == ["m0", "m1", "m2", "m3"]
