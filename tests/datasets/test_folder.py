"""Sub-folders are classes; train, val and test above them are a shipped list."""

import os

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.datasets import folder

SETTINGS = {"dataset": "mine", "patient": ""}
CLASSES = ["COVID/p1_a.png", "COVID/deep/p1_b.JPG", "Normal/p2.jpeg", "Normal/p3_x.Tiff"]
PARTED = ["train/A/1.png", "train/B/2.png", "val/A/3.png", "test/B/4.png"]


def lay(root, paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root, paths, **change):
    return folder.read(lay(root, paths), SETTINGS | change)


def test_the_folder_is_the_class(tmp_path):
    frame = read(tmp_path, CLASSES)
    assert frame["image"].tolist() == sorted(CLASSES)
    assert frame.attrs["labels"] == ["COVID", "Normal"]
    assert frame["COVID"].tolist() == [1, 1, 0, 0] and frame["Normal"].tolist() == [0, 0, 1, 1]
    assert not [name for name in frame if name.startswith("split:")]


def test_hidden_and_other_files_are_no_images(tmp_path):
    more = ["COVID/._p1_a.png", "COVID/notes.txt", ".git/x.png", "__MACOSX/COVID/._p1_a.png"]
    frame = read(tmp_path, CLASSES + more)
    assert len(frame) == 4 and frame.attrs["labels"] == ["COVID", "Normal"]


def test_images_outside_of_class_folders_are_counted(tmp_path):
    frame = read(tmp_path, [*CLASSES, "cover.png"])
    assert [step["images"] for step in frame.attrs["accounting"]] == [5, 4]
    assert "in no class folder, left out: 1." in frame.attrs["notes"][0]


def test_train_val_and_test_are_a_shipped_list(tmp_path):
    frame = read(tmp_path, [*PARTED, "others/C/5.png", "train/6.png"])
    assert frame.set_index("image")["split:folders"].to_dict() == {
        path: path.split("/")[0] for path in PARTED
    }
    assert frame.attrs["labels"] == ["A", "B"]
    assert [step["images"] for step in frame.attrs["accounting"]] == [6, 4]


def test_a_class_may_be_called_train(tmp_path):
    frame = read(tmp_path, ["train/1.png", "tram/2.png"])
    assert frame.attrs["labels"] == ["train", "tram"]


@pytest.mark.parametrize(
    "pattern, patients",
    [
        (r"p\d+", ["p1", "p1", "p2", "p3"]),
        (r"p(\d+)", ["1", "1", "2", "3"]),
        (r"^([a-z])(\d+)", ["p", "p", "p", "p"]),
    ],
)
def test_the_patient_is_what_the_expression_finds(tmp_path, pattern, patients):
    assert read(tmp_path, CLASSES, patient=pattern)["patient"].tolist() == patients


def test_without_an_expression_each_image_is_its_own_patient(tmp_path):
    frame = read(tmp_path, CLASSES)
    assert frame["patient"].equals(frame["image"])
    assert "datasets.mine.patient" in frame.attrs["notes"][0]


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("p(", "datasets.mine.patient: 'p\\(' is not a regular expression"),
        (r"p\d_", "finds no patient in 1 of 4 file names, first 'Normal/p2.jpeg'"),
        (r"(x)?", "finds no patient in 4 of 4"),
    ],
)
def test_an_expression_that_does_not_fit_is_refused(tmp_path, pattern, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, [*CLASSES[:2], CLASSES[2], "Normal/p3_x.Tiff"], patient=pattern)


@pytest.mark.parametrize(
    "paths, message",
    [
        (["notes.txt"], "no image"),
        (["A/1.png"], "only the folder 'A'"),
        (["1.png", "2.png"], "two or more class folders are needed, none"),
        (["A/1.png", "age/2.png"], "class folder 'age'"),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_refused(tmp_path, paths, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, paths)


def test_links_are_followed_but_not_round_for_ever(tmp_path):
    root = lay(tmp_path / "root", CLASSES)
    lay(tmp_path / "elsewhere", ["p7.png"])
    (root / "Viral").symlink_to(tmp_path / "elsewhere")
    (root / "COVID/loop").symlink_to(root)
    frame = folder.read(root, SETTINGS)
    assert frame["image"].tolist() == sorted([*CLASSES, "Viral/p7.png"])


def test_names_that_are_not_utf_8_are_left_out_and_counted(tmp_path):
    root = lay(tmp_path, CLASSES)
    try:
        (root / os.fsdecode(b"COVID/\xfc.png")).touch()
        (root / os.fsdecode(b"\xff")).mkdir()
        (root / os.fsdecode(b"\xff/1.png")).touch()
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    frame = folder.read(root, SETTINGS)
    assert frame["image"].tolist() == sorted(CLASSES)
    assert frame.attrs["labels"] == ["COVID", "Normal"]
    assert [step["images"] for step in frame.attrs["accounting"]] == [6, 4]
    assert frame.attrs["notes"][0] == "Images whose path is not UTF-8, left out: 2."


@pytest.mark.parametrize(
    "name", ["übersicht.png", "胸部.png", "a b.png", "a\nb.png", "-x.png", "%1.png"]
)
def test_an_image_may_have_any_letters(tmp_path, name):
    frame = read(tmp_path, [f"A/{name}", "B/1.png"])
    assert frame["image"].tolist() == [f"A/{name}", "B/1.png"]


def test_what_is_no_image_file_is_left_to_the_decoder(tmp_path):
    root = lay(tmp_path, CLASSES)
    (root / "COVID/gone.png").symlink_to(root / "nowhere.png")
    (root / "COVID/folder.png").mkdir()
    assert folder.read(root, SETTINGS)["image"].tolist() == sorted([*CLASSES, "COVID/gone.png"])
