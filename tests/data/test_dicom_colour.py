"""Palettes, deep colours and floats become the grey levels that dcmtk and pydicom show."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.datadict import tag_for_keyword
from pydicom.pixels import apply_windowing

from cxrgrid.data import dicom

ROW = {"patient": 3, "study": 1, "view": "PA", "sex": "F", "age": 61.0}
BYTES = np.arange(256, dtype=np.uint8).reshape(16, 16)
TWELVE = np.arange(4096, dtype=np.uint16).reshape(64, 64)
RAMP = np.arange(256)


def film(path, pixels, **elements):
    """A DICOM file whose stored values are `pixels` and whose header says `elements`."""
    dicom.write(path, pixels.astype(np.uint16 if pixels.itemsize > 1 else np.uint8), ROW)
    found = pydicom.dcmread(path)
    for name in [name for name in ("WindowCenter", "WindowWidth") if name in found]:
        delattr(found, name)
    for name, value in elements.items():
        setattr(found, name, value)
    found.save_as(path)
    return path


def shown(path, how="voi"):
    return np.asarray(dicom.read(path, how)[0]).astype(int)


def palette(path, pixels, red, green, blue, first=0, bits=16, segmented=False, words=True):
    """A DICOM file of entries of a palette."""
    film(path, pixels, PhotometricInterpretation="PALETTE COLOR")
    found = pydicom.dcmread(path)
    for name, data in (("Red", red), ("Green", green), ("Blue", blue)):
        whole = f"{name}PaletteColorLookupTable"
        found.add_new(tag_for_keyword(f"{whole}Descriptor"), "US", [len(data), first, bits])
        data = [0, len(data), *data] if segmented else data  # one discrete segment
        packed = np.asarray(data, "<u2" if words else "u1").tobytes()
        found.add_new(tag_for_keyword(f"{'Segmented' * segmented}{whole}Data"), "OW", packed)
    found.save_as(path)
    return path


DEEP = np.arange(4096)
PALETTES = {
    "hot": (BYTES, RAMP * 257, (RAMP // 2) * 257, (RAMP // 4) * 257, {}),
    "grey": (BYTES, RAMP * 257, RAMP * 257, RAMP * 257, {}),
    "turned_round": (BYTES, *[(255 - RAMP) * 257] * 3, {}),
    "red_alone": (BYTES, RAMP * 257, RAMP * 0, RAMP * 0, {}),
    "bytes": (BYTES, RAMP, 255 - RAMP, RAMP // 2, {"bits": 8, "words": False}),
    "begins_later": (BYTES, *[RAMP[:100] * 600] * 3, {"first": 100}),
    "twelve_bits": (TWELVE, DEEP * 16, DEEP * 8, (4095 - DEEP) * 16, {}),
}


@pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="dcm2pnm of dcmtk is not installed")
@pytest.mark.parametrize("name", PALETTES)
def test_a_palette_is_as_bright_as_dcmtk_shows_it(tmp_path, name):
    *given, more = PALETTES[name]
    path = palette(tmp_path / "a.dcm", *given, **more)
    subprocess.run(["dcm2pnm", "+on", path, tmp_path / "a.png"], check=True)
    with Image.open(tmp_path / "a.png") as image:
        wanted = np.asarray(image.convert("RGB").convert("L")).astype(int)
    assert np.abs(shown(path) - wanted).max() <= 2 and np.ptp(wanted) > 50


def test_eight_bits_in_a_palette_of_words_are_not_black(tmp_path):
    path = palette(tmp_path / "a.dcm", BYTES, *[RAMP] * 3)
    np.testing.assert_array_equal(shown(path), BYTES)


def test_segments_of_a_palette_are_put_together(tmp_path):
    colours = (RAMP * 257, (255 - RAMP) * 257, RAMP * 100)
    whole = palette(tmp_path / "a.dcm", BYTES, *colours)
    segments = palette(tmp_path / "b.dcm", BYTES, *colours, segmented=True)
    np.testing.assert_array_equal(shown(segments), shown(whole))


def test_a_palette_that_is_missing_is_the_reason(tmp_path):
    path = film(tmp_path / "a.dcm", BYTES, PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(ValueError, match="no radiograph: the colours of a palette"):
        dicom.read(path, "voi")


def test_colours_of_sixteen_bits_keep_their_contrast(tmp_path):
    deep = np.dstack([TWELVE * 16] * 3)
    more = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    more |= {"BitsStored": 16, "HighBit": 15, "PixelData": deep.tobytes()}
    found = shown(film(tmp_path / "a.dcm", TWELVE, **more))
    assert np.abs(found - TWELVE / 4096 * 255).max() <= 1


# ------------------------------------------------------------------ floats

FLOATS = (BYTES.astype(np.float32) / 100 - 1).astype(np.float32)


def floats(path, values=FLOATS, **elements):
    """A DICOM file of floats, of 32 or 64 bits."""
    film(path, BYTES)
    found = pydicom.dcmread(path)
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(found, name)
    kind = "Float" if values.dtype == np.float32 else "DoubleFloat"
    setattr(found, f"{kind}PixelData", values.tobytes())
    found.BitsAllocated = 8 * values.itemsize
    for name, value in elements.items():
        setattr(found, name, value)
    found.save_as(path)
    return path


@pytest.mark.parametrize("kind", dicom.GREY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_shown_by_their_window_as_pydicom_does(tmp_path, dtype, kind):
    window = {"WindowCenter": 0.2, "WindowWidth": 1.5, "VOILUTFunction": "LINEAR_EXACT"}
    path = floats(
        tmp_path / "a.dcm", FLOATS.astype(dtype), **window, PhotometricInterpretation=kind
    )
    header = pydicom.dcmread(path)
    header.BitsStored, header.PixelRepresentation = 8, 0
    wanted = apply_windowing(header.pixel_array.astype(float), header)
    wanted = 255 - wanted if kind == "MONOCHROME1" else wanted
    assert np.abs(shown(path) - wanted).max() <= 0.51 and np.ptp(wanted) == 255


def test_floats_without_a_window_are_stretched_and_what_is_no_number_is_black(tmp_path):
    holes = FLOATS.copy()
    holes[0, :4] = np.nan, np.inf, -np.inf, -9999
    path = floats(tmp_path / "a.dcm", holes, FloatPixelPaddingValue=-9999.0)
    found, there = shown(path), holes[(np.abs(holes) < 100)]
    low, high = np.percentile(there, (0.5, 99.5))
    wanted = np.clip((there - low) / (high - low), 0, 1) * 255
    assert (found[0, :4] == 0).all() and np.abs(found.ravel()[4:] - wanted).max() <= 0.51
    turned = floats(tmp_path / "b.dcm", holes, PhotometricInterpretation="MONOCHROME1")
    assert (shown(turned)[0, :3] == 0).all() and shown(turned)[-1, -1] == 0
    with pytest.raises(ValueError, match="no pixel is a number"):
        dicom.read(floats(tmp_path / "c.dcm", FLOATS * np.float32(np.nan)), "voi")
