"""Images that a table names: how `new` finds them, and what it says of those that it does not."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, image_lookup
from drawn_tables import (
    PEOPLE,
    PLAIN,
    drafted,
    effusion,
    film,
    lay,
    patient,
    rows,
    stems,
)

pytestmark = pytest.mark.usefixtures("own_folder")


def test_images_that_are_still_packed_are_named():
    Path("mine").mkdir()
    Path("mine/images.zip").touch()
    Path("mine/labels.csv").write_text(rows(**PLAIN))
    with pytest.raises(UserError, match="unpack 'images.zip' first"):
        drafted("mine")


def test_letters_that_a_disk_writes_as_two_are_found():
    """macOS takes ü apart."""
    for n in range(12):
        film(Path("mine") / unicodedata.normalize("NFD", f"für {n}.png"), n)
    lines = [unicodedata.normalize("NFC", f"für {n}.png,{n % 2}") for n in range(12)]
    Path("mine/labels.csv").write_text("\n".join(["image,Effusion", *lines]) + "\n")
    assert len(drafted("mine")[1]) == 12


@pytest.mark.parametrize("folders", [("annotations", "images"), ("masks", "x")])
def test_masks_of_the_same_names_are_not_taken_for_the_images(folders, capsys):
    for name, n in PEOPLE:
        for folder in folders:
            film(Path(f"mine/{folder}/{name}.png"), n)
    Path("mine/labels.csv").write_text(rows(image="{}.png", **PLAIN))
    assert drafted("mine")[0]["root"] == f"mine/{folders[1]}"


def test_images_of_the_same_names_in_two_folders_are_a_question():
    for name, n in PEOPLE:
        for folder in "xy":
            film(Path(f"mine/{folder}/{name}.png"), n)
    Path("mine/labels.csv").write_text(rows(image="{}.png", **PLAIN))
    with pytest.raises(UserError, match="could be those in mine/x or in mine/y"):
        drafted("mine")
    assert drafted("mine/y")[0]["root"] == "mine/y"


def test_images_that_the_table_does_not_name_are_counted(capsys):
    film(lay(Path("mine"), rows(**PLAIN)) / "img/other.png", 3)
    drafted("mine")
    assert "1 images lie there that the table does not name, as" in capsys.readouterr().out


def test_films_of_another_kind_are_counted_once(monkeypatch, capsys):
    kind = {f"img/{name}.dcm": "CT" for name, n in PEOPLE if n > 10}
    monkeypatch.setattr(dicom, "no_films", lambda _, images: [kind.get(i, "") for i in images])
    for name, n in PEOPLE:
        who = {"patient": n, "study": int(name[-1]), "view": "PA", "sex": "F", "age": 40}
        dicom.write(Path(f"mine/img/{name}.dcm"), np.zeros((16, 16), np.uint8), who)
    Path("mine/labels.csv").write_text(rows(image="img/{}.dcm", **PLAIN))
    assert len(drafted("mine")[1]) == 22
    said = capsys.readouterr().out
    assert "left out: CT 2." in said and "does not name" not in said


def test_images_in_several_folders_are_all_found():
    for name, n in PEOPLE:
        film(Path(f"mine/{'train' if n < 8 else 'test'}/{name}.png"), n)
    Path("mine/labels.csv").write_text(rows(image="{}.png", **PLAIN))
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "tail" and len(frame) == 24


@pytest.mark.parametrize("place", ["{}/1.png", "all/{}_PA_view.png", "a/{}/s1/1.png"])
def test_an_id_is_found_in_the_path(place):
    for n in range(12):
        film(Path("mine") / place.format(f"ACC{n}"), n)
    lines = ["id,Effusion", *(f"ACC{n},{n % 2}" for n in range(12))]
    Path("mine/labels.csv").write_text("\n".join(lines) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "part" and len(frame) == 12
    order = sorted(range(12), key=lambda n: place.format(f"ACC{n}"))
    assert frame["Effusion"].tolist() == [n % 2 for n in order]


def test_numbers_whose_zeros_a_spreadsheet_took_away_are_found():
    for number in range(24):
        film(Path(f"mine/img/{number:04d}.png"), number)
    lines = [f"{number},{number % 2},{int(number % 3 == 0)}" for number in range(24)]
    Path("mine/labels.csv").write_text("\n".join(["id,Effusion,Mass", *lines]) + "\n")
    _, frame = drafted("mine")
    assert [int(stem) for stem in stems(frame)] == list(range(24))
    assert frame["Effusion"].tolist() == [0, 1] * 12


def test_a_folder_inside_a_publishers_layout_names_the_one_that_is_meant(monkeypatch):
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum\n"
    for n in range(30):
        film(Path(f"CheXpert-v1.0/train/patient{n:05d}/study1/view1_frontal.jpg"), n)
    Path("CheXpert-v1.0/train.csv").write_text(header)
    with pytest.raises(UserError, match="lies in CheXpert-v1.0, which is laid out as 'chexpert'"):
        drafted("CheXpert-v1.0/train")
    with pytest.raises(UserError, match="no column 'Cardiomegaly'"):
        drafted("CheXpert-v1.0")


@pytest.mark.parametrize("shown", ["5", "00005"])
@pytest.mark.parametrize("held", ["00005", "5"])
def test_an_id_in_a_header_is_found_with_or_without_its_zeros(monkeypatch, shown, held):
    monkeypatch.setattr(dicom, "attributes", lambda root, images, name: ["17", held])
    find = image_lookup.lookup(Path(), ["a", "b"], "PatientID")
    assert find(shown) == ["b"] and find("17") == ["a"] and find("18") == []


def numbered(header: str) -> Path:
    """Images called by a number; a table whose first column counts its rows, in another order."""
    for n in range(24):
        film(Path(f"mine/img/{n + 1:04}.png"), n)
    lines = [f"{at + 1},{24 - at},{'ill' if at % 2 else 'well'}" for at in range(24)]
    Path("mine/labels.csv").write_text("\n".join([header, *lines]) + "\n")
    return Path("mine")


def test_a_running_number_is_not_taken_for_the_number_of_an_image():
    _, frame = drafted(numbered("sr_no,image,diagnosis"))
    assert frame.set_index("image")["ill"].to_dict() == {
        f"img/{n:04}.png": n % 2 for n in range(1, 25)
    }
    table = numbered("sr_no,image,diagnosis") / "labels.csv"
    more = [f"{25 + n},{n},{'well' if n % 2 == 0 else 'ill'}" for n in range(1, 9)]
    table.write_text("\n".join([table.read_text().strip(), *more]) + "\n")  # some images twice
    assert drafted("mine", "--force")[0]["columns"]["image"] == "image"
    with pytest.raises(UserError, match="columns 'sr_no' and 'number' could each name the images"):
        drafted(numbered("sr_no,number,diagnosis"), "--force")


@pytest.mark.parametrize("above", ["/old/data/", ""])
def test_an_image_of_another_patient_is_not_taken_for_one_that_is_missing(above):
    for n in range(24):
        film(Path(f"mine/img/{'pat33' if n == 3 else f'pat{n:02}'}/scan{n:02}.png"), n)
    lines = [f"{above}pat{n:02}/scan{n:02}.png,pat{n:02},{n % 2}" for n in range(24)]
    Path("mine/labels.csv").write_text("\n".join(["path,patient,Effusion", *lines]) + "\n")
    _, frame = drafted("mine")
    assert len(frame) == 23 and "img/pat33/scan03.png" not in set(frame["image"])


def test_images_that_differ_in_their_ending_alone_are_named():
    lay(Path("mine"), rows(image="{}", patient=patient, Effusion=effusion))
    for path in Path("mine/img").iterdir():
        Image.open(path).save(path.with_suffix(".jpg"))
    with pytest.raises(UserError, match=r"may be 'img/p00_1.jpg' or 'img/p00_1.png'; write the"):
        drafted("mine")
