"""Folders as people have them: what `new` writes reads every image with its class, or it asks."""

import itertools
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
import yaml
from PIL import Image

from cxrgrid import new
from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, folder_layout
from cxrgrid.drafting import layouts, no_classes, questions, same_files
from cxrgrid.drafting.questions import Question

KINDS = ("COVID", "Normal")
NUMBERS = range(6)


pytestmark = pytest.mark.usefixtures("own_folder")


def lay(*patterns: str, **parts: tuple[str, ...]) -> Path:
    """Images by patterns of {kind}, {n} and, where there are any, {part}."""
    for pattern in patterns:
        for part in parts.get("parts", ("",)):
            for kind in KINDS:
                for n in NUMBERS:
                    path = Path("mine") / pattern.format(kind=kind, n=n, part=part)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shade = (sum(map(ord, kind + part)) + n) % 150
                    Image.fromarray(
                        np.arange(256, dtype=np.uint8).reshape(16, 16) // 4 + np.uint8(shade)
                    ).save(path, "PNG")
    return Path("mine")


def drafted(*more):
    """The dataset that `new` writes, and its images as `index` will read them."""
    new.main(["mine", *more])
    [written] = Path("studies").glob("*.yaml")
    [entry] = yaml.safe_load(written.read_text())["datasets"].values()
    return entry, layouts.read(entry, "mine")


def of_class(frame) -> Counter:
    return Counter(frame["COVID"].map({1.0: "COVID", 0.0: "Normal"}))


