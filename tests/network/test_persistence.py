"""Networks in files: they come back as they were, and nothing else is taken for one."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from ddkbase.errors import InputError, StorageError
from network.layers import baselines as controls
from network.layers.plain import Activation, BaseLayer, Dense, Dropout, Flatten, Mean
from network.layers.standardise import Standardise
from network.model.files import LAYER_MODULES, load_network, save_network
from network.model.network import Network, ddk_network
from network.model.trainer import train


def trained() -> tuple[Network, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.random((40, 2, 6), dtype=np.float32)
    network = ddk_network((2, 6), [4], 3, seed=1, ddk={"per": "channel"})
    train(network, x, np.arange(40) % 3, epochs=3, batch_size=10)
    return network, x


@pytest.fixture
def saved(tmp_path):  # type: ignore[no-untyped-def]
    network, x = trained()
    network.notes["classes"] = ["a", "b", "c"]
    return network, x, network.save(tmp_path / "model.npz")


def test_a_network_comes_back_as_it_was(saved) -> None:  # type: ignore[no-untyped-def]
    network, x, path = saved
    again = load_network(path)
    np.testing.assert_array_equal(again.logits(x), network.logits(x))
    assert again.notes == {"classes": ["a", "b", "c"]}
    assert again.count() == network.count()
    assert [m.config() for m in again.layers] == [m.config() for m in network.layers]
    train(again, x, np.arange(40) % 3, epochs=1)  # and learns on


def test_every_plain_layer_comes_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    layers = [
        Flatten(2), Standardise(affine=True), Dense(5, bias=False), Activation("relu"),
        Dropout(0.5), Dense(2), Mean(1),
    ]  # fmt: skip
    network = Network(layers, (3, 4, 5), 2, dtype="float64")
    network.save(tmp_path / "m.npz")
    x = np.random.default_rng(0).random((4, 3, 4, 5))
    np.testing.assert_array_equal(load_network(tmp_path / "m.npz").logits(x), network.logits(x))


@pytest.mark.parametrize(
    "ddk",
    [
        {"per": "channel-step", "banks": 3, "spread": 0.3, "readout": 2},
        {"constraint": "clamp", "integrator": "explicit", "start": "authors"},
        {"constraint": "stable", "form": "set", "states": "after"},
        {"integrator": "exact", "readout": "last"},
    ],
)
def test_every_ddk_layer_comes_back(tmp_path, ddk) -> None:  # type: ignore[no-untyped-def]
    network = ddk_network((2, 6), [4], 3, seed=1, ddk=ddk)
    network.save(tmp_path / "m.npz")
    x = np.random.default_rng(0).random((9, 2, 6), dtype=np.float32)
    np.testing.assert_array_equal(load_network(tmp_path / "m.npz").logits(x), network.logits(x))


@pytest.mark.parametrize(
    "control",
    [
        controls.Raw, controls.LeakyIntegrator, controls.RunningSum, controls.AveragePooling,
        controls.RandomDDK, controls.EchoState,
    ],
)  # fmt: skip
def test_every_control_comes_back(tmp_path, control) -> None:  # type: ignore[no-untyped-def]
    network = ddk_network((2, 6), [4], 3, seed=1, front=[control(6, 2)])
    network.save(tmp_path / "m.npz")
    x = np.random.default_rng(0).random((9, 2, 6), dtype=np.float32)
    np.testing.assert_array_equal(load_network(tmp_path / "m.npz").logits(x), network.logits(x))


def test_the_layers_of_the_list_exist() -> None:
    import importlib

    for name, module in LAYER_MODULES.items():
        assert hasattr(importlib.import_module(module), name), name


def test_an_existing_file_is_kept_unless_asked(saved) -> None:  # type: ignore[no-untyped-def]
    network, _, path = saved
    with pytest.raises(StorageError, match="exists already"):
        network.save(path)
    network.save(path, overwrite=True)
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def rewrite(path, change) -> None:  # type: ignore[no-untyped-def]
    """Change the description inside a file."""
    with np.load(path) as archive:
        arrays = dict(archive)
    described = json.loads(bytes(arrays["network.json"]))
    change(described, arrays)
    arrays["network.json"] = np.frombuffer(json.dumps(described).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    path.write_bytes(stream.getvalue())


CHANGES = {
    "another format": (lambda d, a: d.update(format="x"), "no network"),
    "a newer version": (lambda d, a: d.update(version=2), "of version 2"),
    "an unknown layer": (lambda d, a: d["layers"][0].update({"class": "os"}), "cannot be built"),
    "a wrong argument": (lambda d, a: d["layers"][3]["config"].update(x=1), "cannot be built"),
    "another width": (lambda d, a: d["layers"][3]["config"].update(outputs=9), "cannot be built"),
    "no layers": (lambda d, a: d.pop("layers"), "cannot be built"),
    "a missing array": (lambda d, a: a.pop("parameter/dense1/bias"), "cannot be built"),
    "an array too many": (lambda d, a: a.update(x=np.zeros(3)), "belongs to no layer"),
    "NaN": (lambda d, a: a["parameter/dense1/bias"].fill(np.nan), "not finite"),
    "objects": (lambda d, a: a.update(x=np.array([{}], dtype=object)), "no network"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_foreign_file_is_refused_in_one_line(saved, name: str) -> None:  # type: ignore[no-untyped-def]
    *_, path = saved
    change, said = CHANGES[name]
    rewrite(path, change)
    with pytest.raises(StorageError, match=said) as caught:
        load_network(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_damaged_file_is_refused_in_one_line(saved) -> None:  # type: ignore[no-untyped-def]
    *_, path = saved
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for content in (b"", b"PK", whole[:-40], whole[: len(whole) // 2], bytes(damaged), b"x" * 99):
        path.write_bytes(content)
        with pytest.raises(StorageError):
            load_network(path)
    with pytest.raises(StorageError, match="no such file"):
        load_network(path.parent / "none.npz")


def test_what_files_cannot_hold_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    class Own(BaseLayer):
        pass

    network = Network([Own("own"), Dense(2)], (3,), 2)
    with pytest.raises(InputError, match="files know no layer Own"):
        network.save(tmp_path / "m.npz")
    network = Network([Dense(2)], (3,), 2)
    with pytest.raises(InputError, match="JSON cannot hold it"):
        save_network(network, tmp_path / "m.npz", notes={"x": {1, 2}})
    assert list(tmp_path.iterdir()) == []


def test_a_saved_network_answers_without_torch_and_finite_elements(saved) -> None:  # type: ignore[no-untyped-def]
    *_, path = saved
    code = (
        "import sys, numpy, network\n"
        f"net = network.load_network({str(path)!r})\n"
        "net.predict(numpy.zeros((2, 2, 6)))\n"
        "heavy = {'torch', 'dolfinx', 'sklearn', 'matplotlib', 'pandas', 'librosa'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_imports_nothing_until_it_is_used() -> None:
    code = (
        "import sys, network\n"
        "assert set(network.__all__) == set(dir(network))\n"
        "print(sorted({'numpy', 'xarray', 'torch', 'dolfinx'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
