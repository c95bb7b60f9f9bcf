"""Change records of every kind at random and read them: what comes is a read, or one line.

Of HDF5 records attributes, shapes, types and names are changed, of JSON and of the descriptions in
models any value, key or type, of arrays in models shapes, types and names, of stores bytes as well.
Prints how many were read and refused of each kind; exit code 1 where something else came, with the
seed that brings it again.

    python tests/benchmarks/fuzz_records.py [--changes 5000] [--kind iv --kind table ...] [--seed 0]
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from compact import AlphaBetaTable
from compact.table.source import gather
from ddk.pipeline.folder import PipelineFolder
from ddk.studies import read_comparison, read_run
from ddk.studies.comparison import comparison_rows
from ddkbase import records
from ddkbase.errors import DDKError, InputError, StorageError
from devicephys import run
from devicephys.run.request import Request
from network import load_network, read_history
from network.hardware import read_placement
from tests.ddkbase.test_foreign_files import ODD, spoiled
from tests.records import summary

RECORDS = Path(__file__).resolve().parents[1] / "records"
_MEMORY = 6 << 30  # bytes; a file that asks for more ends in an error, not in the machine
_PLAIN = [value for value in ODD if isinstance(value, str | int | float)]


class Kind(NamedTuple):
    """A record, the file of it that is changed (a pattern in a folder), and who reads it."""

    source: str
    files: str
    read: Callable[[Path], object]


def loop(path: Path) -> None:
    ds = records.read(path)
    run.table(ds)
    run.entries(ds)


def comparison(path: Path) -> None:
    comparison_rows(read_comparison(path))


def table(path: Path) -> None:
    str(AlphaBetaTable.read(path))


def placement(path: Path) -> None:
    read_placement(path).network()


def model(path: Path) -> None:
    summary.network(load_network(path))


def pipeline(path: Path) -> None:
    folder = PipelineFolder(path)
    for name in ("network", "controls", "hardware", "compile"):
        noted = folder.state(name)
        if noted is not None:
            folder.result(name, noted.get("fingerprint"))


KINDS = {
    "iv": Kind("iv/iv.nc", "", loop),
    "pulses": Kind("pulses/pulses.nc", "", loop),
    "kinetics": Kind("kinetics/kinetics.nc", "", records.read),
    "request": Kind("pulses/request.json", "", Request.read),
    "campaign": Kind("campaign.zarr", "**/*", gather),
    "table": Kind("table.nc", "", table),
    "model": Kind("net/model.npz", "", model),
    "model of a table": Kind("net-table/model.npz", "", model),
    "history": Kind("net/history.nc", "", lambda path: read_history(path).dataset),
    "run": Kind("net", "metrics.json", read_run),
    "placement": Kind("chip/placement.json", "", placement),
    "comparison": Kind("compare/comparison.nc", "", comparison),
    "pipeline": Kind("pipeline", ".pipeline/*.json", pipeline),
}


def change(path: Path, rng: np.random.Generator) -> str:
    """Change one thing of a file; says what."""
    if path.suffix == ".nc":
        if rng.random() < 0.1:
            with h5py.File(path, "r+") as file:
                names = list(file)
                old = names[int(rng.integers(len(names)))]
                file.move(old, f"{old}_")
            return f"{old} renamed"
        return spoiled(path, rng)
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        content, what = changed_value(content, rng)
        path.write_text(json.dumps(content), encoding="utf-8")
        return what
    if path.suffix == ".npz":
        return _arrays(path, rng)
    content = path.read_bytes()
    at = int(rng.integers(len(content) + 1))
    cut = rng.random() < 0.5
    path.write_bytes(content[:at] if cut else content[:at] + b"\xff" + content[at + 1 :])
    return f"{path.name} {'cut at' if cut else 'another byte at'} {at}"


def changed_value(content: Any, rng: np.random.Generator) -> tuple[Any, str]:
    """JSON with one value, key or type changed, anywhere in it."""
    places: list[tuple[Any, Any]] = []
    open_ = [content]
    while open_:
        inside = open_.pop()
        items = inside.items() if isinstance(inside, dict) else enumerate(inside)
        for key, value in items:
            places.append((inside, key))
            if isinstance(value, dict | list):
                open_.append(value)
    if not places or rng.random() < 0.02:
        return _PLAIN[int(rng.integers(len(_PLAIN)))], "the whole"
    inside, key = places[int(rng.integers(len(places)))]
    way = int(rng.integers(6))
    if way == 0:
        del inside[key]
    elif way == 1 and isinstance(inside, dict):
        inside[f"{key}_"] = inside.pop(key)
    elif way == 2:
        inside[key] = [inside[key]]
    elif way == 3:
        inside[key] = {"a": inside[key]}
    else:
        inside[key] = _PLAIN[int(rng.integers(len(_PLAIN)))]
    return content, f"{key}: way {way}"


def _arrays(path: Path, rng: np.random.Generator) -> str:
    with np.load(path) as archive:
        arrays = dict(archive)
    name = list(arrays)[int(rng.integers(len(arrays)))]
    name = "network.json" if rng.random() < 0.5 else name
    array, way = arrays[name], int(rng.integers(5))
    if name.endswith(".json") and way:
        content, what = changed_value(json.loads(array.tobytes()), rng)
        arrays[name] = np.frombuffer(json.dumps(content).encode(), np.uint8)
    elif way == 0:
        what = f"{name} renamed"
        arrays[f"{name}_"] = arrays.pop(name)
    elif way == 1:
        what = f"{name} has an axis more"
        arrays[name] = array[..., None]
    elif way == 2:
        what = f"{name} is cut"
        arrays[name] = array.ravel()[: int(rng.integers(array.size + 1))]
    elif way == 3:
        what = f"{name} of another type"
        dtype = ("c16", "S3", "?", "i1", "f2", "U2")[int(rng.integers(6))]
        arrays[name] = array.astype(dtype)
    else:
        what = f"{name} holds NaN"
        arrays[name] = np.full(array.shape, np.nan)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    path.write_bytes(stream.getvalue())
    return what


def trial(kind: Kind, folder: Path, seed: list[int]) -> tuple[str, str]:
    """Outcome of one change ("read", "refused", else what went wrong), and the change."""
    rng = np.random.default_rng(seed)
    whole, work = RECORDS / kind.source, folder / Path(kind.source).name
    if whole.is_dir():
        files = sorted(f for f in whole.glob(kind.files) if f.is_file())
        file = work / files[int(rng.integers(len(files)))].relative_to(whole)
    else:
        shutil.copyfile(whole, work)
        file = work
    before = file.read_bytes()
    what = change(file, rng)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            kind.read(work)
    except (StorageError, InputError) as error:
        return ("refused" if "\n" not in str(error) else f"several lines: {error}"), what
    except DDKError as error:
        return f"exit code {error.exit_code}: {error}", what
    except Exception as error:
        return f"{type(error).__name__}: {error}", what
    finally:
        file.write_bytes(before)
    return (f"a warning: {said[0].message}" if said else "read"), what


def main() -> int:
    parser = argparse.ArgumentParser(description="Change records at random and read them.")
    parser.add_argument("--changes", type=int, default=5000)
    parser.add_argument("--kind", action="append", choices=[*KINDS])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    worst = 0
    for number, (name, kind) in enumerate(KINDS.items()):
        if asked.kind and name not in asked.kind:
            continue
        counts = {"read": 0, "refused": 0}
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if (RECORDS / kind.source).is_dir():
                shutil.copytree(RECORDS / kind.source, folder / Path(kind.source).name)
            for k in range(asked.changes):
                outcome, what = trial(kind, folder, [asked.seed, number, k])
                if outcome in counts:
                    counts[outcome] += 1
                else:
                    worst = 1
                    print(f"{name}, change {k} ({what}): {outcome[:300]}", flush=True)
        other = asked.changes - sum(counts.values())
        print(
            f"{name}: {counts['read']} read, {counts['refused']} refused, {other} other", flush=True
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
