"""Results that no study uses are listed and, when asked for, removed; others are never touched."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from conftest import CONFIG, MISSING
from cxrgrid import clean
from cxrgrid.cluster import preflight, run_config
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import FROZEN, Grid
from cxrgrid.io import locks
from cxrgrid.io.atomic import replacing

DONE = Path("results/demo/cells", MISSING).parent / "seed0"
MISSING = Path("results/demo/cells", MISSING)
WARD = Path("results/data/ward")


@pytest.fixture(autouse=True)
def here(study, tmp_path, monkeypatch):
    """A folder with results of one finished study, all of it in use, and its cells' cell.json."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_config, "FROZEN", FROZEN)
    for cell in Grid(CONFIG).cells:
        folder = Path("results/demo/cells", cell.path())
        if folder.is_dir():
            (folder / "cell.json").write_bytes(msgspec.json.encode(cell))
    (WARD / "pixels.npy").touch()


def listed(capsys, *arguments) -> list[tuple[str, str]]:
    """Why and what, of each line on something that is unused."""
    clean.main([*map(str, arguments)])
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    return [(why, path) for *_, why, path in (line for line in lines if len(line) > 2)]


def everything() -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in Path("results").rglob("*") if p.is_file()}


def array(name: str, text: str = "x" * 1000) -> list[Path]:
    paths = [WARD / f"{name}{ending}" for ending in (".npy", ".parquet", ".log")]
    for path in paths:
        path.write_text(text)
    return paths


def plan(config: dict) -> None:
    """Leave behind what `freeze` does, of a run or dry run."""
    grid = Grid(config)
    for path, text in ((run_config.command_of(grid.name), ""), (grid.frozen, grid.to_json())):
        with replacing(Path(path)) as partial:
            partial.write_text(text)


def test_nothing_of_a_study_is_unused(capsys):
    before = everything()
    assert listed(capsys, "--yes") == []
    assert everything() == before


def test_what_no_study_uses_is_listed_and_goes_only_when_asked(capsys):
    before = everything()
    shutil.copytree(DONE, DONE.parent / "seed7")
    shutil.copytree(DONE, DONE.parents[1] / "default-lr0.1/fold2/seed0")
    array("pixels-size512")
    for name in (".pixels-size512.partial.npy", ".pixels-size512.partial.json"):
        (WARD / name).write_text("begun")
    shutil.copytree(WARD, WARD.with_name("gone"))
    after = everything()
    found = listed(capsys)
    assert {path for _, path in found} == {
        str(DONE.parent / "seed7"),
        str(DONE.parents[1] / "default-lr0.1/fold2/seed0"),
        str(WARD / "pixels-size512.npy"),
        str(WARD / ".pixels-size512.partial.npy"),
        str(WARD.with_name("gone")),
    }
    assert everything() == after, "a list removes nothing"
    assert len(listed(capsys, "--yes")) == 5
    assert everything() == before
    assert not (DONE.parents[1] / "default-lr0.1").exists(), "empty folders go as well"
    assert listed(capsys) == []


def test_a_state_goes_unless_a_training_would_go_on_from_it(capsys):
    MISSING.mkdir(parents=True, exist_ok=True)
    cell = Grid(CONFIG).by_path[str(MISSING.relative_to("results/demo/cells"))]
    for begun, count in ((cell, 0), (msgspec.structs.replace(cell, lr=0.5), 1)):
        (MISSING / "cell.json").write_bytes(msgspec.json.encode(begun))
        (MISSING / "state.pt").write_bytes(b"0" * 100)
        assert len(listed(capsys, "--yes")) == count
    assert not (MISSING / "state.pt").exists() and (MISSING / "cell.json").exists()
    (DONE / "state.pt").touch()
    assert listed(capsys) == [
        ("state of other settings, or of a finished cell", str(DONE / "state.pt"))
    ]


def test_a_study_counts_as_it_was_last_planned_and_as_it_is_given(capsys, tmp_path):
    recipes = {"default": {"image": {"size": [224, 512]}}, "slow": {"lr": 1e-5}}
    wider = CONFIG | {"recipes": recipes}
    array("pixels-size512")
    (tmp_path / "next.yaml").write_text(json.dumps(wider | {"study": "next"}))
    assert len(listed(capsys)) == 1 and listed(capsys, "next.yaml") == []
    plan(wider)
    assert listed(capsys) == []
    plan(CONFIG)  # the level is taken out again
    assert len(listed(capsys)) == 1


