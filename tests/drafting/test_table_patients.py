"""Patients of a table's images: from its columns, paths, other tables or DICOM headers."""

from pathlib import Path

import numpy as np
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.data import dicom
from drawn_tables import (
    EFFUSION,
    MASS,
    PEOPLE,
    drafted,
    effusion,
    film,
    lay,
    mass,
    patient,
    rows,
    stems,
)

pytestmark = pytest.mark.usefixtures("own_folder")


def test_a_column_of_one_patient_is_not_passed_over():
    lay(Path("mine"), rows(patient=lambda *_: "p1", Effusion=effusion))
    with pytest.raises(UserError, match="3 patients are needed"):
        drafted("mine")


def test_a_patients_number_is_found_in_the_folder_of_the_patient():
    for n in range(12):
        film(Path(f"mine/images/patient_{n:03d}/{n % 3}.png"), n)
    lines = ["patient_id,Effusion,Mass", *(f"{n},{n % 2},{'' if n == 3 else 0}" for n in range(12))]
    Path("mine/labels.csv").write_text("\n".join([*lines[:-1], "11,1,1"]) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "part" and len(frame) == 12
    assert frame["Effusion"].tolist() == [0, 1] * 6 and frame["patient"].nunique() == 12


def test_ids_that_pandas_wrote_as_floats_are_found_and_joined():
    for number in range(24):
        film(Path(f"mine/img/{number}.png"), number)
    lines = [f"{number}.0,{100 + number // 2}.0" for number in range(24)]
    Path("mine/images.csv").write_text("\n".join(["id,patient_id", *lines]) + "\n")
    people = [f"{100 + n},{n % 2},{'MF'[n % 2]},{40 + n:03d}Y" for n in range(12)]
    Path("mine/people.csv").write_text(
        "\n".join(["patient_id,Effusion,Patient Gender,Patient Age", *people]) + "\n"
    )
    _, frame = drafted("mine")
    frame = frame.sort_values("age", kind="stable")
    assert frame["patient"].nunique() == 12 and frame["age"].tolist()[::2] == [*range(40, 52)]
    assert frame["Effusion"].tolist() == [0, 0, 1, 1] * 6 == [int(s == "F") for s in frame["sex"]]


def test_studies_of_dicom_files_are_of_the_patients_in_their_headers():
    for name, n in PEOPLE:
        who = {"patient": n, "study": int(name[-1]), "view": "PA", "sex": "F", "age": 40}
        dicom.write(Path(f"mine/img/{name}.dcm"), np.zeros((16, 16), np.uint8), who)
    uids = [dicom.attributes(Path("mine"), [f"img/{p}.dcm"], "StudyInstanceUID") for p, _ in PEOPLE]
    lines = [f"{uid},{EFFUSION[name]}" for [uid], (name, _) in zip(uids, PEOPLE, strict=True)]
    Path("mine/labels.csv").write_text("\n".join(["uid,Effusion", *lines]) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "StudyInstanceUID" and entry["patient"] == "PatientID"
    assert frame["patient"].nunique() == 12 and len(frame) == 24


def test_tables_may_call_the_patient_by_two_names():
    lay(Path("mine"), rows(PatientID=patient))
    people = ["patient,Effusion,Mass", *(f"p{n:02},{n % 2},{int(n % 3 == 0)}" for n in range(12))]
    Path("mine/people.csv").write_text("\n".join(people) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["join"]["theirs"] == "patient"
    assert frame["Effusion"].tolist() == [EFFUSION[stem] for stem in stems(frame)]


@pytest.mark.parametrize("place", ["img/{name}.png", "p{n:02}/{m}.png", "x/p{n:02}/{m}.png"])
def test_patients_that_only_names_or_folders_tell_are_found_beside_a_table(place):
    lines = ["image,Effusion,Mass"]
    for name, n in PEOPLE:
        file = place.format(name=name, n=n, m=name[-1])
        film(Path("mine") / file, n)
        lines.append(f"{file},{EFFUSION[name]},{MASS[name]}")
    Path("mine/labels.csv").write_text("\n".join(lines) + "\n")
    entry, frame = drafted("mine")
    assert entry["patient"] and "patient" not in entry["columns"]
    assert frame["patient"].nunique() == 12 and (frame.groupby("patient").size() == 2).all()


def test_patients_views_sexes_and_ages_of_dicom_files_are_their_headers():
    for name, n in PEOPLE:
        who = {"patient": n, "study": int(name[-1]), "view": "PA", "sex": "F", "age": 40 + n}
        dicom.write(Path(f"mine/img/{name}.dcm"), np.zeros((16, 16), np.uint8), who)
    Path("mine/labels.csv").write_text(rows(image="img/{}.dcm", Effusion=effusion, Mass=mass))
    entry, frame = drafted("mine")
    assert entry["patient"] == "PatientID" and frame["patient"].nunique() == 12
    assert set(frame["view"]) == {"PA"} and set(frame["sex"]) == {"F"} and frame["age"].max() == 51
    assert any("DICOM header" in note for note in frame.attrs["notes"])
    with pytest.raises(UserError, match="columns.patient is 'image' already; keep one of both"):
        entry["columns"]["patient"] = "image"
        Grid({"study": "mine", "datasets": {"mine": entry}, "recipes": {"default": {}},
              "grid": {"datasets": ["mine"], "backbones": ["resnet10t"]}})  # fmt: skip


@pytest.mark.parametrize("other", ["P{:02}", "p{:02} ", "{}", "{}.0"])
def test_ids_of_one_person_in_two_spellings_are_one_patient(other, capsys):
    def of(name, n):
        one = "p{:02}" if other[:1] in "pP" else "{:03}"
        return (other if name.endswith("2") else one).format(n)

    _, frame = drafted(lay(Path("mine"), rows(patient=of, Effusion=effusion)))
    assert frame.groupby("patient").size().tolist() == [2] * 12
    said = "ids differ in case, spaces or zeros alone" in capsys.readouterr().out
    assert said == (other != "p{:02} ")  # spaces at an end are passed over everywhere


@pytest.mark.parametrize("name", ["reader_id", "rad_ID", "Radiologist ID", "device_id", "site_id"])
def test_ids_of_readers_and_devices_are_no_patients(name):
    table = rows(**{name: lambda _, n: f"R{n % 4}", "Effusion": effusion})
    table = table.replace("img/p", "img/x")
    lay(Path("mine"), table)
    for path in Path("mine/img").glob("p*"):
        path.rename(path.with_name(path.name.replace("p", "x", 1)))
    assert "patient" not in drafted("mine")[0]["columns"]


def test_a_patients_number_that_repeats_goes_before_one_of_each_image():
    table = rows(patient_code=lambda name, _: f"X{name}", MRN=patient, Effusion=effusion)
    assert drafted(lay(Path("mine"), table))[0]["columns"]["patient"] == "MRN"