WHOLE = {
    "plain": "{kind}/{n}.png",
    "one_level_down": "data/{kind}/{n}.png",
    "two_levels_down": "dataset/images/{kind}/{n}.png",
    "images_below_classes": "{kind}/images/{n}.png",
    "capital_endings": "{kind}/{n}.PNG",
    "webp_and_jfif": "{kind}/{n}.jfif",
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_class_is_the_folder_wherever_it_stands(name):
    lay(WHOLE[name])
    entry, frame = drafted()
    assert entry["labels"] == list(KINDS) and of_class(frame) == {"COVID": 6, "Normal": 6}


SPELLINGS = [
    ("train", "val", "test"),
    ("Train", "Val", "Test"),
    ("training", "validation", "testing"),
    ("TRAIN", "TEST"),
    ("Training_set", "Test_set"),
    ("train_data", "valid_data", "test_data"),
    ("train", "dev", "test"),
]
PARTED = ["{part}/{kind}/{n}.png", "data/{part}/{kind}/{n}.png", "{kind}/{part}/{n}.png"]


@pytest.mark.parametrize("pattern", PARTED)
@pytest.mark.parametrize("parts", SPELLINGS, ids=" ".join)
def test_parts_are_no_classes_in_any_spelling(parts, pattern):
    lay(pattern, parts=parts)
    entry, frame = drafted()
    assert entry["labels"] == list(KINDS) and entry["split"] == {"name": "folders"}
    expected = ["train", "val", "test"] if len(parts) == 3 else ["train", "test"]
    assert frame["split:folders"].value_counts().to_dict() == dict.fromkeys(expected, 12)


MASKS = {
    "folders": ("{kind}/images/{n}.png", "{kind}/masks/{n}.png"),
    "lung_masks": ("{kind}/images/{n}.png", "{kind}/lung masks/{n}.png"),
    "above": ("images/{kind}/{n}.png", "masks/{kind}/{n}.png"),
    "names": ("{kind}/{n}.png", "{kind}/{n}_mask.png"),
    "truths": ("{kind}/{n}.png", "{kind}/{n}_GT.png"),
    "segmentations": ("{kind}/{n}.png", "{kind}/segmentation/{n}-seg.png"),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_left_out_and_said(name, capsys):
    lay(*MASKS[name])
    entry, frame = drafted()
    assert entry["labels"] == list(KINDS) and len(frame) == 12
    assert "Masks or thumbnails beside the images, left out: 12." in capsys.readouterr().out


def test_unlabelled_images_are_left_out_and_said(capsys):
    lay("{kind}/{n}.png", "Unlabelled/{kind}{n}.png", "unknown/{kind}{n}.png")
    entry, frame = drafted()
    assert entry["labels"] == list(KINDS) and len(frame) == 12
    assert "unlabelled or unknown, left out: 24." in capsys.readouterr().out


@pytest.mark.parametrize(
    "pattern", ["{kind}/{n}/a{part}.png", "data/{kind}/patient{n}/a{part}.png"]
)
def test_patients_may_be_folders_below_the_class(pattern):
    lay(pattern, parts=("1", "2", "3"))
    _, frame = drafted()
    assert len(frame) == 36
    assert frame["patient"].nunique() == 6  # their numbers start anew in each class, as is said


NAMES = {
    "word_and_number": "{kind}-{n}.png",
    "in_brackets": "{kind} ({n}).png",
    "at_the_end": "{n}_{kind}.png",
    "a_folder_down": "images/{kind}{n}.png",
    "in_parts": "{part}/{kind}-{n}.png",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_class_may_be_in_the_files_name(name, capsys):
    lay(NAMES[name], parts=("train", "test") if "part" in NAMES[name] else ("",))
    entry, frame = drafted()
    assert of_class(frame)["COVID"] == of_class(frame)["Normal"] == len(frame) / 2
    assert ("split:folders" in frame) == (name == "in_parts")
    assert entry["classes"] in capsys.readouterr().out


@pytest.mark.parametrize("end", ["", "_PA"])
def test_a_class_of_several_words_in_a_name_is_not_cut(end):
    for n, kind in enumerate(["viral_pneumonia", "bacterial_pneumonia", "normal"] * 6):
        lay_one(Path(f"mine/patient{n:03d}_{kind}{end}.png"))
    entry, _ = drafted()
    assert entry["labels"] == ["bacterial_pneumonia", "normal", "viral_pneumonia"]


def test_test_images_without_a_class_are_left_out_and_said(capsys):
    root = lay("train/{kind}/{n}.png")
    for n in NUMBERS:
        lay_one(root / f"test/{n}.png")
    entry, frame = drafted()
    assert entry["labels"] == list(KINDS) and entry["split"] == {"name": "patient"}
    assert len(frame) == 12 and "Images in no class folder, left out: 6" in capsys.readouterr().out


def test_a_digit_at_the_end_may_be_the_class():
    for n in range(24):
        lay_one(Path(f"mine/CXR_{n:04}_{n % 2}.png"))
    entry, frame = drafted()
    assert entry["labels"] == ["0", "1"] and frame["1"].sum() == 12


def test_two_classes_in_the_files_names_are_a_question(monkeypatch):
    for n in range(24):
        lay_one(Path(f"mine/{'COVID' if n % 2 else 'Normal'}-{n}_{'wet' if n % 3 else 'dry'}.png"))
    with pytest.raises(Question, match="COVID, Normal or dry, wet.; choose, as --adapter folder"):
        drafted()
    monkeypatch.setattr(questions, "can_answer", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: "2")
    entry, frame = drafted()
    assert entry["labels"] == ["dry", "wet"] and frame["wet"].sum() == 16
    given = ["--force", "--adapter", "folder", "--classes"]
    assert drafted(*given, "^([A-Za-z]+)")[0]["labels"] == ["COVID", "Normal"]
    with pytest.raises(UserError, match="is not a regular expression"):
        drafted(*given, "(")


def test_folders_of_folds_are_no_classes():
    lay("fold{part}/{kind}/{part}x{n}.png", parts=("1", "2", "3"))
    assert drafted()[0]["labels"] == list(KINDS)


def test_images_called_like_copies_of_others_are_said(capsys):
    lay("{kind}/{kind}{n}.png", "{kind}/{kind}{n}_flip.png")
    drafted()
    assert "12 images are called like copies of others" in capsys.readouterr().out


def test_sites_above_parts_are_passed_through():
    lay("site{part}/train/{kind}/{n}.png", "site{part}/test/{kind}/t{n}.png", parts=("A", "B"))
    entry, frame = drafted()
    assert entry["labels"] == list(KINDS) and len(frame) == 48
    assert frame["split:folders"].value_counts().to_dict() == {"train": 24, "test": 24}


QUESTIONS = {
    "parts_alone": ("{part}/{n}{kind}.png", "are parts of a split, not classes"),
    "patients": ("patient{n}/{kind}.png", "look like patients: no label is here"),
    "as_many_as_patients": ("{kind}{n}/a.png", "12 classes of 12 patients"),
    "flat": ("image_{n}.png", "no labels to learn"),
    "one_class": ("all/{kind}.png", "no labels to learn"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_folder_without_labels_says_that_there_are_none(name):
    pattern, said = QUESTIONS[name]
    lay(pattern, parts=("train", "test") if "part" in pattern else ("",))
    with pytest.raises(UserError, match=said):
        drafted()
    assert not Path("studies").exists()


def test_a_class_of_few_patients_is_a_question_unless_the_layout_is_named():
    root = lay("{kind}/{n}.png")
    (root / "Odd").mkdir()
    (root / "Normal/0.png").rename(root / "Odd/0.png")
    with pytest.raises(UserError, match="the class 'Odd' has 1 patients only"):
        drafted()
    assert drafted("--adapter", "folder")[0]["labels"] == ["COVID", "Normal", "Odd"]


def test_a_table_that_lies_there_unused_is_a_question(capsys):
    root = lay("{kind}/{n}.png")
    (root / "patients.csv").write_text(
        "image,patient\n" + "".join(f"{kind}/{n}.png,p{n}\n" for kind in KINDS for n in NUMBERS)
    )
    with pytest.raises(UserError, match="say --adapter folder"):
        drafted()
    entry, _ = drafted("--adapter", "folder")
    assert entry["labels"] == list(KINDS)


def test_class_folders_of_dicom_files_are_read_with_their_patients():
    for number in range(24):
        row = {"patient": number // 2, "study": number % 2, "view": "PA", "sex": "F", "age": 40}
        place = Path("mine") / KINDS[number % 4 // 2]
        place.mkdir(parents=True, exist_ok=True)
        name = f"1.2.840.{number}.7" if number % 2 else f"IM{number}.dcm"
        dicom.write(place / name, np.arange(256, dtype=np.uint8).reshape(16, 16), row)
    entry, frame = drafted()
    assert entry["patient"] == "PatientID" and frame["patient"].nunique() == 12
    assert set(frame["view"]) == {"PA"} and set(frame["sex"]) == {"F"} and len(frame) == 24


def test_what_is_no_image_is_counted_by_its_ending(capsys):
    root = lay("{kind}/{n}.png")
    for name in ("a.txt", "b.txt", "c.nii", "without"):
        (root / "COVID" / name).write_text("no image")
    os.mkfifo(root / "COVID/pipe.png")
    (root / "Normal/loop").symlink_to(root.resolve())
    drafted()
    told = capsys.readouterr().out
    for text in ("2 .txt", "1 .nii", "1 without an ending", "1 no regular files", "1 links to a"):
        assert text in told


def test_a_folder_that_cannot_be_opened_is_named(monkeypatch):
    root = lay("{kind}/{n}.png", "{kind}/closed/{n}.png")
    scandir = os.scandir

    def closed(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", closed)
    notes = layouts.read({"adapter": "folder", "root": str(root)}, "mine").attrs["notes"]
    assert any("COVID/closed: Permission denied" in note for note in notes)


def test_new_shows_rows_and_writes_nothing_in_a_dry_run(capsys):
    lay("{kind}/{n}.png")
    new.main(["mine", "--dry-run"])
    told = capsys.readouterr().out
    assert "COVID/0.png → patient COVID/0.png, COVID 1, Normal 0" in told
    assert "adapter: folder" in told and not Path("studies").exists()


def test_class_folders_in_parts_are_no_patients():
    """Four classes of as many images, which numbers alone would let pass for people."""
    for part, kind, n in itertools.product(("train", "test"), "ABCD", range(9)):
        lay_one(Path(f"mine/{part}/kind{kind}/x{part}{n}.png"))
    entry, frame = drafted()
    assert "patient" not in entry and len(entry["labels"]) == 4
    assert frame["patient"].nunique() == 72


def test_class_folders_that_differ_in_case_alone_are_one():
    for n in range(12):
        lay_one(Path(f"mine/train/COVID/{n}.png"))
        lay_one(Path(f"mine/train/Normal/{n}.png"))
        lay_one(Path(f"mine/test/covid/t{n}.png"))
        lay_one(Path(f"mine/test/normal/t{n}.png"))
    entry, frame = drafted()
    assert len(entry["labels"]) == 2 and frame[entry["labels"]].sum().tolist() == [24, 24]


def lay_one(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)


PARTS_AS_PEOPLE_HAVE_THEM = {
    "numbered": ("1_train", "2_val", "3_test"),
    "of_what": ("xray_train", "xray_test"),
    "held_out": ("train", "validation", "holdout"),
    "twice": ("seg_train/seg_train", "seg_test/seg_test"),
}


@pytest.mark.parametrize("name", PARTS_AS_PEOPLE_HAVE_THEM)
def test_parts_with_other_words_around_them_are_no_classes(name):
    parts = PARTS_AS_PEOPLE_HAVE_THEM[name]
    lay("{part}/{kind}/{n}.png", parts=parts)
    entry, frame = drafted()
    assert sorted(entry["labels"]) == sorted(KINDS)
    assert len(frame) == len(parts) * len(KINDS) * len(NUMBERS)
    assert entry["split"]["name"] == "folders"


BESIDE = {
    "label_maps": ("images/{kind}/{n}.png", "labels/{kind}/{n}.png"),
    "a_folder_per_class": ("{kind}/{n}.png", "{kind}_masks/{n}.png"),
    "thumbnails": ("{kind}/{n}.png", "{kind}/thumbnails/{n}.png"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_maps_and_thumbnails_are_left_out_and_said(name, capsys):
    lay(*BESIDE[name])
    entry, frame = drafted()
    assert sorted(entry["labels"]) == sorted(KINDS) and len(frame) == len(KINDS) * len(NUMBERS)
    assert f"beside the images, left out: {len(frame)}" in capsys.readouterr().out


KINDS_OF_NONE = {
    "sites": ("site_A", "site_B"),
    "sites, too": ("Hospital 1", "Hospital 2"),
    "devices": ("Siemens", "Philips", "GE"),
    "readers": ("reader1", "reader2"),
    "readers, too": ("Dr_Jones", "Dr_Smith"),
    "qualities": ("good", "poor"),
    "sexes": ("male", "female"),
    "years or months": ("2019", "2020"),
    "years or months, too": ("January", "March"),
    "formats": ("png", "jpg"),
    "sizes": ("224", "512"),
    "versions of the images": ("raw", "processed"),
    "ages": ("adult", "child"),
    "views": ("portable", "fixed"),
}


@pytest.mark.parametrize("name", KINDS_OF_NONE)
def test_folders_that_say_where_when_or_how_are_a_question(name):
    """By the names alone, as a folder of images asks them."""
    what = name.removesuffix(", too")
    assert no_classes.kind(list(KINDS_OF_NONE[name])) == what
    assert not no_classes.kind([*KINDS_OF_NONE[name], "pneumonia"])


def test_names_in_other_letters_and_numbers_are_not_spelt_alike():
    assert not no_classes.spelt_twice(["肺炎", "正常", "норма", "1.0", "10", "T1", "T2"])
    assert "may be one" in no_classes.spelt_twice(["COVID-19", "Covid 19"])
    assert not no_classes.spelt_twice(["TB+", "TB-"])
    assert folder_layout.plain("TB-") != folder_layout.plain("TB")
    assert folder_layout.plain("covid_19") == folder_layout.plain("COVID-19")


def test_such_folders_stop_new_unless_the_layout_is_named():
    for n in range(12):
        lay_one(Path(f"mine/{'site_A' if n % 2 else 'site_B'}/{n}.png"))
    with pytest.raises(UserError, match="site_A, site_B are called like sites, not like classes"):
        drafted()
    assert drafted("--adapter", "folder")[0]["labels"] == ["site_A", "site_B"]


def test_a_class_spelt_with_other_signs_is_the_same_and_with_other_letters_a_question(capsys):
    for n in range(12):
        for part, kind in (("train", "COVID-19"), ("test", "covid_19")):
            lay_one(Path(f"mine/{part}/{kind}/{part}{n}.png"))
            lay_one(Path(f"mine/{part}/Normal/{part}{n}.png"))
    entry, frame = drafted()
    assert len(entry["labels"]) == 2 and frame["Normal"].sum() == 24
    assert "Folders read as the class that is spelt nearly so:" in capsys.readouterr().out
    for part in ("train", "test"):
        Path(f"mine/{part}/Healthy").mkdir()
        for n in range(6):
            name = f"{part}{n}.png"
            Path(f"mine/{part}/Normal/{name}").rename(f"mine/{part}/Healthy/{name}")
    with pytest.raises(UserError, match="classes 'Healthy' and 'Normal' may be one"):
        drafted("--force")


def test_folders_without_an_image_beside_the_classes_are_named(capsys):
    root = lay("{part}/{kind}/{part}{n}.png", parts=("train", "test"))
    for part in ("train", "test"):
        (root / part / "TB").mkdir()
    drafted()
    assert "without an image: test/TB, train/TB." in capsys.readouterr().out


def test_more_images_beside_the_folders_than_in_them_are_a_question():
    lay("{kind}/{n}.png")
    for n in range(13):
        lay_one(Path(f"mine/more{n}.png"))
    with pytest.raises(UserError, match="12 images lie in folders of classes, and 13 in none"):
        drafted()


def test_images_beside_a_folder_of_their_own_in_a_class_are_a_question():
    lay("{kind}/{n}.png", "{kind}/{n}.png")
    for n in range(6):
        lay_one(Path(f"mine/COVID/severe/{n}.png"))
    with pytest.raises(UserError, match=r"folders of its own \(severe\), and 6 images beside them"):
        drafted()


def test_the_same_file_under_two_names_is_said_by_class_and_by_patient(capsys):
    root = lay("{kind}/{n}.png")
    for n in range(3):
        (root / f"Normal/copy{n}.png").write_bytes((root / f"COVID/{n}.png").read_bytes())
        (root / f"Normal/more{n}.png").write_bytes((root / f"Normal/{n}.png").read_bytes())
    drafted()
    said = capsys.readouterr().out
    assert "3 images have different labels in two places" in said
    assert "3 images are there twice, each time of another patient" in said


def test_files_that_begin_and_end_alike_are_not_the_same(tmp_path):
    for name, middle in (("a", b"0"), ("b", b"1"), ("c", b"0")):
        (tmp_path / name).write_bytes(bytes(same_files.START) + middle + bytes(same_files.START))
    assert same_files.groups(tmp_path, ["a", "b", "c"]) == [["a", "c"]]


def test_other_modalities_are_left_out_and_ids_taken_for_one_are_said(capsys):
    for number in range(24):
        row = {"patient": number // 2, "study": number % 2, "view": "PA", "sex": "F", "age": 40}
        path = Path(f"mine/{KINDS[number % 4 // 2]}/{number}.dcm")
        dicom.write(path, np.arange(256, dtype=np.uint8).reshape(16, 16), row)
        film = pydicom.dcmread(path)
        film.PatientID = f"{'Pp'[number % 2]}{number // 2}"
        film.Modality = "CT" if number > 19 else "DX"
        film.save_as(path)
    _, frame = drafted()
    said = capsys.readouterr().out
    assert len(frame) == 20 and frame["patient"].nunique() == 10
    assert "no radiographs by their modality, left out: CT 4" in said
    assert "as 'P0' and 'p0', each taken for one: 10." in said


def test_files_of_several_pages_are_said(capsys):
    for n in range(12):
        path = Path(f"mine/{KINDS[n % 2]}/{n}.tif")
        path.parent.mkdir(parents=True, exist_ok=True)
        pages = [Image.fromarray(np.full((16, 16), 20 * n + k, np.uint8)) for k in range(3)]
        pages[0].save(path, save_all=True, append_images=pages[1:])
    drafted()
    assert "12 of 12 opened files hold several pages, of which the first" in capsys.readouterr().out


NO_LABELS = {
    "dates": ("2020-01-{n:02d}/{kind}.png", "called like dates"),
    "days": ("{n:02d}.03.2020/{kind}.png", "called like dates"),
    "views": ("PA/{kind}{n}.png|AP/{kind}{n}.png", "called like views"),
    "inner": ("sick/{kind}/{n}.png|well/{n}.png", "has folders of its own"),
}


@pytest.mark.parametrize("name", NO_LABELS)
def test_folders_that_may_be_no_classes_are_a_question(name):
    patterns, said = NO_LABELS[name]
    lay(*patterns.split("|"))
    with pytest.raises(UserError, match=said):
        drafted()


def test_images_without_an_ending_are_known_by_their_first_bytes():
    lay("{kind}/{n}")
    Path("mine/notes").write_text("no image")
    _, frame = drafted()
    assert len(frame) == len(KINDS) * len(NUMBERS)


def test_the_class_may_stand_between_a_number_and_a_view():
    lay("p{n:03d}_{kind}_AP.png")
    entry, frame = drafted()
    assert sorted(entry["labels"]) == sorted(KINDS) and frame["patient"].nunique() == len(NUMBERS)


def test_a_study_of_two_folders_may_be_named_by_both():
    for n, m in itertools.product(range(12), range(2)):
        lay_one(Path(f"mine/P{n:02d}/study1/{m}.png"))
    rows = [f"P{n:02d}/study1,{n % 2},{int(n % 3 == 0)}" for n in range(12)]
    Path("mine/labels.csv").write_text("\n".join(["study,Effusion,Mass", *rows]) + "\n")
    entry, frame = drafted()
    assert entry["columns"]["match"] == "part" and len(frame) == 24
    assert frame["Effusion"].tolist() == [n % 2 for n in range(12) for _ in range(2)]


def test_a_part_of_a_publishers_folder_names_the_whole_unless_it_is_meant():
    for n, kind in itertools.product(range(6), ("NORMAL", "PNEUMONIA")):
        name = f"IM-{n:04d}-0001" if kind == "NORMAL" else f"person{n}_bacteria_1"
        lay_one(Path(f"mine/train/{kind}/{name}.jpeg"))
        lay_one(Path(f"mine/test/{kind}/{name}.jpeg"))
    Path("mine").rename("chest_xray")
    with pytest.raises(UserError, match="lies in chest_xray, which is laid out as 'kermany'"):
        new.main(["chest_xray/train"])
    new.main(["chest_xray/train", "--adapter", "folder"])


def test_a_layout_in_another_folder_nearby_is_not_the_one_above():
    Path("mine").mkdir()
    Path("other/Train/Non-COVID").mkdir(parents=True)
    error = UserError("no label is here")
    assert layouts.recognised(Path()) == ["covid_qu_ex"]
    assert layouts.one_level_off(Path("mine"), error) is error
    Path("other/Train/Non-COVID").rename("mine/Non-COVID")
    Path("other/Train").rmdir()
    Path("mine").rename("Train")
    assert "laid out as 'covid_qu_ex'" in str(layouts.one_level_off(Path("Train"), error))


@pytest.mark.parametrize("ends", ["01", "ab", ["flip", "orig"]])
def test_endings_that_every_patient_has_are_no_classes(ends):
    for n in range(12):
        for end in ends:
            path = Path(f"mine/p{n:02}_{end}.png")
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((8, 8), n, np.uint8)).save(path)
    with pytest.raises(UserError, match="12 of 12 patients have an image of each of"):
        drafted()


def test_one_image_in_two_class_folders_is_said(capsys):
    for n in range(24):
        path = Path(f"mine/{'ill' if n % 2 else 'well'}/x{n:02}.png")
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(np.full((8, 8), n, np.uint8)).save(path)
    Path("mine/well/x01.png").write_bytes(Path("mine/ill/x01.png").read_bytes())
    Path("mine/well/x03.png").write_bytes(Path("mine/ill/x05.png").read_bytes())
    drafted()
    said = capsys.readouterr().out
    assert "2 images have different labels in two places, as 'ill/x01.png' and 'well/x01" in said
