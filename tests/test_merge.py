"""Cells of another results folder are taken by their settings, and nothing finished is replaced."""

import errno
import os
import shutil
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from conftest import CONFIG, LABELS, MISSING, write_study
from cxrgrid import merge
from cxrgrid.config.cell import read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.data.pooled_part import digest
from cxrgrid.io.parquet import read_parquet, write_parquet

CELLS = Path("results/demo/cells")
EAST = Path("east/results")
CELL = "ward/resnet10t/scratch/default/seed0"
OTHER = "children/resnet18/scratch/default/seed1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A results folder in which all cells but one have finished."""
    results = tmp_path_factory.mktemp("whole") / "results"
    write_study(results)
    for path in (results / "demo/cells").rglob("cell.json"):
        (path.parent / "model.safetensors").write_bytes(str(path).encode())
        (path.parent / "train.lock").touch()
    for name in LABELS:
        rows = {"image": [f"{n:03}.png" for n in range(60)], "row": list(range(60))}
        write_parquet(rows, results / "data" / name / "pixels.parquet", {"size": 24})
    return results


@pytest.fixture(autouse=True)
def here(whole, tmp_path, monkeypatch):
    """The same results in two places."""
    monkeypatch.chdir(tmp_path)
    for results in (Path("results"), EAST):
        shutil.copytree(whole, results)


def tree(folder) -> dict[str, bytes]:
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def lose(*cells: str) -> None:
    for cell in cells:
        shutil.rmtree(CELLS / cell)


def test_what_is_here_stays_and_what_is_missing_is_copied_whole(capsys):
    before = tree("results")
    lose(CELL, OTHER)
    kept = tree("results")
    merge.main(["east", "-n"])
    assert tree("results") == kept and "2 taken" in capsys.readouterr().out
    merge.main(["east"])
    out = capsys.readouterr().out
    locks = {f"demo/cells/{cell}/train.lock" for cell in (CELL, OTHER)}
    assert tree("results") == {name: text for name, text in before.items() if name not in locks}
    assert f"taken  {CELLS / CELL}" in out and "2 taken, 0 taken unfinished, 13 here" in out
    merge.main(["east"])
    assert "0 taken, 0 taken unfinished, 15 here" in capsys.readouterr().out


def test_all_that_is_copied_is_as_young_as_the_youngest_data(tmp_path):
    lose(CELL)
    ahead = time.time_ns() + 10**12  # another machine's clock
    os.utime("results/data/ward/table.parquet", ns=(ahead, ahead))
    merge.main(["east"])
    times = {path.stat().st_mtime_ns for path in (CELLS / CELL).rglob("*") if path.is_file()}
    assert times == {ahead}


def test_a_dataset_comes_along_if_it_is_not_here(capsys):
    lose(CELL)
    shutil.rmtree("results/data/ward")
    (EAST / "data/children/pixels-size512.npy").write_text("an array")
    (EAST / "weights").mkdir()
    (EAST / "weights/resnet18.safetensors").write_text("weights")
    merge.main(["east"])
    assert tree("results/data/ward") == tree(EAST / "data/ward")
    assert Path("results/weights/resnet18.safetensors").read_text() == "weights"
    assert not Path("results/data/children/pixels-size512.npy").exists(), "no cell of it is taken"
    lose(OTHER)
    merge.main(["east"])
    assert Path("results/data/children/pixels-size512.npy").exists()


def test_datasets_that_a_cell_pools_come_along():
    lose(CELL)
    shutil.copytree(EAST / "data/children", EAST / "data/far")
    change(CELL, train_on=("far", "ward"))
    merge.main(["east"])
    assert tree("results/data/far") == tree(EAST / "data/far")


def pooled() -> dict:
    """CELL as one that was trained on ward and far elsewhere, far prepared in both places."""
    lose(CELL)
    for results in (EAST, Path("results")):
        shutil.copytree(EAST / "data/children", results / "data/far")
        table, facts = read_parquet(results / "data/far/table.parquet")
        more = {"dataset": "far", "image": {"size": 24}, "policy": {"uncertain": "zero"}}
        write_parquet(table, results / "data/far/table.parquet", facts | more)
    change(CELL, train_on=("far", "ward"))
    path = EAST / "demo/cells" / CELL / "history.parquet"
    table, history = read_parquet(path)
    part = {"split_hash": facts["split_hash"], "policy_hash": digest(more["policy"])}
    part |= {"image": {"size": 24}}
    write_parquet(table, path, history | {"image": {"size": 24}, "pool": {"far": part}})
    (EAST / "demo/pools").mkdir()
    (EAST / "demo/pools/far+ward.parquet").write_text("like held-out images")
    return facts | more


def test_a_pooled_cell_brings_the_list_of_images_that_it_left_out(capsys):
    pooled()
    merge.main(["east"])
    assert Path("results/demo/pools/far+ward.parquet").read_text() == "like held-out images"
    assert (CELLS / CELL / "cell.json").exists()
    merge.main(["east", "--as", "both"])
    assert Path("results/both/pools/far+ward.parquet").exists()
    Path("results/demo/pools/far+ward.parquet").write_text("its own")
    lose(CELL)
    merge.main(["east"])
    assert Path("results/demo/pools/far+ward.parquet").read_text() == "its own"


