"""New images get the very answers that the cell's own images got, and no file ends the run."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrgrid import apply
from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom
from cxrgrid.evaluation.metrics import youden
from cxrgrid.io.parquet import read_parquet
from small_cell import SPLITS, write_cell

TEST = [f"{number:02}.png" for number, split in enumerate(SPLITS) if split == "test"]


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    return write_cell(tmp_path_factory.mktemp("apply") / "results", channels_last=True)


@pytest.fixture(scope="module")
def files(cell):
    return cell.parents[6] / "files"


def run(cell, paths, out, *options):
    """The rows that the command writes."""
    arguments = [str(path) for path in paths]
    apply.main([*arguments, "--cell", str(cell), "--out", str(out), *options])
    return pd.read_csv(out) if out.suffix == ".csv" else json.loads(out.read_text())


@pytest.mark.parametrize(
    ("task", "size"), [("multilabel", 32), ("multiclass", 32), ("multilabel", "40x24")]
)
def test_the_test_images_get_the_bits_of_the_cells_predictions(tmp_path, task, size):
    cell = write_cell(tmp_path / "results", task=task, size=size, channels_last=True, rotate=5)
    paths = [tmp_path / "results/files" / name for name in TEST]
    rows = run(cell, paths, tmp_path / "out.csv")
    table, _ = read_parquet(cell / "predictions/toy.parquet")
    for label in "AB":
        said = rows[f"p:{label}"].to_numpy().astype(np.float32)
        assert np.array_equal(said, table[f"p:{label}"].to_numpy())


def test_one_image_alone_is_judged_as_among_others(tmp_path, cell, files):
    together = run(cell, [files], tmp_path / "all.csv").set_index("image")
    alone = run(cell, [files / TEST[3]], tmp_path / "one.csv").iloc[0]
    for label in "AB":
        assert alone[f"p:{label}"] == pytest.approx(together.loc[alone["image"], f"p:{label}"])


def test_decisions_follow_the_thresholds_of_the_validation_images(tmp_path, cell, files):
    rows = run(cell, [files], tmp_path / "out.csv")
    val, _ = read_parquet(cell / "predictions/val.parquet")
    for label in "AB":
        cut = youden(val[f"y:{label}"].to_numpy(), val[f"p:{label}"].to_numpy())
        assert (rows[f"threshold:{label}"] == cut).all()
        assert ((rows[f"p:{label}"] >= cut) == rows[f"decision:{label}"]).all()
    assert set(rows["rule"]) == {"youden"}


def test_a_fixed_threshold_and_its_name(tmp_path, cell, files):
    rows = run(cell, [files], tmp_path / "out.csv", "--threshold", "0.3")
    assert set(rows["rule"]) == {0.3} and (rows["threshold:A"] == 0.3).all()
    with pytest.raises(UserError, match="--threshold: no operating point 'yuden'"):
        run(cell, [files], tmp_path / "out.csv", "--threshold", "yuden")


def test_calibration_moves_probabilities_and_no_order(tmp_path, cell, files):
    plain = run(cell, [files], tmp_path / "a.csv")["p:A"]
    warm = run(cell, [files], tmp_path / "b.csv", "--calibrate")["p:A"]
    assert not np.allclose(plain, warm) and plain.corr(warm, "spearman") > 0.999


def test_files_that_cannot_be_read_are_rows_with_a_reason(tmp_path, cell, files):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "empty.png").touch()
    (bad / "text.png").write_text("not an image")
    (bad / "cut.png").write_bytes((files / TEST[0]).read_bytes()[:200])
    (bad / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 50)
    Image.new("L", (3, 3)).save(bad / "icon.png")
    shutil.copy(files / TEST[0], bad / "whole.png")
    rows = run(cell, [bad], tmp_path / "out.csv").assign(name=lambda r: r["image"].str[-9:])
    whole = rows["image"].str.endswith("whole.png")
    assert len(rows) == 6 and rows.loc[~whole, "reason"].notna().all()
    assert rows.loc[whole, "reason"].isna().all() and rows.loc[whole, "p:A"].notna().all()
    assert rows.loc[~whole, ["p:A", "decision:A"]].isna().all(axis=None)
    only = run(cell, [bad / "empty.png"], tmp_path / "only.json")
    assert only["images"][0]["reason"] == "empty file" and only["images"][0]["p:A"] is None


def test_folders_are_searched_to_any_depth_and_dicom_needs_no_ending(tmp_path, cell, files):
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    shutil.copy(files / TEST[1], deep / "x.png")
    row = {"patient": 1, "study": 0, "sex": "F", "age": 40.0, "view": "PA"}
    pixels = np.asarray(Image.open(files / TEST[1]))
    dicom.write(deep / "IM0001", pixels, row)
    dicom.write(deep / "inverse.dcm", pixels, row, "MONOCHROME1")
    (tmp_path / "a/notes.txt").write_text("hello")
    (tmp_path / "a/.hidden.png").touch()
    rows = run(cell, [tmp_path / "a"], tmp_path / "out.csv")
    assert [name.rpartition("/")[2] for name in rows["image"]] == ["IM0001", "inverse.dcm", "x.png"]
    assert rows["p:A"].nunique() == 1, "one film, three files"


def test_an_image_that_was_learnt_from_is_noted_by_its_name(tmp_path, cell, files):
    rows = run(cell, [files], tmp_path / "out.csv")
    assert [split for split in SPLITS if split != "test"] == [
        text.split("cell's ")[1].split()[0] for text in rows["note"].dropna()
    ]


def test_heat_maps_are_written_for_what_is_decided_present(tmp_path, cell, files):
    paths = [files / name for name in TEST[:4]]
    rows = run(cell, paths, tmp_path / "out.csv", "--heatmaps", str(tmp_path / "maps"))
    names = {path.name for path in (tmp_path / "maps").iterdir()}
    for row in rows.to_dict("records"):
        stem = row["image"][-6:-4]
        present = {f"{stem}.{label}.png" for label in "AB" if row[f"decision:{label}"]}
        found = {name for name in names if name.startswith(stem)}
        assert present <= found and len(found) == max(1, len(present))
    assert Image.open(tmp_path / "maps" / names.pop()).size == (32, 32)


def test_a_copied_cell_says_what_it_lacks_and_works_with_it(tmp_path, cell, files):
    copy = tmp_path / "copy"
    shutil.copytree(cell, copy)
    with pytest.raises(UserError, match="no table.parquet in data/toy of any folder above.*--data"):
        run(copy, [files / TEST[0]], tmp_path / "out.csv")
    data = ["--data", str(cell.parents[6] / "data/toy")]
    there = run(cell, [files], tmp_path / "a.csv")
    assert run(copy, [files], tmp_path / "b.csv", *data).equals(there)
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no model.safetensors"):
        run(copy, [files], tmp_path / "out.csv", *data)


def test_weights_that_are_not_those_of_the_training_are_noticed(tmp_path, cell, files):
    copy = tmp_path / "copy"
    shutil.copytree(cell, copy)
    data = f"--data={cell.parents[6] / 'data/toy'}"
    path = copy / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1  # a weight that is nearly the same
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model.safetensors: damaged, or of another training"):
        run(copy, [files / "00.png"], tmp_path / "out.csv", data)
    path.write_bytes(content[:-100])
    with pytest.raises(UserError, match=r"model.safetensors: damaged, or of another training"):
        run(copy, [files / "00.png"], tmp_path / "out.csv", data)
    (copy / "history.parquet").unlink()  # a copy without it has no checksum; cut short, it shows
    with pytest.raises(UserError, match="not a readable safetensors file"):
        run(copy, [files / "00.png"], tmp_path / "out.csv", data)
    for text in ("", "[]", "{}", '{"seed": "x"}'):
        (copy / "cell.json").write_text(text)
        with pytest.raises(UserError, match=r"cell.json: not a cell \(.*\); copy its whole folder"):
            run(copy, [files / "00.png"], tmp_path / "out.csv", data)


def test_without_out_a_table_is_printed(capsys, cell, files):
    apply.main([str(files / TEST[0]), "--cell", str(cell)])
    printed = capsys.readouterr().out
    assert TEST[0] in printed and "rule youden" in printed


def test_what_is_not_there_is_one_line(tmp_path, cell, files):
    with pytest.raises(UserError, match="no such file or folder"):
        run(cell, [tmp_path / "x.png"], tmp_path / "out.csv")
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no image in it"):
        run(cell, [tmp_path / "none"], tmp_path / "out.csv")
    with pytest.raises(UserError, match="no cell.json"):
        run(tmp_path, [files], tmp_path / "out.csv")
    with pytest.raises(UserError, match=".csv or .json"):
        apply.main([str(files), "--cell", str(cell), "--out", str(tmp_path / "a.txt")])


def test_maps_of_files_with_one_name_have_names_of_their_own():
    names = ["a", "a", "a-2", "b", "a"]
    assert apply.unique(names) == ["a", "a-2", "a-2-2", "b", "a-3"]
