"""A stranger's folder or table becomes a study that runs; what cannot is one clear line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cxrgrid import new, phantom
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.datasets import kermany, nih
from cxrgrid.drafting import description, folder_names, guesses, layouts, study_file


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Phantoms of `nih` and `kermany`, to be read only."""
    folder = tmp_path_factory.mktemp("drawn")
    for name in ("nih", "kermany"):
        wanted = json.dumps({"adapter": name, "patients": 30, "size": 32})
        phantom.main([wanted, "--out", str(folder / name)])
    return folder


pytestmark = pytest.mark.usefixtures("own_folder")


def film(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(path)


def lay(root: Path, names) -> Path:
    for name in names:
        film(root / name)
    return root


def make(path, *more) -> dict:
    """The study that the command writes."""
    new.main([str(path), *more])
    [written] = Path("studies").glob("*.yaml")
    return yaml.safe_load(written.read_text())


def entry(config: dict) -> dict:
    [dataset] = config["datasets"].values()
    return dataset


def as_table(source: Path, root: Path, **change) -> pd.DataFrame:
    """The phantom of `nih` as a stranger's table: labels.csv beside its folder of images."""
    frame = nih.read(source, {})
    shutil.copytree(source / "images_001", root / "images_001")
    table = frame[["image", "patient", "view", "sex", "age", "Effusion", "Mass"]]
    table = table.astype({"Effusion": int, "Mass": int}).assign(**change)
    table.to_csv(root / "labels.csv", index=False)
    return frame


# ------------------------------------------------------------------ layouts that are known


@pytest.mark.parametrize("name", ["nih", "kermany"])
def test_a_known_layout_is_recognised_and_counted(drawn, capsys, name):
    config = make(drawn / name)
    module = {"nih": nih, "kermany": kermany}[name]
    frame, found = module.read(drawn / name, {}), entry(config)
    assert found["adapter"] == name and found["split"] == {"name": "official"}
    varied = [label for label in module.LABELS if frame[label].nunique() == 2]
    assert found["labels"] == varied
    told = capsys.readouterr().out
    for label in varied:
        assert f"{label}: {int(frame[label].sum())} of {len(frame)} (" in told
    assert f"{frame['patient'].nunique()}, with 1 to" in told


@pytest.mark.parametrize("quick", [[], ["--quick"]], ids=["gpu", "quick"])
@pytest.mark.parametrize("name", ["nih", "kermany"])
def test_what_is_written_is_a_valid_grid(drawn, name, quick):
    config = make(drawn / name, *quick)
    cells = Grid(config).cells
    assert len(cells) == len(config["grid"]["seeds"])
    assert (cells[0].epochs == 3 and entry(config)["image"]["size"] == 64) == bool(quick)


@pytest.mark.parametrize(
    "folder, name",
    [("Chest v1.0-small", "Chest-v1.0-small"), ("胸", "mine"), ("val", "val-images"), (".x", "x")],
)
def test_the_study_is_named_like_the_folder(tmp_path, folder, name):
    assert make(lay(tmp_path / folder, NAMES))["study"] == name


def test_quick_and_full_may_stand_side_by_side(drawn):
    new.main([str(drawn / "nih")])
    new.main([str(drawn / "nih"), "--quick"])
    assert {path.stem for path in Path("studies").iterdir()} == {"nih", "nih-quick"}
    names = [set(yaml.safe_load(p.read_text())["datasets"]) for p in Path("studies").iterdir()]
    assert names[0].isdisjoint(names[1])


def test_the_commands_that_it_names_come_last(drawn, capsys):
    make(drawn / "nih")
    assert [line.split("#")[0].strip() for line in capsys.readouterr().out.splitlines()[-2:]] == [
        "snakemake -n --configfile studies/nih.yaml",
        "snakemake --configfile studies/nih.yaml",
    ]


# ------------------------------------------------------------------ folders of classes


NAMES = [f"{kind}/p{n:03}_{m}.png" for n in range(12) for m in (1, 2) for kind in ["AB"[n % 2]]]


def test_sub_folders_are_classes_and_names_tell_patients(tmp_path):
    found = entry(make(lay(tmp_path / "mine", NAMES)))
    assert (found["adapter"], found["labels"]) == ("folder", ["A", "B"])
    assert found["split"] == {"name": "patient"}
    frame = layouts.read(found, "mine")
    assert frame["patient"].nunique() == 12 and frame["patient"].value_counts().max() == 2


def test_train_and_test_folders_are_the_split_unless_patients_cross(tmp_path):
    apart = [
        f"{['train', 'test'][n > 7]}/{n % 2}/p{n:03}_{m}.png" for n in range(12) for m in (1, 2)
    ]
    config = make(lay(tmp_path / "mine", apart))
    assert entry(config)["split"] == {"name": "folders"}
    assert entry(config)["labels"] == ["0", "1"]
    crossing = [name.replace("p008", "p000") for name in apart]
    make_again = lay(tmp_path / "other", crossing)
    new.main([str(make_again)])
    text = Path("studies/other.yaml").read_text()
    assert entry(yaml.safe_load(text))["split"] == {"name": "patient"}
    assert "not 'folders', as 1 patients stand in two parts" in text


PATTERNS = {
    "p": ([f"p{n:04}_{m}.png" for n in range(9) for m in range(2)], 9),
    "capital": ([f"Patient-{n}_{m}.png" for n in range(9, 18) for m in range(2)], 9),
    "patient": ([f"patient{n}_study{m}_frontal.jpg" for n in range(9) for m in range(3)], 9),
    "digits": ([f"{n:08}_{m:03}.png" for n in range(9) for m in range(2)], 9),
    "letters": ([f"IM-{n:04}-{m:04}.jpeg" for n in range(9) for m in range(2)], 9),
    "anything": ([f"{'abcdefghi'[n]}x-y_{m}.png" for n in range(9) for m in range(2)], 9),
    "long_numbers": ([f"p{n}_{m}.png" for n in range(7, 16) for m in range(2)], 9),
    "class_and_number": ([f"COVID-{n}.png" for n in range(40)], 0),
    "each_its_own": ([f"p{n}_1.png" for n in range(40)], 0),
    "nothing": ([f"{n}.png" for n in range(40)], 0),
    "not_all": ([f"p{n}_{m}.png" for n in range(9) for m in range(2)] + ["x.png"], 0),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_patients_are_found_in_names_where_they_are(name):
    images, patients = PATTERNS[name]
    pattern = next(iter(folder_names.patient_patterns([f"some/{image}" for image in images])), "")
    assert bool(pattern) == bool(patients)
    if pattern:
        found = pd.Series(images).str.extract(pattern)[0]
        assert found.notna().all() and found.nunique() == patients


# ------------------------------------------------------------------ tables


@pytest.mark.parametrize("given", ["mine", "mine/labels.csv"])
def test_a_table_is_understood(drawn, tmp_path, given):
    (tmp_path / "mine").mkdir()
    frame = as_table(drawn / "nih", tmp_path / "mine")
    found = entry(make(given))
    assert (found["adapter"], found["root"]) == ("csv", "mine")
    assert found["labels"] == ["Effusion", "Mass"]
    assert found["columns"] == {"file": "labels.csv", "image": "image", "patient": "patient"}
    again = layouts.read(found, "mine")
    columns = ["image", "patient", "view", "sex", "age", "Effusion", "Mass"]
    pd.testing.assert_frame_equal(again[columns], frame[columns], check_dtype=False)


def test_paths_may_start_from_another_folder_than_the_tables(drawn, tmp_path):
    (tmp_path / "mine").mkdir()
    frame = nih.read(drawn / "nih", {})
    as_table(drawn / "nih", tmp_path / "mine", image=frame["image"].str.split("/").str[-1])
    found = entry(make("mine"))
    assert found["root"] == "mine/images_001/images"
    assert found["columns"]["file"] == "../../labels.csv"
    assert len(layouts.read(found, "mine")) == len(frame)


def test_a_table_may_lie_in_a_folder_of_its_own(drawn, tmp_path):
    (tmp_path / "mine/about").mkdir(parents=True)
    frame = as_table(drawn / "nih", tmp_path / "mine")
    (tmp_path / "mine/labels.csv").rename(tmp_path / "mine/about/labels.csv")
    found = entry(make("mine"))
    assert (found["root"], found["columns"]["file"]) == ("mine", "about/labels.csv")
    assert len(layouts.read(found, "mine")) == len(frame)


def test_a_split_column_is_taken_and_what_never_changes_is_left_out(drawn, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    frame = nih.read(drawn / "nih", {})
    parts = ["test" if name[-1] in "05" else "Training"[:5] for name in frame["patient"]]
    as_table(drawn / "nih", tmp_path / "mine", Set=parts, Hernia=0, Fracture="")
    found = entry(make("mine"))
    assert found["split"] == {"name": "column"} and found["columns"]["split"] == "Set"
    assert found["labels"] == ["Effusion", "Mass"]
    assert "! Hernia is 0 wherever it is known: left out." in capsys.readouterr().out


COLUMNS = {
    "named": ({"Patient ID": "aabbccdd", "Patient Age": "55667788"}, "Patient ID"),
    "subject": ({"subject_id": "aabbccdd", "study_id": "abcdefgh"}, "subject_id"),
    "repeats": ({"pid": "aabbccdd"}, "pid"),
    "id_that_repeats": ({"CaseNo": "abcdefgh", "GroupID": "aabbccdd"}, "CaseNo"),
    "id_of_a_row": ({"id": "abcdefgh", "note": "aabbccdd"}, ""),
    "age_only": ({"Patient Age": "55667788", "Patient Sex": "mmffmmff"}, ""),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_patients_column(name):
    columns, wanted = COLUMNS[name]
    rows = pd.DataFrame({column: list(values) for column, values in columns.items()})
    assert guesses.patient_column(rows) == wanted


def test_labels_are_columns_of_one_zero_and_blank_only():
    columns = {"A": ["1", "0", ""], "B": ["-1", "1.0", ""], "Age": ["1", "0", "1"]}
    columns |= {"grade": ["0", "1", "2"], "blank": ["", "", ""], "followup": ["0", "1", "0"]}
    columns |= {"Effusion id": ["0", "1", "1"], "sex": ["0", "1", "1"], "": ["0", "1", "0"]}
    assert guesses.label_columns(pd.DataFrame(columns)) == ["A", "B"]


def test_a_table_that_is_no_help_is_named_and_folders_are_read(tmp_path, capsys):
    (lay(tmp_path / "mine", NAMES) / "notes.csv").write_text("who,when\nme,today\n")
    assert entry(make("mine"))["adapter"] == "folder"
    assert "not used: mine/notes.csv: no column holds file names" in capsys.readouterr().out


# ------------------------------------------------------------------ what is odd


def test_what_is_odd_is_said(tmp_path, capsys):
    root = lay(tmp_path / "mine", NAMES)
    (root / "A/p000_1.png").write_text("no image")
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(root / "B/p001_1.png")
    rows = [f"{name},{name[2:6]},{int(name < 'B')}" for name in NAMES]
    rows += [rows[0], "gone.png,p9,1"]
    (root / "labels.csv").write_text("\n".join(["image,patient,Mass", *rows]) + "\n")
    new.main([str(root)])
    told = capsys.readouterr().out
    for line in (
        "! 1 lost from 'rows in labels.csv' (26) to 'listed once' (25).",
        "! 1 lost from 'listed once' (25) to 'image file found' (24).",
        "! 1 of 24 opened files are no images, first A/p000_1.png; so many stop a run",
        "! 12 patients only: splits will be small.",
        "24 opened: 2 sizes, 16 x 16 to 30 x 40; PNG L 22, PNG RGB 1",
    ):
        assert line in told


def test_numbers_that_start_anew_in_each_class_are_named(tmp_path, capsys):
    anew = [f"{kind}/p{n:03}_{m}.png" for n in range(12) for m in (1, 2) for kind in "AB"]
    make(lay(tmp_path / "mine", anew))
    assert "! 12 of 12 patients have images in several folders" in capsys.readouterr().out


def test_shares_are_of_the_known():
    assert description.share(pd.Series([1.0, 0.0, 0.0, np.nan])) == "1 of 3 (33.3%), 1 unknown"


@pytest.mark.parametrize(
    "text",
    ["no", "0", "1e3", "null", "a: b", "tab\there", "a #b", "- x", "[x", "it's", 'say "x"', "a b"]
    + ["~", "", " x", "a,b", "übel", "x\\y", "&a", "*a", "{a", "!x", "%", "@", "`", "2024-01-01"],
)  # fmt: skip
def test_any_name_survives_the_file(text):
    flow, block = f"[{study_file.scalar(text)}]", f"- {study_file.scalar(text)} # comment"
    mapping = f"{{a: {study_file.scalar(text)}}}"
    assert yaml.safe_load(flow) == yaml.safe_load(block) == [text]
    assert yaml.safe_load(mapping) == {"a": text}


# ------------------------------------------------------------------ mistakes


def rows(*lines):
    """A folder with images and this labels.csv."""
    root = lay(Path("mine"), NAMES)
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root / "labels.csv"


def inside():
    Path("data/nih").mkdir(parents=True)
    Path("data/nih/Data_Entry_2017_v2020.csv").touch()
    return "data"


def empty():
    Path("mine").mkdir()
    return "mine"


def broken():
    """Files that are named like images."""
    for name in NAMES:
        (Path("mine") / name).parent.mkdir(parents=True, exist_ok=True)
        (Path("mine") / name).write_text("moved")
    return "mine"


def full(*names):
    lay(Path("mine"), names)
    return "mine"


def no_images():
    Path("mine/A").mkdir(parents=True)
    Path("mine/A/notes.txt").touch()
    return "mine"


BAD = {
    "missing": (lambda: "gone", "gone: no such folder or table"),
    "empty": (empty, "mine: the folder is empty"),
    "no_images": (no_images, "mine: no image (.png"),
    "image": (lambda: full("a.png") + "/a.png", "mine/a.png: is one image"),
    "broken": (broken, "mine: none of 24 opened files is an image"),
    "one_class": (lambda: full("A/1.png"), "two or more class folders are needed"),
    "two_patients": (lambda: full("A/1.png", "B/2.png"), "3 patients are needed"),
    "one_level_up": (inside, "data: data/nih is laid out as 'nih'; give that folder"),
    "no_rows": (lambda: rows("image,Mass"), "no row below"),
    "gone": (lambda: rows("image,Mass", "x.png,1"), "the files in 'image' are not there"),
    "absolute": (lambda: rows("image,Mass", "/x/a.png,1"), "'image' holds absolute paths"),
    "no_label": (lambda: rows("image,grade", "A/p000_1.png,7"), "no column holds labels"),
    "constant": (
        lambda: rows("image,Mass", *(f"{name},1" for name in NAMES)),
        "nothing to tell apart in Mass",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_one_line_and_writes_nothing(name):
    prepare, message = BAD[name]
    with pytest.raises(UserError) as error:
        new.main([str(prepare())])
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not Path("studies").exists()


SCRAPS = ["A/p000_1.png", "B/p001_1.png", *'10,,,,\n\n\r;\t"/.\x00 ', "-1", "../", "nan", "x" * 300]
SCRAPS += ["image,Mass\n", "\ufeff", "ü", '"a\nb"', "patient", "train", "test"]


# The folder of each test is left as it is: this one has its own.
@settings(max_examples=100, deadline=None, suppress_health_check=[*HealthCheck])
@given(st.lists(st.sampled_from(SCRAPS), max_size=30).map("".join), st.booleans())
def test_any_table_is_understood_or_refused_in_one_line(tmp_path_factory, text, headed):
    root = tmp_path_factory.getbasetemp() / "scraps"
    if not root.exists():
        lay(root, NAMES[:4])
    (root / "labels.csv").write_text("image,patient,Mass\n" * headed + text, encoding="utf-8")
    try:
        found = guesses.table(root, root / "labels.csv")
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert found["labels"] and found["columns"]["image"] not in found["labels"]


def test_nothing_is_written_over_unless_asked(drawn):
    make(drawn / "nih", "--name", "mine")
    written = Path("studies/mine.yaml")
    written.write_text("study: of someone's work\n")
    with pytest.raises(UserError, match="studies/mine.yaml: is there already"):
        new.main([str(drawn / "kermany"), "--name", "mine"])
    assert written.read_text() == "study: of someone's work\n"
    assert entry(make(drawn / "kermany", "--name", "mine", "--force"))["adapter"] == "kermany"


@pytest.mark.parametrize(
    "more, message",
    [
        (["--name", "a b"], "the name 'a b' may hold letters"),
        (["--name", "val"], "'val' names the validation predictions"),
        (["--adapter", "nhi"], "--adapter: no adapter 'nhi'; did you mean 'nih'"),
    ],
)
def test_what_is_given_is_checked(drawn, more, message):
    with pytest.raises(UserError, match=message):
        new.main([str(drawn / "nih"), *more])
    assert not Path("studies").exists()


def test_the_command_ends_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "cxrgrid.new", "gone"], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("error: gone: no such folder")
    assert done.stderr.count("\n") == 1 and not done.stdout
