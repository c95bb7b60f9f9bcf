"""Folders as Google's Speech Commands: noise is no word, and the list of the test part counts."""

import wave

import pytest
from PIL import Image

from ddkbase.errors import StorageError
from network.datasets import load


def _sound(path):
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(range(250)) * 64)


def test_noise_and_list_are_not_passed_over(tmp_path):
    for word in ("no", "yes"):
        for k in range(3):
            _sound(tmp_path / word / f"{k}_nohash_0.wav")
    assert load(tmp_path).classes == ("no", "yes")
    listing = tmp_path / "testing_list.txt"
    listing.write_text("no/2_nohash_0.wav\nyes/2_nohash_0.wav\n")
    with pytest.raises(StorageError, match="lists its test part"):
        load(tmp_path)
    listing.unlink()
    _sound(tmp_path / "_background_noise_" / "white.wav")
    with pytest.raises(StorageError, match="no class"):
        load(tmp_path)


def test_masks_beside_images_are_no_class(tmp_path):
    for kind in ("images", "masks"):
        for k in range(2):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.new("L", (8, 8), 40 * k).save(tmp_path / kind / f"{k}.png")
    with pytest.raises(StorageError, match="images, masks, which are no classes"):
        load(tmp_path)