@pytest.mark.parametrize(
    ("fact", "value", "words"),
    [
        ("split_hash", "another", "split_hash of far, on which it is trained too, is another here"),
        ("policy", {"uncertain": "one"}, "policy_hash of far, on which it is trained too, is"),
        ("table", None, "data/far/table.parquet is missing; prepare it"),
        ("array", {"size": 32}, "image of far, on which it is trained too, is {'size': 32} here"),
    ],
)
def test_other_data_of_a_dataset_that_a_cell_pools_is_a_conflict(capsys, fact, value, words):
    facts = pooled()
    path = Path("results/data/far/table.parquet")
    if fact == "table":
        path.unlink()
    elif fact == "array":
        array = path.with_name("pixels.parquet")
        write_parquet(read_parquet(array)[0], array, value)
    else:
        write_parquet(read_parquet(path)[0], path, facts | {fact: value})
    assert words in conflict(capsys)


def change(cell: str, **settings) -> None:
    """Other settings of a cell elsewhere."""
    path = EAST / "demo/cells" / cell / "cell.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(read_cell(str(path)), **settings)))


def conflict(capsys) -> str:
    """The line of the one conflict."""
    before = tree("results")
    with pytest.raises(SystemExit) as ended:
        merge.main(["east"])
    assert ended.value.code == 1 and tree("results") == before
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("conflict  ")]
    return line


def test_a_cell_of_other_settings_is_a_conflict_that_names_them(capsys):
    change(CELL, lr=0.5, epochs=3)
    said = conflict(capsys)
    assert str(CELLS / CELL) in said
    assert "epochs 20 here, 3 there; lr 0.001 here, 0.5 there" in said


@pytest.mark.parametrize("what", ["split", "truth", "image", "table"])
def test_a_cell_of_other_data_is_a_conflict(capsys, what):
    lose(CELL)
    source, data = EAST / "demo/cells" / CELL, Path("results/data/ward")
    if what == "split":
        path = data / "table.parquet"
        table, facts = read_parquet(path)
        write_parquet(table, path, facts | {"split_hash": "another"})
        assert "split_hash of ward is another here, aa11bb22cc33dd44 there" in conflict(capsys)
    elif what == "truth":
        path = source / "predictions/ward.parquet"
        table, facts = read_parquet(path)
        rows = table.to_pandas()
        rows.loc[3, "y:Nodule"] = np.nan
        write_parquet(rows, path, facts)
        assert "the truth of Nodule in the test images of ward differs" in conflict(capsys)
    elif what == "image":
        table, facts = read_parquet(source / "history.parquet")
        write_parquet(table, source / "history.parquet", facts | {"image": {"size": 32}})
        assert "the image settings of pixels of ward differ" in conflict(capsys)
    else:
        (data / "table.parquet").unlink()
        assert "data/ward/table.parquet is missing; prepare it" in conflict(capsys)


def test_an_unfinished_cell_brings_its_state_where_nothing_of_it_is_here(capsys):
    begun = EAST / "demo/cells" / MISSING
    begun.mkdir(parents=True, exist_ok=True)
    cell = Grid(CONFIG).by_path[MISSING]
    (begun / "cell.json").write_bytes(msgspec.json.encode(cell))
    (begun / "state.pt").write_bytes(b"a state")
    merge.main(["east"])
    assert (CELLS / MISSING / "state.pt").read_bytes() == b"a state"
    (begun / "state.pt").write_bytes(b"an older state")
    merge.main(["east"])
    assert (CELLS / MISSING / "state.pt").read_bytes() == b"a state"
    assert "1 left unfinished" in capsys.readouterr().out


def test_a_finished_cell_takes_the_place_of_an_unfinished_one():
    (CELLS / CELL / "model.safetensors").unlink()
    (CELLS / CELL / "state.pt").touch()
    merge.main(["east"])
    assert (CELLS / CELL / "model.safetensors").exists() and not (
        CELLS / CELL / "state.pt"
    ).exists()


def test_cells_may_join_a_study_of_another_name():
    change(CELL, weights="results/demo/cells/children/resnet18/scratch/default/seed0/m.safetensors")
    merge.main(["east", "--study", "demo", "--as", "both"])
    cell = read_cell(f"results/both/cells/{CELL}/cell.json")
    assert cell.study == "both" and cell.weights.startswith("results/both/cells/children/")
    own = Grid(CONFIG | {"study": "both"}).by_path[OTHER]
    assert read_cell(f"results/both/cells/{OTHER}/cell.json") == own


def test_predictions_of_other_test_images_stay_behind():
    lose(CELL)
    for name, split_hash in (("children", "another"), ("far", "another")):
        path = EAST / "demo/cells" / CELL / f"transfer/{name}.parquet"
        write_parquet({"image": []}, path, {"split_hash": split_hash})
    merge.main(["east"])
    assert [path.name for path in (CELLS / CELL / "transfer").iterdir()] == ["far.parquet"]


def test_a_folder_or_study_without_cells_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no cells in it"):
        merge.main([str(tmp_path / "nowhere")])
    with pytest.raises(UserError, match="no cells of a study 'west'; there are: demo"):
        merge.main(["east", "--study", "west"])
    with pytest.raises(UserError, match="--as: the name 'a/b'"):
        merge.main(["east", "--as", "a/b"])


def test_a_cell_of_another_study_has_its_new_name_before_its_place(monkeypatch):
    named = []
    place = Path.rename

    def rename(partial, target):
        if (partial / "cell.json").is_file():
            named.append(read_cell(str(partial / "cell.json")).study)
        return place(partial, target)

    monkeypatch.setattr(Path, "rename", rename)
    merge.main(["east", "--study", "demo", "--as", "joined"])
    assert set(named) == {"joined"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_a_copy_is_one_line_and_leaves_none(monkeypatch, number):
    def refused(source, target):
        raise OSError(number, os.strerror(number), str(source))

    monkeypatch.setattr(shutil, "copyfile", refused)
    lose(CELL)
    with pytest.raises(UserError, match=os.strerror(number)) as error:
        merge.main(["east"])
    assert "\n" not in str(error.value) and not list(Path("results").rglob("*.merging"))
