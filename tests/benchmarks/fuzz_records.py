"""Change records of every kind at random and read them: what comes is a read, or one line.

Of HDF5 records attributes, shapes, types, chunks and names are changed, of JSON and of the
descriptions in models any value, key or type, of arrays in models shapes, types and names, of
stores bytes as well, of YAML values, keys, types, lines and signs. Prints how many were read and
refused of each kind; exit code 1 where something else came: another error, several lines, one of
more than 2,000 characters, a warning, more than ten seconds or 1 GB of memory (Linux), with the
seed that brings it again.

    python tests/benchmarks/fuzz_records.py [--changes 300] [--kind iv --kind table ...] [--seed 0]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import yaml

from compact import AlphaBetaTable
from compact.table.source import gather
from ddk.pipeline.file import read_chain
from ddk.pipeline.folder import PipelineFolder
from ddk.studies import read_comparison, read_run
from ddk.studies.comparison import comparison_rows
from ddkbase import records
from ddkbase.documents import parse_yaml, read_text
from ddkbase.errors import DDKError, InputError, StorageError
from devicephys import Variability, draw_cell, load_device, run
from devicephys.campaign import Campaign
from devicephys.fitting.description import read_description
from devicephys.run.request import Request
from devicephys.sequence.description import read_sequence
from network import load_network, read_history
from network.hardware import load_chip, read_placement
from tests.ddkbase.test_foreign_files import ODD, spoiled
from tests.records import summary

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "tests" / "records"
_MEMORY = 6 << 30  # bytes; a file that asks for more ends in an error, not in the machine
_MOST, _SECONDS = 1_000_000_000, 10  # bytes and processor time of one read
_LONGEST = 2_000  # characters of a message
_WAITED = 120  # s by the clock, for what waits without end
_FILL = (0, 1, -1, 10**6)
_SIGNS = (*":-[]{}&*!|>'\"%@`#,?=~\0\ufeff\u2212²µ", "1e999", "<<: ", "!!python/name:os.system ")
_KEYS = ("k" * 5000, "\x1b[2J", "a\u202eb", "\u200b", "a\nb", "", "1e400", "None", "__class__")
_PLAIN = [value for value in ODD if isinstance(value, str | int | float)]


#: files that are nowhere in the repository
_WRITTEN = {
    "variability.yaml": "filament_radius: 0.05\nactivation_energy: 10 meV\n"
    "threshold_voltage: 12 mV\nfilament_radius_cycle: 2 %\nactivation_energy_cycle: 3 meV\n"
    "occupation: 1\n"
}


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
            folder.result(name, str(noted.get("fingerprint")))


def campaign(path: Path) -> None:
    described = Campaign.from_file(path)
    assert described.size >= 1
    described.train(0, 0)


def variability(path: Path) -> None:
    draw_cell(CELL, Variability.from_mapping(parse_yaml(read_text(path, 10**6), str(path))), seed=1)


CELL = load_device("tin-taox-hfox-tin")

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
    "campaign file": Kind("campaign.yaml", "", campaign),
    "variability file": Kind("variability.yaml", "", variability),
    "pipeline file": Kind("pipeline.yaml", "", lambda path: read_chain(str(path))),
    "fit file": Kind(
        "../../ddk/samples", "what.yaml", lambda path: read_description(path / "what.yaml")
    ),
    "sequence file": Kind(
        "../../ddk/samples", "steps.yaml", lambda path: read_sequence(path / "steps.yaml")
    ),
    "device file": Kind("iv/device.yaml", "", load_device),
    "chip file": Kind("../../network/hardware/chip/library/180nm.yaml", "", load_chip),
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
        return _stored(path, rng) if rng.random() < 0.2 else spoiled(path, rng)
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        content, what = changed_value(content, rng)
        path.write_text(json.dumps(content), encoding="utf-8")
        return what
    if path.suffix == ".npz":
        return _arrays(path, rng)
    if path.suffix == ".yaml" and rng.random() < 0.7:
        content, what = changed_value(yaml.safe_load(path.read_text(encoding="utf-8")), rng)
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return what
    if path.suffix == ".yaml":
        return _lines(path, rng)
    content = path.read_bytes()
    at = int(rng.integers(len(content) + 1))
    cut = rng.random() < 0.5
    path.write_bytes(content[:at] if cut else content[:at] + b"\xff" + content[at + 1 :])
    return f"{path.name} {'cut at' if cut else 'another byte at'} {at}"


def _stored(path: Path, rng: np.random.Generator) -> str:
    """Store a variable in another way: its length, the size of its chunks, packed or not."""
    with h5py.File(path, "r+") as file:
        names = [n for n in file if isinstance(file[n], h5py.Dataset) and file[n].shape]
        name = names[int(rng.integers(len(names)))]
        shape, dtype = list(file[name].shape), file[name].dtype
        axis = int(rng.integers(len(shape)))
        shape[axis] = (0, 1, shape[axis] + 1, 10**4, 10**6, 10**9, shape[axis])[rng.integers(7)]
        chunks = tuple(max(1, min(n, int(rng.choice([1, 7, 10**3, 10**6])))) for n in shape)
        attributes = dict(file[name].attrs)
        del file[name]
        try:
            made = file.create_dataset(
                name,
                tuple(shape),
                dtype,
                chunks=chunks if 0 not in shape else None,
                compression="gzip" if rng.random() < 0.5 and 0 not in shape else None,
                fillvalue=_FILL[int(rng.integers(len(_FILL)))] if dtype.kind in "fiu" else None,
            )
        except (TypeError, ValueError, OSError, OverflowError):
            return f"{name} is gone"  # HDF5 itself does not take it
        for key, value in attributes.items():
            if key not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"):
                made.attrs[key] = value
        return f"{name}: {dtype} {shape} in chunks of {chunks}"


def _lines(path: Path, rng: np.random.Generator) -> str:
    """Change one line of a text, or one sign in it."""
    rows = path.read_text(encoding="utf-8").splitlines()
    at, way = int(rng.integers(len(rows))), int(rng.integers(5))
    if way == 0:
        rows.insert(at, rows[at])
    elif way == 1:
        del rows[at]
    elif way == 2:
        rows[at] = ("\t", " ", "  - ")[int(rng.integers(3))] + rows[at]
    else:
        place = int(rng.integers(len(rows[at]) + 1))
        sign = _SIGNS[int(rng.integers(len(_SIGNS)))]
        rows[at] = rows[at][:place] + sign + rows[at][place + (way == 3) :]
    path.write_text("\n".join(rows), encoding="utf-8")
    return f"line {at + 1}: way {way}"


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
    elif way == 4 and isinstance(inside, dict) and rng.random() < 0.5:
        inside[_KEYS[int(rng.integers(len(_KEYS)))]] = inside.pop(key)
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


def _late(number: int, frame: Any) -> None:
    raise TimeoutError(f"it takes more than {_SECONDS} s")


def _forget_memory() -> None:
    """Count the largest memory of this process anew; Linux alone can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _largest_memory() -> int:
    """Bytes of memory that this process took at most since it was last forgotten."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return 1024 * int(next(w for w in status.splitlines() if w.startswith("VmHWM")).split()[1])


def trial(kind: Kind, folder: Path, seed: list[int]) -> tuple[str, str]:
    """Outcome of one change ("read", "refused", else what went wrong), and the change."""
    rng = np.random.default_rng(seed)
    whole, work = RECORDS / kind.source, folder / Path(kind.source).name
    if whole.is_dir():
        files = sorted(f for f in whole.glob(kind.files) if f.is_file())
        file = work / files[int(rng.integers(len(files)))].relative_to(whole)
    else:
        if kind.source in _WRITTEN:
            work.write_text(_WRITTEN[kind.source], encoding="utf-8")
        else:
            shutil.copyfile(whole, work)
        file = work
    before = file.read_bytes()
    what = change(file, rng)
    _forget_memory()
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # of this process, however busy the machine is
    signal.alarm(_WAITED)
    try:
        outcome = _outcome(kind.read, work)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        file.write_bytes(before)
    memory = _largest_memory()
    return (f"{memory / 1e6:.0f} MB of memory" if memory > _MOST else outcome), what


def _outcome(read: Callable[[Path], object], work: Path) -> str:
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            read(work)
    except (StorageError, InputError) as error:
        text = str(error)
        if not text.isprintable():
            return f"several lines, or what steers a terminal: {text!r}"
        return "refused" if len(text) <= _LONGEST else f"a line of {len(text)} characters"
    except DDKError as error:
        return f"exit code {error.exit_code}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"a warning: {said[0].message}" if said else "read"


def main() -> int:
    parser = argparse.ArgumentParser(description="Change records at random and read them.")
    parser.add_argument("--changes", type=int, default=300, help="of each kind")
    parser.add_argument("--kind", action="append", choices=[*KINDS])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGALRM, _late)
    signal.signal(signal.SIGPROF, _late)
    worst, total = 0, {"read": 0, "refused": 0, "other": 0}
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
        for outcome, count in {**counts, "other": other}.items():
            total[outcome] += count
        print(
            f"{name}: {counts['read']} read, {counts['refused']} refused, {other} other", flush=True
        )
    print(
        f"{sum(total.values()):,} changes: {total['read']:,} read, {total['refused']:,} refused, "
        f"{total['other']:,} other"
    )
    return worst


if __name__ == "__main__":
    sys.exit(main())
