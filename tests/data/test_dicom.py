"""A DICOM file becomes the film that a screen would show; what is no film has a reason."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_voi_lut
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from cxrgrid.config import preparation
from cxrgrid.data import dicom, image

ROW = {"patient": 3, "study": 1, "view": "PA", "sex": "F", "age": 61.0}
GREY = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)
TWELVE = np.random.default_rng(1).integers(0, 4096, (24, 32), dtype=np.uint16)


def film(path, pixels=GREY, kind="MONOCHROME2", **elements):
    """A DICOM file whose header says `elements`; those that are None are taken out."""
    dicom.write(path, pixels, ROW, kind)
    found = pydicom.dcmread(path)
    for name, value in elements.items():
        if value is None:
            delattr(found, name)
        else:
            setattr(found, name, value)
    found.save_as(path)
    return path


def levels(path, sixteen_bit="voi"):
    return np.asarray(dicom.read(path, sixteen_bit)[0])


@pytest.mark.parametrize("kind", dicom.GREY)
@pytest.mark.parametrize("sixteen_bit", ["voi", "percentile", "full"])
def test_eight_bit_levels_stay_and_monochrome1_is_turned_round(tmp_path, kind, sixteen_bit):
    path = film(tmp_path / "a.dcm", kind=kind)
    np.testing.assert_array_equal(levels(path, sixteen_bit), GREY)
    stored = pydicom.dcmread(path).pixel_array
    assert (stored == (255 - GREY if kind == "MONOCHROME1" else GREY)).all()


def test_a_deflated_film_is_read_and_one_that_would_fill_the_memory_is_not(tmp_path, monkeypatch):
    path = film(tmp_path / "a.dcm")
    found = pydicom.dcmread(path)
    found.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    found.save_as(path)
    np.testing.assert_array_equal(levels(path), GREY)
    found.ImageComments = " " * 60_000
    found.save_as(path)
    assert path.stat().st_size < 5_000
    monkeypatch.setattr(dicom, "INFLATED", 30_000)
    monkeypatch.setattr(dicom, "CHUNK", 10_000)
    with pytest.raises(ValueError, match="deflated: holds more than"):
        dicom.load(path, stop_before_pixels=True)


WINDOWS = {
    "linear": {"WindowCenter": 1000, "WindowWidth": 700},
    "the first of several": {"WindowCenter": [1000, 90], "WindowWidth": [700, 40]},
    "exact": {"WindowCenter": 1000, "WindowWidth": 700, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 1000, "WindowWidth": 700, "VOILUTFunction": "SIGMOID"},
    "rescaled": {"WindowCenter": -24, "WindowWidth": 300, "RescaleSlope": 0.5,
                 "RescaleIntercept": -1024},
    "negative slope": {"WindowCenter": -500, "WindowWidth": 900, "RescaleSlope": -1,
                       "RescaleIntercept": 0},
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_the_window_is_that_of_pydicom(tmp_path, name):
    path = film(tmp_path / "a.dcm", TWELVE, **WINDOWS[name])
    data = pydicom.dcmread(path)
    shown = apply_voi_lut(pydicom.pixels.apply_modality_lut(TWELVE, data), data)
    slope, intercept = float(data.get("RescaleSlope", 1)), float(data.get("RescaleIntercept", 0))
    low, high = sorted((intercept, 4095 * slope + intercept))
    wanted = (shown - low) / (high - low) * 255
    if slope < 0:  # pydicom turns the tones round
        wanted = 255 - wanted
    assert np.abs(levels(path) - wanted).max() <= 0.51


def test_a_voi_table_is_looked_up(tmp_path):
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 10])
    table.add_new("LUTData", "US", [int(n**0.5 * 15) for n in range(4096)])
    path = film(tmp_path / "a.dcm", TWELVE, VOILUTSequence=[table])
    wanted = np.array(table.LUTData)[TWELVE] / 1023 * 255
    assert np.abs(levels(path) - wanted).max() <= 0.51


def test_without_a_window_or_without_wanting_it_percentiles_are_taken(tmp_path):
    low, high = np.percentile(TWELVE, (0.5, 99.5))
    wanted = np.clip((TWELVE - low) / (high - low), 0, 1) * 255
    bare = film(tmp_path / "a.dcm", TWELVE, WindowCenter=None, WindowWidth=None)
    useless = film(tmp_path / "b.dcm", TWELVE, WindowCenter=0, WindowWidth=0)
    windowed = film(tmp_path / "c.dcm", TWELVE)
    for path, how in ((bare, "voi"), (useless, "voi"), (windowed, "percentile")):
        assert np.abs(levels(path, how) - wanted).max() <= 0.51


def test_full_range_and_signed_values(tmp_path):
    signed = (TWELVE.astype(np.int16) - 2000).view(np.uint16)
    path = film(tmp_path / "a.dcm", signed, PixelRepresentation=1, BitsStored=16, HighBit=15)
    wanted = (TWELVE - TWELVE.min().astype(float)) / np.ptp(TWELVE) * 255
    assert np.abs(levels(path, "full") - wanted).max() <= 0.51


def test_colour_becomes_luminance(tmp_path):
    colour = np.dstack([GREY, GREY // 2, 255 - GREY])
    more = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    path = film(tmp_path / "a.dcm", **more, PixelData=colour.tobytes())
    assert np.abs(levels(path) - colour @ [0.299, 0.587, 0.114]).max() <= 1


# ------------------------------------------------------------------ compressed


def compressed(path, pixels, syntax, **options):
    """The film's pixels as Pillow encodes them."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, **options)
    data = pydicom.dcmread(film(path, pixels))
    data.PixelData = encapsulate([file.getvalue()])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(path)
    return path


