"""`forecast`: cells, jobs, hours and disk are told before a run; many cells ask for a word."""

import json
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from conftest import CONFIG
from cxrgrid.cluster import forecast
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import MOST_CELLS, Grid
from cxrgrid.io.parquet import write_parquet


def job(rule, **wildcards):
    return SimpleNamespace(rule=SimpleNamespace(name=rule), wildcards=SimpleNamespace(**wildcards))


def training(cell):
    return job("train", **cell.wildcards())


@pytest.fixture
def grid(tmp_path, monkeypatch) -> Grid:
    monkeypatch.chdir(tmp_path)
    return Grid(CONFIG)


def finish(grid, cell, seconds, size=1000):
    """The files of a cell that forecasts read."""
    folder = Path(grid.folder(cell))
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text(json.dumps({"s": seconds}))
    (folder / "model.safetensors").write_bytes(bytes(size))


def test_cells_and_jobs_are_counted_and_what_is_not_known_is_said(grid):
    jobs = [training(cell) for cell in grid.cells] + [job("report"), job("all")]
    found = forecast.of_run(jobs, grid)
    assert (found.cells, found.jobs) == (len(grid.cells), len(grid.cells) + 1)
    assert found.unknown_cells == found.cells and "hours of training unknown" in found.sentence()


def test_hours_and_weights_are_those_of_finished_cells_of_the_kind(grid):
    kinds = {}
    for cell in grid.cells:
        kinds.setdefault(forecast.kind(cell), []).append(cell)
    done, *rest = next(cells for cells in kinds.values() if len(cells) > 1)
    other = next(cells[0] for cells in kinds.values() if done not in cells)
    finish(grid, done, seconds=3600.0)
    found = forecast.of_run([training(cell) for cell in rest], grid)
    assert found.seconds == 3600 * len(rest) and found.weights == 1000 * len(rest)
    assert (
        "about 1 h 00 min of training, as finished"
        in forecast.of_run([training(rest[0])], grid).sentence()
    )
    both = forecast.of_run([training(rest[0]), training(other)], grid)
    assert both.unknown_cells == 1 and "for 1 of them, unknown for the others" in both.sentence()
    again = forecast.of_run([training(cell) for cell in (done, *rest)], grid)
    assert again.unknown_cells == len(rest) + 1, "what trains again has not finished"


def test_finished_cells_that_train_again_are_said(grid):
    done, other = grid.cells[:2]
    assert " again" not in forecast.of_run([training(done), training(other)], grid).sentence()
    folder = Path(grid.folder(done))
    (folder / "predictions").mkdir(parents=True)
    (folder / "cell.json").write_bytes(msgspec.json.encode(done))
    for name in ("val", done.dataset):
        (folder / f"predictions/{name}.parquet").touch()
    found = forecast.of_run([training(done), training(other)], grid)
    assert "2 cells to train in 2 jobs, 1 of them again, as what they" in found.sentence()


def test_arrays_take_images_times_pixels_once_the_images_are_listed(grid):
    dataset = grid.cells[0].dataset
    jobs = [training(grid.cells[0]), job("pixels", dataset=dataset, image="")]
    assert "unknown until their images are listed" in forecast.of_run(jobs, grid).sentence()
    Path(f"results/data/{dataset}").mkdir(parents=True)
    images = {"image": ["a.png", "b.png", "c.png"]}
    write_parquet(images, Path(f"results/data/{dataset}/index.parquet"), {})
    found = forecast.of_run(jobs, grid)
    assert found.arrays == 3 * grid.study.datasets[dataset].image.size ** 2
    assert not found.unknown_arrays and " free" in found.sentence()


def test_more_cells_than_the_limit_end_in_the_line_that_starts_them(grid, capsys):
    dag = SimpleNamespace(needrun_jobs=lambda **_: [training(cell) for cell in grid.cells])
    forecast.begin(SimpleNamespace(dag=dag), grid)
    assert "forecast: " in capsys.readouterr().err and grid.max_cells == MOST_CELLS
    few = Grid({**CONFIG, "max_cells": str(len(grid.cells) - 1)})
    with pytest.raises(SystemExit, match=rf"\nerror: .* --config max_cells={len(grid.cells)}$"):
        forecast.begin(SimpleNamespace(dag=dag), few)
    assert few.to_json() == grid.to_json(), "the limit is no part of the study"
    nothing = SimpleNamespace(dag=SimpleNamespace(needrun_jobs=lambda **_: []))
    forecast.begin(nothing, few)


def test_a_dry_run_looks_into_the_folder_of_the_results(grid, tmp_path, monkeypatch, capsys):
    """At the end of a run with --directory Snakemake is back in the folder it was started in."""
    dataset, other = grid.cells[0].dataset, tmp_path / "other"
    Path(f"results/data/{dataset}").mkdir(parents=True)
    write_parquet({"image": ["a.png"]}, Path(f"results/data/{dataset}/index.parquet"), {})
    jobs = [training(grid.cells[0]), job("pixels", dataset=dataset, image="")]
    dag = SimpleNamespace(needrun_jobs=lambda **_: jobs)
    quiet = SimpleNamespace(quiet=False)
    other.mkdir()
    monkeypatch.chdir(other)
    workflow = SimpleNamespace(dryrun=True, output_settings=quiet, dag=dag)
    forecast.at_the_end(workflow, grid, tmp_path)
    assert "kB of disk for arrays" in capsys.readouterr().err and Path.cwd() == other


@pytest.mark.parametrize("value", ["many", "0", -1, 2.5])
def test_a_limit_that_is_no_number_is_one_line(value):
    with pytest.raises(UserError, match="max_cells: a whole number above 0"):
        Grid({**CONFIG, "max_cells": value})


def test_a_line_is_written_at_once_beside_the_console_that_another_thread_writes(monkeypatch):
    written = []
    stream = SimpleNamespace(write=written.append, flush=lambda: None)
    monkeypatch.setattr(forecast.sys, "stderr", stream)
    forecast.tell("forecast: two cells")
    assert written == ["forecast: two cells\n"]
