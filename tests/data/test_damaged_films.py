"""Damage is the reason, whatever a film is packed in; no part of it is read as the whole."""

import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from cxrgrid.data import dicom, jpeg_damage, oddities
from drawn_images import decoded, smooth
from long_tests import by_turns

ROW = {"patient": 3, "study": 1, "view": "PA", "sex": "F", "age": 61.0}
FILM = smooth(200, 160)


def packed(form) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(FILM).save(file, form)
        return file.getvalue()


def film(path, syntax, data):
    """A DICOM file that holds compressed pixels."""
    dicom.write(path, FILM, ROW)
    found = pydicom.dcmread(path)
    found.file_meta.TransferSyntaxUID = syntax
    found.PixelData = encapsulate([data + bytes(len(data) % 2)])
    found["PixelData"].is_undefined_length = True
    found.save_as(path)
    return path


def hole(data):
    middle = len(data) // 2
    return data[:middle] + bytes(200) + data[middle + 200 :]


DAMAGED = {
    "jpeg_hole": (JPEGBaseline8Bit, hole(packed("JPEG")), "damaged inside: "),
    "jpeg_ended": (JPEGBaseline8Bit, packed("JPEG")[:2000] + b"\xff\xd9", "damaged inside: "),
    "jpeg_2000": (JPEG2000Lossless, packed("JPEG2000")[:3000], r"Only\), damaged, or in a way"),
}


@pytest.mark.parametrize("name", by_turns(list(DAMAGED), 1))
def test_a_packed_film_with_a_hole_is_refused(tmp_path, name):
    syntax, data, reason = DAMAGED[name]
    path = film(tmp_path / "a.dcm", syntax, data)
    with jpeg_damage.listening(), pytest.raises(ValueError, match=reason):
        decoded(path)


def test_a_whole_packed_film_is_read_and_one_cut_off_called_that(tmp_path):
    path = film(tmp_path / "a.dcm", JPEGBaseline8Bit, packed("JPEG"))
    with jpeg_damage.listening():
        assert decoded(path).std() > 20
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match="cut off"):
        decoded(path)


@pytest.mark.parametrize("times", [2, 9])
def test_more_pixels_than_the_sides_hold_are_no_film_of_other_sides(tmp_path, times):
    path = tmp_path / "a.dcm"
    dicom.write(path, FILM, ROW)
    found = pydicom.dcmread(path)
    found.PixelData = FILM.tobytes() * times
    found.save_as(path)
    with pytest.raises(ValueError, match=f"{times} times the pixels of 160 x 200: several frames"):
        decoded(path)


def test_a_colour_png_of_sixteen_bits_without_its_end_is_not_read_in_another_tone(tmp_path):
    import cv2

    wide = np.stack([FILM.astype(np.uint16) * 16] * 3, -1)
    data = cv2.imencode(".png", wide)[1].tobytes()
    (tmp_path / "a.png").write_bytes(data)
    assert decoded(tmp_path / "a.png").max() > 240
    (tmp_path / "a.png").write_bytes(data[:-3])
    with pytest.raises(ValueError, match="damaged: 16 bits a channel"):
        decoded(tmp_path / "a.png")


def test_a_black_band_within_an_image_is_odd_and_black_around_it_is_not():
    lost = FILM.copy()
    lost[80:110] = 0
    assert "30 of 200 rows in the middle of it are all 0" in oddities.of_image(lost, (160, 200))
    assert "columns in the middle" in oddities.of_image(lost.T.copy(), (200, 160))
    around = np.pad(FILM, 30)
    assert oddities.of_image(around, around.shape[::-1]) == ""