def test_cells_that_another_study_starts_from_stay(capsys):
    shutil.copytree(DONE, DONE.parent / "seed7")
    weights = {"pilot": {"file": str(DONE.parent / "seed7/model.safetensors")}}
    grid = CONFIG["grid"] | {"inits": ["pilot"], "backbones": ["resnet18"]}
    plan(CONFIG | {"study": "later", "weights": weights, "grid": grid})
    assert listed(capsys) == []


def test_a_forgotten_study_counts_no_more(capsys):
    found = listed(capsys, "--forget", "demo", "--yes")
    assert {why for why, _ in found} == {"cell of no study", "dataset of no study"}
    assert not list(Path("results/demo/cells").rglob("cell.json")) and not WARD.exists()
    assert Path("results/demo/study.json").exists()


def test_cells_without_a_study_are_left_alone_and_so_is_their_data(capsys):
    shutil.copytree("results/demo/cells", "results/copied/cells")
    shutil.copytree(WARD, WARD.with_name("far"))
    Path("results/copied/cells/ward").rename("results/copied/cells/far")
    assert listed(capsys, "--yes") == []
    clean.main([])
    assert "Left alone, without a study.json: results/copied" in capsys.readouterr().out


def test_nothing_is_removed_while_a_snakemake_runs(capsys):
    shutil.copytree(DONE, DONE.parent / "seed7")
    held = locks.hold(preflight.RUNS / "elsewhere-1.run")
    with pytest.raises(UserError, match="a snakemake runs in this folder .*elsewhere-1.run"):
        clean.main(["--yes"])
    assert len(listed(capsys)) == 1, "a list may be had at any time"
    held.close()
    (preflight.RUNS / "elsewhere-1.run").unlink()
    training = locks.claim(DONE.parent / "seed7")
    clean.main(["--yes"])
    assert "kept: it is being trained" in capsys.readouterr().out
    training.close()
    assert (DONE.parent / "seed7/cell.json").exists()


def test_a_study_that_cannot_be_read_stops_it():
    Path("results/demo/study.json").write_text(json.dumps(CONFIG | {"grids": {}}))
    with pytest.raises(UserError, match=r"demo/study\.json: .*'grids'.* --forget demo"):
        clean.main([])
    Path("results/demo/study.json").write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match=r"demo/study\.json: cannot be read"):
        clean.main([])


def test_without_any_study_nothing_is_known(tmp_path, monkeypatch):
    shutil.rmtree("results/demo")
    with pytest.raises(UserError, match="no study has run here"):
        clean.main([])


def test_features_stay_while_a_probe_is_shown_their_array(capsys):
    (WARD / "pixels.npy").write_bytes(b"x" * 10)
    file = (WARD / "pixels.npy").stat()
    for name, mark in (("now", file.st_mtime_ns), ("before", 1)):
        (WARD / "features" / name).mkdir(parents=True)
        made = {"array": ["pixels.npy", 10, mark]}
        (WARD / "features" / name / "features.json").write_text(json.dumps(made))
    probing = CONFIG | {"recipes": {"default": {}, "probe": {"train": "head"}}}
    plan(probing | {"grid": CONFIG["grid"] | {"recipes": ["default", "probe"]}})
    changed = [("features of an array that has changed", str(WARD / "features/before"))]
    assert listed(capsys, "--yes") == changed
    plan(CONFIG)
    assert listed(capsys, "--yes") == [("features of no cell", str(WARD / "features/now"))]
    assert not (WARD / "features").exists()


def test_a_removal_that_was_killed_is_gone_on_with(monkeypatch, capsys):
    unused = Path(shutil.copytree(DONE, DONE.parent / "seed7"))
    with monkeypatch.context() as patch:
        patch.setattr(clean.shutil, "rmtree", lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            clean.main(["--yes"])
    assert (unused / "cell.json").is_file()
    assert ("cell of no study", str(unused)) in listed(capsys, "--yes")
    assert not unused.exists()