def test_run_lengths_and_jpeg_2000_lose_nothing(tmp_path):
    path = film(tmp_path / "rle.dcm", TWELVE)
    plain = levels(path)
    data = pydicom.dcmread(path)
    data.compress(RLELossless)
    data.save_as(path)
    np.testing.assert_array_equal(levels(path), plain)
    options = {"format": "JPEG2000", "irreversible": False, "no_jp2": True}
    path = compressed(tmp_path / "j2k.dcm", GREY, JPEG2000Lossless, **options)
    np.testing.assert_array_equal(levels(path), GREY)


def test_jpeg_is_read_as_pillow_reads_it(tmp_path):
    path = compressed(tmp_path / "a.dcm", GREY, JPEGBaseline8Bit, format="JPEG", quality=90)
    file = BytesIO()
    Image.fromarray(GREY).save(file, format="JPEG", quality=90)
    np.testing.assert_array_equal(levels(path), np.asarray(Image.open(file)))


# ------------------------------------------------------------------ no film


def no_decoder(path):
    compressed(path, GREY, JPEGLSLossless, format="JPEG")


def cut(path):
    film(path)
    path.write_bytes(path.read_bytes()[:-300])


def cut_header(path):
    film(path)
    path.write_bytes(path.read_bytes()[:200])


def two_frames(path):
    film(path, NumberOfFrames=2, PixelData=GREY.tobytes() * 2)


def bomb(path):
    film(path, Rows=20_000, Columns=20_000)


def deep_bomb(path):
    film(path, Rows=12_000, Columns=12_000, BitsAllocated=32)


NO_FILM = {
    "without pixels": (lambda path: film(path, PixelData=None), "without pixels"),
    "without rows": (lambda path: film(path, Rows=None), "its header has no Rows"),
    "cut": (cut, "pixel data"),
    "cut in the header": (cut_header, "without pixels"),
    "text": (lambda path: path.write_text("no image"), "not a DICOM file"),
    "empty": (lambda path: path.touch(), "empty file"),
    "frames": (two_frames, "multi-frame: 2 frames"),
    "bomb": (bomb, "exceeds limit|too large to decode"),
    "deep bomb": (deep_bomb, "exceeds limit|too large to decode"),
    "tiny": (lambda path: film(path, GREY[:1, :1]), "too small: 1 x 1"),
    "no decoder": (no_decoder, "JPEG-LS.*pip install python-gdcm"),
}


@pytest.mark.parametrize("name", NO_FILM)
def test_what_is_no_film_has_a_reason(tmp_path, name):
    write, why = NO_FILM[name]
    write(tmp_path / "a.dcm")
    if name == "no decoder" and pydicom.pixels.get_decoder(JPEGLSLossless).is_available:
        pytest.skip("a decoder for JPEG-LS is installed")
    with pytest.raises(Exception, match=why):  # of any kind
        image.decode(tmp_path / "a.dcm", preparation.Image(size=16))


# ------------------------------------------------------------------ headers


def test_the_header_says_who_it_was(tmp_path):
    path = film(tmp_path / "a.dcm")
    assert dicom.person(path) == {"view": "PA", "sex": "F", "age": 61.0}
    assert dicom.sides(path) == (32, 24)
    blank = film(tmp_path / "b.dcm", PatientSex="O", PatientAge="", ViewPosition=None)
    assert str(dicom.person(blank)) == str({"view": None, "sex": None, "age": np.nan})


AGES = [("058Y", 58), ("013M", 13 / 12), ("62", 62), ("026W", 0.5), ("", np.nan), ("148", np.nan)]


@pytest.mark.parametrize(("text", "age"), [*AGES, ("Y", np.nan), ("12X", np.nan)])
def test_ages_are_years(text, age):
    assert dicom.years(text) == pytest.approx(age, nan_ok=True)


def test_real_films_are_read_bright_as_they_are_shown():
    folder = os.environ.get("CXRGRID_METADATA", "")
    found = sorted(Path(folder).glob("*.dcm")) if folder else []
    if not found:
        pytest.skip("CXRGRID_METADATA names no folder with DICOM files")
    kinds = {}
    for path in found:
        data = pydicom.dcmread(path)
        kinds[data.PhotometricInterpretation] = np.asarray(dicom.read(path, "voi")[0]).astype(int)
        assert kinds[data.PhotometricInterpretation].shape == (1024, 1024)
    assert (kinds["MONOCHROME1"] == 255 - kinds["MONOCHROME2"]).all()
