"""Publishers' sets: tables and folders made by hand as they publish them, and copies of these."""

import importlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrgrid import index, phantom
from cxrgrid.config.errors import UserError
from cxrgrid.config.steps import read_step
from cxrgrid.data import dicom
from cxrgrid.datasets import chexpert_plus, covid_qu_ex, rsna, siim, tuberculosis, vindr, vindr_pcxr

FILM = np.arange(256, dtype=np.uint8).reshape(16, 16)
WHO = {"patient": 1, "study": 0, "sex": "F", "age": 9, "view": "AP"}


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(FILM).save(path)


def pcxr(root: Path, ending=".dicom") -> Path:
    header = "image_id,rad_ID,No finding,Bronchitis,Brocho-pneumonia,Other disease,Bronchiolitis,"
    header += "Situs inversus,Pneumonia,Pleuro-pneumonia,Diagphramatic hernia,Tuberculosis,"
    header += "Congenital emphysema,CPAM,Hyaline membrane disease,Mediastinal tumor,Lung tumor"
    for part in ("train", "test"):
        rows = [header]
        for number in range(4):
            name = f"{part}{number}"
            dicom.write(root / part / f"{name}{ending}", FILM, WHO)
            shown = ["0.0" if at else "1.0" for at in range(15)]
            shown = [*(["0.0", "1.0"] if number == 2 else shown[:2]), *shown[2:]]
            rows.append(",".join([name, "R1", *shown]))
        (root / f"image_labels_{part}.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.parametrize("ending", [".dicom", ".dcm", ""])
def test_vindr_pcxr_is_read_and_told_from_vindr_cxr(tmp_path, ending):
    root = pcxr(tmp_path, ending)
    assert vindr_pcxr.recognise(root) and not vindr.recognise(root)
    frame = vindr_pcxr.read(root, {})
    assert len(frame) == 8 and frame["Bronchitis"].sum() == 2
    assert frame["Broncho-pneumonia"].sum() == 0 and set(frame["sex"]) == {"F"}
    assert set(frame["split:official"]) == {"trainval", "test"}
    with pytest.raises(UserError, match="set adapter: vindr_pcxr"):
        vindr.read(root, {})


def plus(root: Path, ending=".png", labels="impression_fixed.json") -> Path:
    rows, lines = [",".join([*chexpert_plus.COLUMNS, "report"])], []
    for number in range(6):
        part = "valid" if number == 5 else "train"
        side = "lateral" if number == 1 else "frontal"
        place = f"{part}/patient{number:05d}/study1/view1_{side}"
        save(root / "PNG" / f"{place}{ending}")
        view = "Lateral," if number == 1 else "Frontal,PA"
        rows.append(f'{place}.jpg,patient{number:05d},{view},45,Female,{part},"a\nb"')
        shown = dict.fromkeys(chexpert_plus.LABELS) | {"Edema": [1, 0, -1][number % 3]}
        lines.append(json.dumps({"path_to_image": f"{place}.jpg", **shown}))
    (root / "df_chexpert_plus_240401.csv").write_text("\n".join(rows) + "\n")
    (root / "chexbert_labels").mkdir()
    (root / "chexbert_labels" / labels).write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("labels", chexpert_plus.LABELLED)
def test_chexpert_plus_is_read_with_chexberts_labels(tmp_path, labels):
    root = plus(tmp_path, labels=labels)
    assert chexpert_plus.recognise(root)
    frame = chexpert_plus.read(root, {}).sort_values("patient")
    assert frame["Edema"].tolist() == [1, 0, -1] * 2 and frame["Fracture"].isna().all()
    assert frame["view"].tolist() == ["PA", "LATERAL", *["PA"] * 4]
    assert frame["split:official"].tolist() == ["trainval"] * 5 + ["test"]
    assert frame["study"].iloc[0] == "patient00000/study1" and set(frame["age"]) == {45}
    assert labels in frame.attrs["notes"][0]


def test_chexpert_plus_without_labels_says_which_file_holds_them(tmp_path):
    with pytest.raises(UserError, match="no chexbert_labels/impression_fixed.json or "):
        chexpert_plus.read(plus(tmp_path, labels="other.json"), {})


READINGS = {
    "CHNCXR_0001_0": ("male 45yrs\nnormal", "M", 45, 0),
    "CHNCXR_0002_1": ("femal 16month\nSTB", "F", 16 / 12, 1),
    "CHNCXR_0003_1": ("female, 28 years\r\nPTB", "F", 28, 1),
    "MCUCXR_0001_0": ("Patient's Sex: F\nPatient's Age: 027Y\nnormal", "F", 27, 0),
    "MCUCXR_0002_1": ("", None, np.nan, 1),
}


@pytest.mark.parametrize("folder", ["CXR_png", "Lung Segmentation/CXR_png"])
def test_shenzhen_and_montgomery_are_read_with_their_readings_and_without_masks(tmp_path, folder):
    for name, (text, *_) in READINGS.items():
        save(tmp_path / folder / f"{name}.png")
        save(tmp_path / "masks" / f"{name}_mask.png")
        save((tmp_path / folder).with_name("ManualMask") / f"leftMask/{name}.png")
        save((tmp_path / folder).with_name("test") / f"{name}.png")
        if text:
            reading = tmp_path / "ClinicalReadings" / f"{name}.txt"
            reading.parent.mkdir(exist_ok=True)
            reading.write_text(text)
    assert tuberculosis.recognise(tmp_path)
    frame = tuberculosis.read(tmp_path, {})
    found = frame[["sex", "age", "Tuberculosis"]].astype(object).to_numpy().tolist()
    wanted = [list(told) for _, *told in READINGS.values()]
    assert [[s, pytest.approx(a, nan_ok=True), t] for s, a, t in wanted] == found
    assert frame["image"].str.startswith(folder).all()
    assert frame["source"].tolist() == ["Shenzhen"] * 3 + ["Montgomery"] * 2
    assert "Masks, left out: 5." in frame.attrs["notes"]


@pytest.mark.parametrize("above", ["", "Lung Segmentation Data/Lung Segmentation Data/"])
def test_covid_qu_ex_is_read_once_and_without_its_masks(tmp_path, above):
    infection = "Infection Segmentation Data/Infection Segmentation Data/"
    for part in covid_qu_ex.PARTS:
        for label in covid_qu_ex.LABELS:
            for at, inner in enumerate((above, infection) if above else ("",)):
                for number in range(2 - at):
                    base = tmp_path / inner / part / label
                    save(base / f"images/{label}_{number}.png")
                    save(base / f"lung masks/{label}_{number}.png")
    assert covid_qu_ex.recognise(tmp_path)
    frame = covid_qu_ex.read(tmp_path, {})
    assert len(frame) == 18 and frame["image"].str.startswith(f"{above}T").sum() == 12
    assert frame[covid_qu_ex.LABELS].sum().tolist() == [6, 6, 6]
    assert frame["split:official"].value_counts().to_dict() == {"train": 6, "val": 6, "test": 6}
    assert any("infection part" in note for note in frame.attrs["notes"]) == bool(above)


def test_rsnas_and_siims_png_copies_are_read_without_their_masks(tmp_path):
    rows = ["patientId,x,y,width,height,Target,class,age,sex,modality,position"]
    for number in range(4):
        kind = list(rsna.CLASSES.values())[number % 3]
        rows.append(f"id{number},,,,,{int(number % 3 == 1)},{kind},40,F,CR,PA")
        for folder in ("Images", "Masks"):
            save(tmp_path / f"rsna/Training/{folder}/id{number}.png")
            save(tmp_path / f"siim/{folder}/{number}_train_{number % 2}_.jpg")
    (tmp_path / "rsna/stage2_train_metadata.csv").write_text("\n".join(rows) + "\n")
    assert rsna.recognise(tmp_path / "rsna") and siim.recognise(tmp_path / "siim")
    frame = rsna.read(tmp_path / "rsna", {})
    assert frame["image"].tolist() == [f"Training/Images/id{number}.png" for number in range(4)]
    assert frame["Lung Opacity"].tolist() == [0, 1, 0, 0] and frame["Normal"].tolist() == [
        1,
        0,
        0,
        1,
    ]
    assert siim.read(tmp_path / "siim", {})["Pneumothorax"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("off", ["train", "..", "train/patient00001"])
def test_a_root_that_is_off_names_the_folder_that_is_meant(tmp_path, off):
    root = plus(tmp_path / "set" / "PNG").parent if off == ".." else plus(tmp_path / "set")
    given = {"..": root, "train": root / "PNG", "train/patient00001": root / "PNG/train"}[off]
    (root / "chexbert_labels").mkdir(exist_ok=True)
    settings = {"adapter": "chexpert", "dataset": "mine", "root": str(given)}
    right = root / "PNG" if off == ".." else root
    table = right / "df_chexpert_plus_240401.csv"
    table.write_text("Path,Sex,Enlarged Cardiomediastinum\n")
    table.rename(right / "train.csv")
    with pytest.raises(UserError, match=f"It lies in {right}: give that folder"):
        index.build(index_settings(settings))


def index_settings(given: dict) -> dict:
    """Settings of `index`, with its defaults."""
    return msgspec.to_builtins(read_step("index", json.dumps(given)))


@pytest.mark.parametrize("name", ["rsna", "vindr"])
def test_images_under_any_name_are_found_by_what_they_hold(tmp_path, name):
    """Also DICOM files without an ending."""
    wanted = json.dumps({"adapter": name, "patients": 8, "size": 32})
    phantom.main([wanted, "--out", str(tmp_path / name)])
    adapter = importlib.import_module(f"cxrgrid.datasets.{name}")
    before = adapter.read(tmp_path / name, {})
    for path in [p for p in (tmp_path / name).rglob("*") if p.suffix in (".dcm", ".dicom")]:
        path.rename(path.with_suffix(""))
    after = adapter.read(tmp_path / name, {})
    pd.testing.assert_frame_equal(before[adapter.LABELS[:1]], after[adapter.LABELS[:1]])
