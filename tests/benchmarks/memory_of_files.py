"""Files below 1 MB that unpack to as much as they may, and the memory that reading them takes.

For each kind of file two are made: one that unpacks to just what a file of that size may
(`ddkbase.files.unpacked_limit`), which is the worst that is read, and one that unpacks to thrice as
much, which is refused. Each is read in a process of its own, whose largest memory beyond that of
the imported packages is printed; exit code 1 where it is above 1 GB, or a file ends in no single
line.

    python tests/benchmarks/memory_of_files.py [--kind npz --kind csv.gz ...]
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import io
import json
import multiprocessing
import shutil
import struct
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

import compact
from compact import AlphaBetaTable
from compact.table.source import gather
from ddkbase import records
from ddkbase.documents import read_json
from ddkbase.errors import DDKError
from devicephys import load_device
from devicephys.run.request import Request
from network import datasets, load_network, read_history
from network.hardware import read_placement

RECORDS = Path(__file__).resolve().parents[1] / "records"
_MOST = 1_000_000_000  # bytes of memory
_LARGEST = 1_000_000  # bytes of a file
_PIECE = 1 << 20
_SECONDS = 200


def _zeros(file: Any, count: int, piece: bytes = bytes(_PIECE)) -> None:
    for _ in range(count // len(piece)):
        file.write(piece)


def _npz(path: Path, size: int) -> Path:
    x = np.zeros((size // 1000, 1000), np.uint8)
    x[0] = 200
    y = np.arange(len(x), dtype=np.uint8) % 2
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (("X", x), ("y", y)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array)
    return path


def _mat(path: Path, size: int) -> Path:
    x = np.zeros((size // 1000, 1000), np.uint8)
    x[0] = 200
    y = np.arange(len(x), dtype=np.uint8) % 2
    scipy.io.savemat(path, {"X": x, "y": y}, do_compression=True)
    return path


def _mat_73(path: Path, size: int) -> Path:
    count = size // 8 // 1000
    with h5py.File(path, "w", userblock_size=512) as file:
        file["y"] = np.arange(count)[None] % 2
        file.create_dataset("X", (1000, count), "f8", chunks=(1000, count), compression="gzip")
        file["X"][:, 0] = 1
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file, Platform: x".ljust(124) + b"\x00\x02IM"
    path.write_bytes(content)
    return path


def _text(path: Path, size: int, heading: str, rows: list[str]) -> Path:
    block = "".join(rows)
    block *= max(1, _PIECE // len(block))
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(heading.encode())
        _zeros(file, size, block.encode())
    return path


def _csv(path: Path, size: int) -> Path:
    heading = ",".join(f"v{k}" for k in range(20)) + ",class\n"
    return _text(path, size, heading, ["10," * 20 + "a\n", "11," * 20 + "b\n"])


def _wide(path: Path, size: int) -> Path:
    """A table of two rows, one line each."""
    columns = size // 10
    with gzip.open(path, "wb", compresslevel=1) as file:
        for cells, last in (("v", "class"), ("1", "a"), ("2", "b")):
            names = (f"{cells}{k}" if cells == "v" else cells for k in range(columns))
            file.write((",".join([*names, last]) + "\n").encode())
    return path


def _ts(path: Path, size: int) -> Path:
    heading = "@problemName p\n@univariate true\n@classLabel true 0 1\n@data\n"
    return _text(path, size, heading, ["10," * 20 + "5:0\n", "11," * 20 + "6:1\n"])


def _one_series(path: Path, size: int) -> Path:
    heading = "@problemName p\n@univariate true\n@classLabel true 0 1\n@data\n1,2:0\n"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(heading.encode())
        _zeros(file, size, b"10," * (_PIECE // 3))
        file.write(b"5:1\n")
    return path


def _tsv(path: Path, size: int) -> Path:
    return _text(path, size, "", ["1" + "\t10" * 20 + "\n", "2" + "\t11" * 20 + "\n"])


def _parquet(path: Path, size: int) -> Path:
    pyarrow: Any = importlib.import_module("pyarrow")  # optional
    parquet: Any = importlib.import_module("pyarrow.parquet")

    count = size // 9
    columns = {"a": np.zeros(count), "class": (np.arange(count) % 2).astype("i1")}
    parquet.write_table(pyarrow.table(columns), path, row_group_size=count)
    return path


def _parquet_texts(path: Path, size: int) -> Path:
    pyarrow: Any = importlib.import_module("pyarrow")  # optional
    parquet: Any = importlib.import_module("pyarrow.parquet")

    count = 2000
    words = pyarrow.array(["x" * (size // count), "y"] * (count // 2))
    table = pyarrow.table({"a": np.arange(count) % 7 * 1.0, "class": words})
    parquet.write_table(table, path, compression="zstd")
    return path


def _xlsx(path: Path, size: int) -> Path:
    openpyxl: Any = importlib.import_module("openpyxl")  # optional

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["a", "b", "class"])
    for k in range(size // 110):
        sheet.append([1, 2, k % 2])
    book.save(path)
    return path


def _xls(path: Path, size: int) -> Path:
    """Rows of one cell each, the last of those that a row may have: the others stand in memory."""
    xlwt: Any = importlib.import_module("xlwt")  # optional

    book = xlwt.Workbook()
    sheet = book.add_sheet("a")
    for k in range(size // (16 * 256)):
        sheet.write(k, 255, 1)
    book.save(path)
    return path


def _idx(path: Path, size: int) -> Path:
    path.mkdir()
    for part, count in (("train", size // 784), ("t10k", 10)):
        with gzip.open(path / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(bytes([0, 0, 8, 3]) + struct.pack(">3I", count, 28, 28))
            _zeros(file, count * 784, bytes(784))
        labels = bytes([0, 0, 8, 1]) + struct.pack(">I", count) + bytes(count)
        (path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return path


def _flac(path: Path, size: int) -> Path:
    soundfile: Any = importlib.import_module("soundfile")  # optional

    for name, count in (("a", size // 4), ("b", 8000)):
        (path / name).mkdir(parents=True)
        wave = np.zeros(count, np.int16)
        wave[:100] = 1000
        soundfile.write(path / name / "x.flac", wave, 8000)
    return path


def _zip(path: Path, size: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, count in (("a", size), ("b", 16_000)):
            form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
            heading = b"WAVE" + form + struct.pack("<4sI", b"data", count)
            with archive.open(f"{name}/x.wav", "w", force_zip64=True) as member:
                member.write(struct.pack("<4sI", b"RIFF", len(heading) + count) + heading)
                member.write(b"\1\1" * 100)
                _zeros(member, count - 200, bytes(100))
    return path


def _tar(path: Path, size: int) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("a/x.wav")
        member.size = size
        archive.addfile(member, io.BytesIO(bytes(size)))
    return path


def _picture(path: Path, size: int) -> Path:
    from PIL import Image  # optional

    side = int((size / 4) ** 0.5)
    for name in "ab":
        (path / name).mkdir(parents=True)
    Image.new("RGBA", (side, side), (1, 2, 3, 200)).save(path / "a" / "x.png")
    Image.new("L", (8, 8), 90).save(path / "b" / "x.png")
    return path


def _netcdf(path: Path, size: int) -> Path:
    shutil.copyfile(RECORDS / "iv" / "iv.nc", path)
    with h5py.File(path, "r+") as file:
        count = size // 8
        file.create_dataset("more", (count,), "f8", chunks=(_PIECE,), compression="gzip")
        file["more"][:_PIECE] = 1
    return path


def _hdf5(path: Path, size: int) -> Path:
    with h5py.File(path, "w") as file:
        count = size // 8
        file.create_dataset("conductance", (count,), "f8", chunks=(_PIECE,), compression="gzip")
    return path


def _model(path: Path, size: int) -> Path:
    with np.load(RECORDS / "net" / "model.npz") as archive:
        arrays = dict(archive)
    np.savez_compressed(path, more=np.zeros(size, np.uint8), **arrays)
    return path


def _store(path: Path, size: int) -> Path:
    """A store whose arrays say that they are far longer than what their files hold."""
    shutil.copytree(RECORDS / "campaign.zarr", path)
    for described in path.glob("*/zarr.json"):
        content = read_json(described)
        shape = content["shape"]
        if shape:
            shape[0] = size // 8
            described.write_text(json.dumps(content))
    return path


def _json(path: Path, size: int) -> Path:
    path.write_text("[" * (_LARGEST // 2) + "]" * (_LARGEST // 2) if size > 2 * 10**8 else
                    '{"a": [' + "[]," * (_LARGEST // 3 - 10) + "[]]}")  # fmt: skip
    return path


def _yaml(path: Path, size: int) -> Path:
    """A description of as many entries as fit, or of as many levels."""
    path.write_text("a: [" + "{}," * (_LARGEST // 3 - 10) + "{}]" if size < 2 * 10**8 else
                    "a: " + "[" * (_LARGEST // 2) + "]" * (_LARGEST // 2 - 10))  # fmt: skip
    return path


def _wav(path: Path, size: int) -> Path:
    """Sounds that say that they hold far more than there is."""
    for name in "ab":
        (path / name).mkdir(parents=True)
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
        content = b"WAVE" + form + struct.pack("<4sI", b"data", size) + b"\1\1" * 200_000
        (path / name / "x.wav").write_bytes(struct.pack("<4sI", b"RIFF", size) + content)
    return path


#: what is made, who reads it, and how many times its size it may unpack to
KINDS: dict[str, tuple[str, Callable[[Path, int], Path], Callable[[Path], Any], int]] = {
    "npz": ("a.npz", _npz, datasets.load, 100),
    "mat": ("a.mat", _mat, datasets.load, 100),
    "mat 7.3": ("a.mat", _mat_73, datasets.load, 100),
    "csv.gz": ("a.csv.gz", _csv, datasets.load, 25),
    "csv.gz, wide": ("a.csv.gz", _wide, datasets.load, 25),
    "ts.gz": ("a.ts.gz", _ts, datasets.load, 25),
    "ts.gz, one series": ("a.ts.gz", _one_series, datasets.load, 25),
    "tsv.gz": ("a_TRAIN.tsv.gz", _tsv, datasets.load, 25),
    "parquet": ("a.parquet", _parquet, datasets.load, 100),
    "parquet, texts": ("a.parquet", _parquet_texts, datasets.load, 100),
    "xlsx": ("a.xlsx", _xlsx, datasets.load, 40),
    "xls": ("a.xls", _xls, compact.read_pulses, 40),
    "idx.gz": ("mnist", _idx, datasets.load, 100),
    "flac": ("sounds", _flac, datasets.load, 256),
    "wav": ("sounds", _wav, datasets.load, 100),
    "zip": ("a.zip", _zip, datasets.load, 100),
    "tar.gz": ("a.tar.gz", _tar, datasets.load, 100),
    "png": ("pictures", _picture, datasets.load, 260),
    "record": ("iv.nc", _netcdf, lambda path: records.read(path).load(), 100),
    "table": ("table.nc", _netcdf, AlphaBetaTable.read, 100),
    "history": ("history.nc", _netcdf, read_history, 100),
    "measured": ("reads.h5", _hdf5, compact.read_pulses, 100),
    "measured npz": ("reads.npz", _npz, compact.read_pulses, 100),
    "model": ("model.npz", _model, load_network, 100),
    "store": ("campaign.zarr", _store, gather, 100),
    "placement": ("placement.json", _json, read_placement, 100),
    "request": ("request.json", _json, Request.read, 100),
    "yaml": ("cell.yaml", _yaml, load_device, 100),
}


def _largest_memory() -> int:
    """Bytes that this process took at most since it last wrote to clear_refs (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(next(w for w in status.splitlines() if w.startswith("VmHWM")).split()[1])


def _read(read: Callable[[Path], Any], path: Path, answer: Any) -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _largest_memory()
    try:
        read(path)
        outcome = "read"
    except DDKError as error:
        outcome = f"refused: {error}"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    answer.send((_largest_memory() - before, outcome))


def measured(name: str, size: int, folder: Path) -> tuple[int, int, str]:
    """Bytes of the file, bytes of memory that reading it took, and how it ended."""
    file_name, make = KINDS[name][:2]
    path = make(folder / file_name, size)
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    packed = sum(f.stat().st_size for f in files)
    context = multiprocessing.get_context("spawn")  # a fork would begin with this one's memory
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_of_kind, args=(name, path, there))
    process.start()
    try:
        memory, outcome = here.recv() if here.poll(_SECONDS) else (0, f"{_SECONDS} s and no end")
    except EOFError:
        memory, outcome = 0, "the process was killed"
    process.kill()
    process.join()
    return packed, memory, outcome.replace(str(folder), "")


def _of_kind(name: str, path: Path, answer: Any) -> None:
    _read(KINDS[name][2], path, answer)


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory that reading small files takes.")
    parser.add_argument("--kind", action="append", choices=[*KINDS])
    asked = parser.parse_args()
    worst, bad = 0, 0
    for name, (_, _, _, times) in KINDS.items():
        if asked.kind and name not in asked.kind:
            continue
        for size in (int(0.97 * times * _LARGEST), 3 * times * _LARGEST):
            with tempfile.TemporaryDirectory() as temporary:
                packed, memory, outcome = measured(name, size, Path(temporary))
            wrong = memory > _MOST or not outcome.startswith(("read", "refused"))
            bad += wrong
            worst = max(worst, memory)
            print(
                f"{'!!' if wrong else '  '} {name:20} {packed / 1e3:7.0f} kB, "
                f"{size / 1e6:6.0f} MB unpacked: {memory / 1e6:5.0f} MB, {outcome[:200]}",
                flush=True,
            )
    print(f"largest memory: {worst / 1e6:.0f} MB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
