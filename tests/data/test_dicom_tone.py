"""A film's tone is the one that its header declares, as dcmtk renders it where dcmtk is there."""

import itertools
import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from PIL import Image

from cxrgrid.data import dicom, dicom_tone

ROW = {"patient": 3, "study": 1, "view": "PA", "sex": "F", "age": 61.0}
TWELVE = np.arange(4096, dtype=np.uint16).reshape(64, 64)
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}
KINDS = ("MONOCHROME1", "MONOCHROME2")


def film(path, pixels=TWELVE, **elements):
    """A DICOM file whose stored values are `pixels` and whose header says `elements`."""
    dicom.write(path, pixels, ROW)
    found = pydicom.dcmread(path)
    found.PixelData = pixels.tobytes()
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name in ("WindowCenter", "WindowWidth"):
        if name in found:
            delattr(found, name)
    for name, value in elements.items():
        if name == "PixelPaddingValue":
            found.add_new(name, "US", value)
        else:
            setattr(found, name, value)
    found.save_as(path)
    return path


def table(data, first, bits, words=True):
    """A lookup table as files carry it, in words or in bytes."""
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [len(data) % 65536, first, bits])
    item.add_new("LUTData", "OW", np.asarray(data, "<u2" if words else "u1").tobytes())
    return [item]


def shown(path, how="voi"):
    image, remark = dicom.read(path, how)
    return np.asarray(image).astype(int), remark


RAMP = np.arange(4096)
SLOPES = [(1, 0), (2, -100), (0.5, 10), (-1, 4095), (-0.5, 1000), (-10, 3000)]
TONES = {
    f"{kind[-1]} {function} {slope:g}": {
        "PhotometricInterpretation": kind, "VOILUTFunction": function,
        "RescaleSlope": slope, "RescaleIntercept": start,
        "WindowCenter": start + slope * 2048, "WindowWidth": abs(slope) * 3000,
    }
    for kind, function, (slope, start) in itertools.product(KINDS, ("LINEAR", "SIGMOID"), SLOPES)
}  # fmt: skip
for kind in KINDS:
    base = {"PhotometricInterpretation": kind}
    TONES |= {
        f"{kind[-1]} {name}": base | elements
        for name, elements in {
            "identity": WINDOW | {"PresentationLUTShape": "IDENTITY"},
            "inverse": WINDOW | {"PresentationLUTShape": "INVERSE"},
            "curve": {"VOILUTSequence": table((RAMP**1.5 / 64).astype(int), 0, 12)},
            "sixteen": {"VOILUTSequence": table(RAMP * 16, 0, 16)},
            "eight": {"VOILUTSequence": table(RAMP // 16, 0, 8)},
            "short": {"VOILUTSequence": table(np.arange(2000) * 2, 500, 12)},
            "modality": WINDOW | {"ModalityLUTSequence": table(RAMP[::-1], 0, 12)},
        }.items()
    }


@pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="dcm2pnm of dcmtk is not installed")
@pytest.mark.parametrize("name", TONES)
def test_a_film_looks_as_dcmtk_shows_it(tmp_path, name):
    path = film(tmp_path / "a.dcm", **TONES[name])
    use = "+Wl" if "VOILUTSequence" in TONES[name] else "+Wi"
    subprocess.run(["dcm2pnm", "+op", use, "1", path, tmp_path / "a.pgm"], check=True)
    wanted = np.asarray(Image.open(tmp_path / "a.pgm")).astype(int)
    assert np.abs(shown(path)[0] - wanted).max() <= 2


STORED = {
    "in_the_upper_bits": (TWELVE << 4, {"BitsStored": 12, "HighBit": 15} | WINDOW),
    "eight_in_sixteen": (TWELVE >> 4, {"BitsStored": 8, "HighBit": 7}),
    "thirty_two": (
        TWELVE.astype(np.uint32) * 1000,
        {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}
        | {"WindowCenter": 2048000, "WindowWidth": 4096000},
    ),
    "signed": (TWELVE.astype(np.int16) - 2048, {"WindowCenter": 0, "WindowWidth": 3000}),
}


@pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="dcm2pnm of dcmtk is not installed")
@pytest.mark.parametrize("name", STORED)
def test_bits_are_taken_from_where_they_are_stored(tmp_path, name):
    pixels, elements = STORED[name]
    path = film(tmp_path / "a.dcm", pixels, **elements)
    use = ["+Wi", "1"] if "WindowCenter" in elements else []
    subprocess.run(["dcm2pnm", "+op", *use, path, tmp_path / "a.pgm"], check=True)
    wanted = np.asarray(Image.open(tmp_path / "a.pgm")).astype(int)
    found, remark = shown(path)
    assert np.abs(found - wanted).max() <= 2 and not remark


