"""Layouts of public sets of chest radiographs, and of programs that export images with labels."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.drafting import class_columns
from drawn_tables import drafted, film
from long_tests import by_turns

MINE = Path("mine")


pytestmark = pytest.mark.usefixtures("own_folder")


def write(place: str, lines: list[str]) -> None:
    (MINE / place).parent.mkdir(parents=True, exist_ok=True)
    (MINE / place).write_text("\n".join(lines) + "\n")


def csv_lines(ills: list[int]) -> list[str]:
    return ["filename, Normal, Pneumonia", *(f"{n}.png, {1 - i}, {i}" for n, i in enumerate(ills))]


def json_lines(ills: list[int]) -> list[str]:
    return [json.dumps({"file_name": f"{n}.png", "Pneumonia": i}) for n, i in enumerate(ills)]


FORMS = {"_classes.csv": csv_lines, "metadata.jsonl": json_lines}


@pytest.mark.parametrize("name", by_turns(list(FORMS), 1))
def test_a_table_in_each_parts_folder_is_read_with_the_images_beside_it(name):
    """As Roboflow and Hugging Face write them: the same bare names in each folder."""
    truth = {"train": [0, 1] * 6, "valid": [1, 1, 0, 0], "test": [0, 0, 1, 1]}
    for at, (part, ills) in enumerate(truth.items()):
        write(f"{part}/{name}", FORMS[name](ills))
        for n in range(len(ills)):
            film(MINE / f"{part}/{n}.png", 20 * at + n)
    entry, frame = drafted("mine")
    assert entry["split"] == {"name": "column"} and len(frame) == 20
    assert frame["split:column"].value_counts().to_dict() == {"train": 12, "val": 4, "test": 4}
    for image, ill in zip(frame["image"], frame["Pneumonia"], strict=True):
        part, file = image.split("/")
        assert ill == truth[part][int(file.split(".")[0])]


def test_boxes_and_outlines_beside_findings_are_no_classes():
    """As ChestX-Det is published: findings, boxes and polygons of each image in JSON."""
    found = [["Effusion"] * (n % 2) * 2 + ["Mass"] * (n % 3 == 0) for n in range(24)]
    rows = []
    for n, syms in enumerate(found):
        film(MINE / f"train_data/{n:05}.png", n)
        rows.append(
            {"file_name": f"{n:05}.png", "syms": syms, "boxes": [[n, 2, 30, 40]] * len(syms)}
        )
        rows[-1]["polygons"] = [[[1, 2], [3, n]]] * len(syms)
    write("ChestX_Det_train.json", [json.dumps(rows)])
    entry, frame = drafted("mine")
    assert entry["columns"]["classes"] == "syms" and entry["labels"] == ["Effusion", "Mass"]
    assert frame["Effusion"].tolist() == [float("Effusion" in syms) for syms in found]


NUMBERS = {
    "outlines": ["0 10 20 30 40;2 1 2 3 4 5 6", "", "0 1 2 3 4"],
    "words_and_boxes": ["opacity 1 26.5 789 1815 32", "none 1 0 0 1 1"],
    "dictionaries": ["{'xmin': 11.0, 'ymin': 5.5, 'width': 3.1, 'height': 4.0}", "none"],
    "times": ["2020-03-01 10:30:00", "2020-03-02 09:15:00"],
    "ages": ["060Y", "058Y", "11M"],
    "named_values": ["{'Effusion': 0, 'Mass': 1}", "{'Effusion': 1, 'Mass': 1}"],
}
CODES = {
    "codes": ["0 16 2 5", "3 4", "1 2 3 7"],
    "lists": ["[0, 16, 2, 5]", "[3]"],
    "grades": ["COVID-19 stage 2", "COVID-19 stage 3"],
    "blank": ["", ""],
}


@pytest.mark.parametrize("name", [*NUMBERS, *CODES])
def test_coordinates_times_and_ages_are_told_from_codes(name):
    fields = pd.Series((NUMBERS | CODES)[name])
    assert class_columns.of_numbers(fields) == (name in NUMBERS)


def test_a_table_of_boxes_alone_says_that_no_label_is_there():
    """As object-CXR is published."""
    lines = [f"{n:05}.jpg,{'' if n % 2 else f'0 10 {n} 30 40;1 1 2 3 {n}'}" for n in range(16)]
    write("train.csv", ["image_name,annotation", *lines])
    for n in range(16):
        film(MINE / f"train/{n:05}.jpg", n)
    with pytest.raises(UserError, match="'annotation' holds coordinates, times or ages, as '0 10"):
        drafted("mine")


def test_a_folder_of_test_images_beside_the_classes_is_a_question():
    """As TBX11K is published: imgs/health, imgs/sick, imgs/tb and imgs/test."""
    for at, kind in enumerate(("health", "sick", "tb", "test")):
        for n in range(6):
            film(MINE / f"imgs/{kind}/{kind}{n}.png", 10 * at + n)
    with pytest.raises(UserError, match="the folder 'test' is called like a part of a split"):
        drafted("mine")
    assert len(drafted("mine", "--adapter", "folder")[0]["labels"]) == 4


def test_label_maps_of_nnu_net_are_no_class():
    for n in range(12):
        film(MINE / f"imagesTr/x_{n:03}_0000.png", n)
        film(MINE / f"labelsTr/x_{n:03}.png", n)
    with pytest.raises(UserError, match="only the folder 'imagesTr' is there: no labels"):
        drafted("mine")


def test_rows_of_ct_in_a_table_are_said_and_todo_is_no_class(capsys):
    """As in covid-chestxray-dataset."""
    lines = []
    for n in range(24):
        film(MINE / f"images/f{n}.png", n)
        finding = ("COVID-19", "No Finding", "todo")[n % 3]
        lines.append(f"{n // 2},{finding},{'CT' if n % 8 == 7 else 'X-ray'},images,f{n}.png")
    write("metadata.csv", ["patientid,finding,modality,folder,filename", *lines])
    entry, frame = drafted("mine")
    assert entry["labels"] == ["COVID-19", "No Finding"]
    assert frame["COVID-19"].isna().sum() == 8
    assert "By the column 'modality', 3 rows are of CT" in capsys.readouterr().out


def test_a_list_of_studies_without_a_header_is_read_from_its_first_row_on():
    """As MURA is published: a folder of images and 1 or 0 in each line."""
    lines = []
    for n in range(12):
        study = f"MURA-v1.1/train/XR_CHEST/patient{n:05}/study1_{('negative', 'positive')[n % 2]}"
        lines.append(f"{study}/,{n % 2}")
        for image in (1, 2):
            film(MINE / study / f"image{image}.png", 10 * image + n)
    write("MURA-v1.1/train_labeled_studies.csv", lines)
    _, frame = drafted("mine")
    assert len(frame) == 24
    assert frame["label"].tolist() == [float("positive" in image) for image in frame["image"]]


def labels_of(lines: list[str], name="labels.csv") -> tuple[dict, pd.DataFrame]:
    """The dataset of 24 images, two of each patient, and a table."""
    for n in range(24):
        film(MINE / f"i/{n:02}.png", n)
    write(name, lines)
    return drafted("mine", "--force")


def test_test_images_without_any_label_are_no_test_set():
    """As Kaggle's competitions publish them: labels of the training images alone."""
    for n in range(24):
        film(MINE / f"{('train', 'test')[n > 15]}/{n:02}.png", n)
    lines = [f"{n:02}.png,{n % 2}," + str(int(n % 3 == 0)) for n in range(16)]
    write("train.csv", ["id,Effusion,Mass", *lines])
    write("test.csv", ["id,Effusion,Mass", *(f"{n}.png,," for n in range(16, 24))])
    entry, _ = drafted("mine")
    assert entry["split"] == {"name": "patient"}
    said = "not 'column', as no label of its test images is known"
    assert said in Path("studies/mine.yaml").read_text()


