"""Memory of a decode is counted before it is taken, and no decode takes more."""

import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from test_file_pixels import png

from cxrgrid.config import preparation
from cxrgrid.data import decode_memory, dicom_tone, image, png_damage

BENCHMARK = Path(__file__).parents[2] / "benchmarks/decode_memory.py"


@pytest.mark.long
def test_no_decode_takes_more_than_was_counted():
    subprocess.run([sys.executable, str(BENCHMARK), "--side", "2500"], check=True)


@pytest.mark.parametrize("mode, name", [("F", "a.tif"), ("I", "a.tif"), ("RGB", "a.png")])
def test_what_would_take_too_much_is_refused_before_it_is_decoded(
    tmp_path, monkeypatch, mode, name
):
    Image.new(mode, (200, 100)).save(tmp_path / name)
    image.decode(tmp_path / name, preparation.Image(size=16))
    monkeypatch.setattr(decode_memory, "MEMORY", 100_000)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=f"too large to decode: 200 x 100 {mode} pixels take"):
        image.decode(tmp_path / name, preparation.Image(size=16))


class Header(NamedTuple):
    """Header of a picture that is not decoded, as Pillow gives it; its file is not packed."""

    format: str
    mode: str
    tile: str
    bytes: int  # per pixel
    width: int = 5000
    height: int = 6000  # a mammogram

    def getbands(self) -> tuple[str, ...]:
        return Image.Image.getbands(self)

    def stat(self) -> SimpleNamespace:
        return SimpleNamespace(st_size=self.bytes * self.width * self.height)


KINDS = [("PNG", "L", "", 1), ("PNG", "I;16", "I;16", 2), ("TIFF", "I;16", "I;16", 2)]
KINDS += [("TIFF", "I", "", 4), ("TIFF", "F", "", 4), ("PNG", "RGB", "", 3), ("BMP", "RGB", "", 3)]
KINDS += [("JPEG2000", "RGB", "", 3), ("JPEG2000", "I;16", "", 2), ("WEBP", "RGB", "", 3)]
KINDS += [
    ("TIFF", "RGB", "RGB;16L", 6),
    ("PNG", "RGB", "RGB;16B", 6),
    ("PNG", "RGBA", "RGBA;16B", 8),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_mammogram_of_each_kind_is_read(kind):
    header = Header(*kind)
    assert decode_memory.of_picture(header, header) <= decode_memory.MEMORY


@pytest.mark.parametrize("channels, bits", [(1, 8), (1, 16), (1, 32), (3, 8), (3, 16)])
def test_a_mammogram_in_dicom_is_read(channels, bits):
    film = Dataset()
    film.Rows, film.Columns, film.SamplesPerPixel, film.BitsAllocated = 6000, 5000, channels, bits
    assert decode_memory.of_film(film) <= decode_memory.MEMORY


def test_levels_too_far_apart_for_a_table_are_counted(monkeypatch):
    pixels = np.arange(0, 10**9, 10**5, dtype=np.int32).reshape(100, 100)
    levels, counts, places = dicom_tone.tabled(pixels)
    np.testing.assert_array_equal(levels[places], pixels)
    assert (counts == 1).all()
    monkeypatch.setattr(decode_memory, "MEMORY", 500_000)
    with pytest.raises(ValueError, match="too large to decode: 100 x 100 10,000 levels"):
        dicom_tone.tabled(pixels)


def test_a_png_that_unpacks_to_more_than_it_says_fills_no_memory():
    """10 MB of zeros in some 10 kB."""
    data = png(np.zeros((1_000, 10_000), np.uint8), 0)
    tracemalloc.start()
    try:
        assert png_damage.fault(data) == ""
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