def test_a_slope_of_zero_is_no_slope(tmp_path):
    usual, _ = shown(film(tmp_path / "a.dcm", **WINDOW))
    nothing = {"RescaleSlope": 0, "RescaleIntercept": 0}
    assert np.array_equal(shown(film(tmp_path / "b.dcm", **WINDOW, **nothing))[0], usual)


@pytest.mark.parametrize("name", ["PixelRepresentation", "SamplesPerPixel", "BitsStored"])
def test_what_a_header_lacks_and_everybody_knows_is_filled_in(tmp_path, name):
    path = film(tmp_path / "a.dcm", TWELVE, BitsStored=16, HighBit=15, **WINDOW)
    usual, _ = shown(path)
    found = pydicom.dcmread(path)
    delattr(found, name)
    found.save_as(path)
    assert np.array_equal(shown(path)[0], usual)


@pytest.mark.parametrize("implicit", [True, False])
def test_a_bare_data_set_without_file_meta_is_read(tmp_path, implicit):
    usual, _ = shown(path := film(tmp_path / "a.dcm", **WINDOW))
    found = pydicom.dcmread(path)
    bare = pydicom.Dataset(found)
    bare.save_as(tmp_path / "b", implicit_vr=implicit, little_endian=True)
    assert dicom.starts((tmp_path / "b").read_bytes()[:132])
    assert np.array_equal(shown(tmp_path / "b")[0], usual)


def test_padding_of_signed_levels_may_be_written_as_unsigned(tmp_path):
    signed = TWELVE.astype(np.int16) - 2048
    signed[:, :20] = -3000
    elements = {"BitsStored": 16, "HighBit": 15, "PixelPaddingValue": 2**16 - 3000}
    found, _ = shown(film(tmp_path / "a.dcm", signed, **elements))
    assert (found[:, :20] == 0).all() and found[:, 20:].max() == 255
    assert np.median(found[:, 20:]) == pytest.approx(127, abs=4)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("slope", "start"), SLOPES)
def test_bright_is_where_rescaled_values_are_high(tmp_path, function, slope, start):
    window = {"WindowCenter": start + slope * 2048, "WindowWidth": abs(slope) * 4096}
    rescale = {"RescaleSlope": slope, "RescaleIntercept": start, "VOILUTFunction": function}
    found, remark = shown(film(tmp_path / "a.dcm", **window, **rescale))
    rise = np.diff(found.ravel()) * np.sign(slope)
    assert (rise >= 0).all() and rise.sum() > 180 and not remark


SHAPES = [("MONOCHROME1", "", True), ("MONOCHROME1", "INVERSE", True), ("MONOCHROME2", "", False)]
SHAPES += [("MONOCHROME1", "IDENTITY", False), ("MONOCHROME2", "INVERSE", True)]


@pytest.mark.parametrize(("kind", "shape", "inverted"), SHAPES)
def test_the_presentation_shape_goes_before_the_photometric_word(tmp_path, kind, shape, inverted):
    more = {"PresentationLUTShape": shape} if shape else {}
    path = film(tmp_path / "a.dcm", PhotometricInterpretation=kind, **WINDOW, **more)
    assert (shown(path)[0][0, 0] == 255) == inverted