def test_rows_that_a_split_leaves_out_are_in_no_part():
    parts = ("train", "val", "test", "excluded")
    lines = [f"i/{n:02}.png,p{n // 2},{n // 8 % 2},{parts[n // 2 % 4]}" for n in range(24)]
    entry, frame = labels_of(["image,patient,Effusion,split", *lines])
    assert entry["split"] == {"name": "column"} and frame["split:column"].isna().sum() == 6


def test_one_finding_by_several_readers_is_a_question():
    lines = [f"i/{n:02}.png,{n % 2},{int(n % 3 == 0)}" for n in range(24)]
    for names in ("R1_Mass,R2_Mass", "Mass reader1,Mass reader2"):
        with pytest.raises(UserError, match="called like one finding by several readers.*each"):
            labels_of([f"image,{names}", *lines])
    assert labels_of(["image,T1_Mass,Mass", *lines])[0]["labels"] == ["T1_Mass", "Mass"]


def test_a_row_for_each_image_and_finding_is_refused_by_name():
    pairs = [(n, at) for n in range(24) for at in (2, 3)]
    lines = [f"i/{n:02}.png,{('Effusion', 'Mass')[at - 2]},{int(n % at == 0)}" for n, at in pairs]
    said = "a row for each image and each 'finding', with its value in 'value': make one row"
    with pytest.raises(UserError, match=said):
        labels_of(["image,finding,value", *lines])


def test_objects_in_objects_of_json_are_columns():
    rows = [
        {"image": f"i/{n:02}.png", "patient": {"id": f"p{n // 2}"}, "labels": {"Mass": n // 3 % 2}}
        for n in range(24)
    ]
    entry, frame = labels_of([json.dumps(rows)], "labels.json")
    assert entry["labels"] == ["Mass"] and entry["columns"]["patient"] == "patient.id"
    assert frame["Mass"].tolist() == [n // 3 % 2 for n in range(24)]
