"""Archives of data: unpacked for their use, or refused."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ddkbase.errors import DDKError, InputError, StorageError
from network import datasets
from network.datasets import archives
from tests.network.data_files import sound, tone
from tests.network.series_files import bumps, ts_text, wide_text, write_ts


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files, which is empty at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of these files, by the ending of its name."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    kinds = {".tar": "w", ".xz": "w:xz", ".tbz2": "w:bz2"}
    with tarfile.open(path, kinds.get(path.suffix, "w:gz")) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def below(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


ENDINGS = pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tbz2"])


@ENDINGS
def test_series_sounds_and_pictures(tmp_path: Path, temporary: Path, ending: str) -> None:
    folder = tmp_path / "in"
    (folder / "set").mkdir(parents=True)
    write_ts(folder / "set" / "A_TRAIN.ts", 8)
    write_ts(folder / "set" / "A_TEST.ts", 4, seed=1)
    # as the archive packs them: the same in other forms, and a description
    x, y = bumps(8, steps=4)
    (folder / "set" / "A_TRAIN.arff").write_text("not looked at")
    (folder / "set" / "A_TEST.arff").write_text("not looked at")
    (folder / "set" / "A.txt").write_text("What this is")
    (folder / "set" / ".hidden").write_text("not looked at")
    path = packed(tmp_path / f"any{ending}", below(folder))
    data, same = datasets.load(path), datasets.load(folder / "set" / "A_TRAIN.ts")
    np.testing.assert_array_equal(data.x, same.x)
    assert data.fold.tolist() == same.fold.tolist() and data.name == "A"
    assert data.notes[0] == f"read from the archive any{ending}"
    single = packed(tmp_path / f"b{ending}", {"b.csv": wide_text(x[:, 0], y).encode()})
    assert datasets.load(single, label="label").sample_shape == (4,)
    waves = tmp_path / "waves"
    for label, pitch in (("low", 200.0), ("high", 900.0)):
        for k in range(3):
            sound(waves / label / f"{k}.wav", tone(1.0, pitch=pitch + k))
    sounds = datasets.load(packed(tmp_path / f"waves{ending}", below(waves)))
    assert sounds.classes == ("high", "low") and sounds.name == "waves"
    np.testing.assert_array_equal(sounds.x, datasets.load(waves).x)
    assert list(temporary.iterdir()) == []


@ENDINGS
def test_folders_around_the_folders_of_classes(tmp_path: Path, ending: str) -> None:
    waves = tmp_path / "waves"
    for label, pitch in (("low", 200.0), ("high", 900.0)):
        for k in range(3):
            sound(waves / "data" / "set" / label / f"{k}.wav", tone(1.0, pitch=pitch + k))
    loaded = datasets.load(packed(tmp_path / f"a{ending}", below(waves)))
    assert loaded.classes == ("high", "low")
    one = {f"set/low/{k}.wav": (waves / f"data/set/low/{k}.wav").read_bytes() for k in range(3)}
    with pytest.raises(StorageError, match="a single class, 'low'"):
        datasets.load(packed(tmp_path / f"b{ending}", one))


@ENDINGS
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../out.csv", "leads outside"),
        ("/tmp/out.csv", "leads outside"),
        ("a/../../out.csv", "leads outside"),
        ("inner.zip", "holds another archive"),
        ("inner.tar.gz", "holds another archive"),
        (".hidden", "holds no file"),
    ],
)
def test_unsafe_names(
    tmp_path: Path, temporary: Path, ending: str, name: str, message: str
) -> None:
    path = packed(tmp_path / f"a{ending}", {name: b"label,a\nx,1\ny,2\n"})
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(path)
    assert f"a{ending}" in str(caught.value) and "\n" not in str(caught.value)
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out.csv").exists() and not (temporary / "out.csv").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE,
                                  tarfile.CHRTYPE])  # fmt: skip
def test_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("passwords.csv")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(InputError, match="a link or a device"):
        datasets.load(tmp_path / "a.tar")
    member = zipfile.ZipInfo("passwords.csv")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr(member, "/etc/passwd")
    with pytest.raises(InputError, match="a link or a device"):
        datasets.load(tmp_path / "a.zip")


@ENDINGS
def test_too_large(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / f"a{ending}", {f"{k}.csv": bytes(1000) for k in range(3)})
    monkeypatch.setattr(archives, "LARGEST", 2500)
    with pytest.raises(InputError, match="unpacks to 3e-06 GB"):
        datasets.load(path)
    monkeypatch.setattr(archives, "LARGEST", 10_000)
    monkeypatch.setattr(archives, "_MOST_FILES", 2)
    with pytest.raises(InputError, match="in 3 files"):
        datasets.load(path)


def test_other_archives_are_refused(tmp_path: Path) -> None:
    for name in ("a.tar.zst", "a.7z", "a.rar"):
        (tmp_path / name).write_bytes(b"whatever")
        with pytest.raises(InputError, match="Unpack it first"):
            datasets.load(tmp_path / name)


def test_errors_within_name_the_archive(tmp_path: Path, temporary: Path) -> None:
    x, y = bumps(6, steps=4)
    text = ts_text(x, y).replace(":late", ":later")
    path = packed(tmp_path / "a.zip", {"set/a.ts": text.encode(), "set/b.ts": b""})
    with pytest.raises(StorageError, match=r"several sets: a, b .*a.zip"):
        datasets.load(path)
    path = packed(tmp_path / "b.zip", {"set/a.ts": text.encode()})
    with pytest.raises(InputError, match=r"b\.zip/a\.ts, line 12") as caught:
        datasets.load(path)
    assert str(temporary) not in str(caught.value)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_damaged_archives_are_one_line(tmp_path: Path, temporary: Path, ending: str) -> None:
    x, y = bumps(6, steps=4)
    path = packed(tmp_path / f"a{ending}", {"a.ts": ts_text(x, y).encode()})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        content = bytearray(whole)
        for at in rng.integers(0, len(content), 8):
            content[at] = rng.integers(256)
        path.write_bytes(bytes(content[: rng.integers(1, len(content) + 1)]))
        try:
            datasets.load(path)
        except DDKError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error)
        assert list(temporary.iterdir()) == []
    assert refused > 30
