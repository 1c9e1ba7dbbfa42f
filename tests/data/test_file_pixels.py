"""Picture files of all kinds keep their tone; damaged ones are refused with a reason."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from cxrgrid.config import preparation
from cxrgrid.data import image, jpeg_damage
from drawn_images import smooth

FILM = smooth(160, 128)
TWELVE = FILM.astype(np.uint16) * 16
RECIPE = preparation.Image(size=64)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, colour, rows=None):
    """A PNG of 8 or 16 bits a channel; `rows`: how many of them the stream holds."""
    kind = ">u2" if pixels.dtype == np.uint16 else "u1"
    raw = b"".join(b"\0" + line.astype(kind).tobytes() for line in pixels[:rows])
    head = struct.pack(
        ">IIBBBBB", pixels.shape[1], pixels.shape[0], 8 * pixels.itemsize, colour, 0, 0, 0
    )
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(pixels, photometric, kind):
    """A TIFF of one strip. photometric: 0 white is zero; kind: 1 unsigned, 3 float."""
    data, (height, width) = pixels.tobytes(), pixels.shape
    tags = [(256, width), (257, height), (258, 8 * pixels.itemsize), (259, 1), (262, photometric)]
    tags += [(273, 8), (277, 1), (278, height), (279, len(data)), (339, kind)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = struct.pack("<I", 8 + len(data))
    return b"II*\0" + start + data + struct.pack("<H", len(tags)) + body + bytes(4)


def decoded(tmp_path, data, name="x.png"):
    (tmp_path / name).write_bytes(data)
    return image.decode(tmp_path / name, RECIPE).astype(int)


FULL = np.full_like(TWELVE, 65535)
SIXTEEN = {
    "rgb": (np.stack([TWELVE] * 3, -1), 2),
    "grey_alpha": (np.stack([TWELVE, FULL], -1), 4),
    "rgba": (np.stack([TWELVE] * 3 + [FULL], -1), 6),
}


@pytest.mark.parametrize("name", SIXTEEN)
def test_sixteen_bits_of_colour_keep_their_levels(tmp_path, name):
    grey = decoded(tmp_path, png(TWELVE, 0))
    assert np.abs(decoded(tmp_path, png(*SIXTEEN[name])) - grey).max() <= 1


def test_sixteen_bits_that_are_transparent_are_black(tmp_path):
    alpha = FULL.copy()
    alpha[:, :64] = 0
    found = decoded(tmp_path, png(np.stack([TWELVE] * 3 + [alpha], -1), 6))
    assert (found[:, :30] == 0).all() and found[:, 34:].std() > 20


@pytest.mark.parametrize("pixels, kind", [(TWELVE, 1), (TWELVE.astype(np.float32), 3)])
def test_a_tiff_may_say_that_white_is_zero(tmp_path, pixels, kind):
    plain = decoded(tmp_path, tiff(pixels, 1, kind), "x.tif")
    turned = decoded(tmp_path, tiff(pixels.max() - pixels, 0, kind), "y.tif")
    assert np.abs(plain - turned).max() <= 2 and plain.std() > 20


def test_pixels_that_are_no_numbers_are_dark_and_the_rest_keeps_its_tone(tmp_path):
    pixels = TWELVE.astype(np.float32)
    plain = decoded(tmp_path, tiff(pixels, 1, 3), "x.tif")
    pixels[:16], pixels[16:32] = np.nan, np.inf
    found = decoded(tmp_path, tiff(pixels, 1, 3), "y.tif")
    assert (found[:12] == 0).all() and np.abs(found[14:] - plain[14:]).max() <= 8
    with pytest.raises(ValueError, match="no pixel is a number"):
        decoded(tmp_path, tiff(np.full_like(pixels, np.nan), 1, 3), "z.tif")


KINDS = {
    "grey": (FILM, 0), "sixteen": (TWELVE, 0), "rgb": (np.stack([FILM] * 3, -1), 2),
    "grey_alpha": (np.stack([FILM, FILM], -1), 4), "deep_rgb": SIXTEEN["rgb"],
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_no_single_flipped_bit_of_a_png_changes_a_tone(tmp_path, name):
    whole = png(*KINDS[name])
    wanted, rng = decoded(tmp_path, whole), np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        data[rng.integers(33, len(data) - 12)] ^= 1 << rng.integers(8)
        try:
            assert np.abs(decoded(tmp_path, bytes(data)) - wanted).max() == 0
        except (ValueError, OSError, SyntaxError):
            refused += 1
    assert refused > 55


@pytest.mark.parametrize("name", KINDS)
def test_a_png_without_its_last_rows_is_refused(tmp_path, name):
    with pytest.raises((ValueError, OSError), match="damaged|truncated|broken"):
        decoded(tmp_path, png(*KINDS[name], rows=100))


def jpeg(mode, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(FILM).convert(mode).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


HOLES = {
    "cut": lambda data, half: data[:half] + b"\xff\xd9",
    "zeros": lambda data, half: data[:half] + bytes(len(data) - half - 2) + b"\xff\xd9",
    "hole": lambda data, half: data[:half] + data[half + 200 :],
    "tail_too": lambda data, half: data[:half] + b"\xff\xd9" + b"made by a scanner",
}


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", HOLES)
def test_a_jpeg_with_a_hole_is_refused_with_libjpegs_words(tmp_path, name, mode):
    data = jpeg(mode)
    with jpeg_damage.listening(), pytest.raises(ValueError, match="damaged inside: "):
        decoded(tmp_path, HOLES[name](data, len(data) // 2), "x.jpg")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_a_whole_jpeg_is_the_same_while_somebody_listens(tmp_path, options):
    plain = decoded(tmp_path, jpeg("RGB", **options), "x.jpg")
    with jpeg_damage.listening():
        np.testing.assert_array_equal(decoded(tmp_path, jpeg("RGB", **options), "x.jpg"), plain)
        assert jpeg_damage.written() == 0


def test_a_few_bytes_too_many_are_no_damage(tmp_path):
    with jpeg_damage.listening():
        decoded(tmp_path, jpeg("L")[:-2] + bytes(9) + b"\xff\xd9", "x.jpg")


def test_python_and_logging_still_write_to_stderr_while_somebody_listens():
    code = (
        "import logging, os, sys; from cxrgrid.data.jpeg_damage import listening\n"
        "logging.basicConfig(stream=sys.stderr, format='%(message)s')\n"
        "with listening():\n"
        "    logging.warning('logged'); print('printed', file=sys.stderr); os.write(2, b'C')\n"
        "logging.warning('after'); os.write(2, b'at last')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "logged\nprinted\nafter\nat last"