UNFIT = {
    "of_eight_bits": ({"WindowCenter": 127, "WindowWidth": 256}, "percentiles are used"),
    "far_away": ({"WindowCenter": 30000, "WindowWidth": 100}, "percentiles are used"),
    "second_fits": (
        {"WindowCenter": [128, 2048], "WindowWidth": [256, 4096]},
        "window 128, 256 does not fit its values: window 2048, 4096 is used",
    ),
    "flat_table": ({"VOILUTSequence": table([7] * 4096, 0, 8)}, "VOI table 1 does not fit"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_window_meant_for_other_data_is_not_used_and_said(tmp_path, name):
    elements, said = UNFIT[name]
    found, remark = shown(film(tmp_path / "a.dcm", **elements))
    assert said in remark and np.ptp(found) == 255 and len(np.unique(found)) > 200


def test_padding_is_black_and_outside_of_the_percentiles(tmp_path):
    for padding in (0, 4095, 65535):
        pixels = (TWELVE // 4 + 1000).astype(np.uint16)
        plain = shown(film(tmp_path / "plain.dcm", pixels[:, 20:].copy(), Columns=44))[0]
        pixels[:, :20] = padding
        for kind in KINDS:
            more = {"PixelPaddingValue": padding, "PhotometricInterpretation": kind}
            found = shown(film(tmp_path / "a.dcm", pixels, BitsStored=16, HighBit=15, **more))[0]
            assert (found[:, :20] == 0).all()
            wanted = plain if kind == KINDS[1] else 255 - plain
            np.testing.assert_array_equal(found[:, 20:], wanted)


def test_overlays_in_the_upper_bits_are_no_grey_levels(tmp_path):
    pixels = TWELVE.copy()
    pixels[:8, :8] |= 0x8000
    plain = shown(film(tmp_path / "a.dcm"))[0]
    np.testing.assert_array_equal(shown(film(tmp_path / "b.dcm", pixels))[0], plain)


def test_bits_that_say_too_little_are_not_believed(tmp_path):
    found = shown(film(tmp_path / "a.dcm", BitsStored=8, HighBit=7))[0]
    assert len(np.unique(found)) > 200 and (np.diff(found.ravel()) >= 0).all()


@pytest.mark.parametrize("bits, words", [(16, True), (8, True), (8, False)])
def test_a_table_is_as_bright_as_its_data_whatever_bits_it_says(tmp_path, bits, words):
    data = RAMP // 16 if not words or bits == 8 else RAMP
    path = film(tmp_path / "a.dcm", VOILUTSequence=table(data, 0, bits, words))
    assert np.abs(shown(path)[0].ravel() - RAMP / 4095 * 255).max() <= 1


def test_a_table_may_begin_below_zero(tmp_path):
    signed = (TWELVE.astype(np.int16) - 2048).astype(np.int16)
    path = film(tmp_path / "a.dcm", signed, VOILUTSequence=table(RAMP, 65536 - 2048, 12),
                BitsStored=16, HighBit=15)  # fmt: skip
    assert np.abs(shown(path)[0].ravel() - RAMP / 4095 * 255).max() <= 1


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.113", "SCAN.IMA", "x.png"])
def test_a_film_is_known_by_its_content_with_or_without_a_preamble(tmp_path, name):
    path = film(tmp_path / "a.dcm", **WINDOW)
    whole, bare = path.read_bytes(), path.read_bytes()[132:]
    assert whole[128:132] == b"DICM"
    wanted = shown(path)[0]
    for data in (whole, bare):
        (tmp_path / name).write_bytes(data)
        assert dicom.starts(data[:132])
        np.testing.assert_array_equal(shown(tmp_path / name)[0], wanted)


def test_values_too_far_apart_for_a_table_are_stretched():
    pixels = np.array([[0, 2**31], [2**30, 2**30]], np.uint32)
    header = pydicom.Dataset()
    header.PhotometricInterpretation, header.BitsStored, header.BitsAllocated = KINDS[1], 32, 32
    assert np.ptp(dicom_tone.eight_bit(pixels, header, "voi")[0]) == 255
