"""Whatever became of one file of a finished study, it is read, or refused in one line.

CXRGRID_EXAMPLES=2000 pytest tests/reporting/test_damaged_results.py tries as many.
"""

import os
import random
import shutil
from pathlib import Path

import pytest

from conftest import write_report, write_study
from cxrgrid import choose, collect, compare, load, merge, report, status
from cxrgrid.config.errors import UserError
from damaged_files import damages
from odd_tables import one_line

TRIED = int(os.environ.get("CXRGRID_EXAMPLES", 8))
CELL = "demo/cells/ward/resnet10t/scratch/default/seed0"
FILES = ["demo/study.json", "demo/readings.jsonl", "demo/scores/ward.parquet"]
FILES += ["demo/curves/ward.parquet", "data/ward/table.parquet", "data/ward/audit.json"]
FILES += [f"{CELL}/cell.json", f"{CELL}/history.parquet", f"{CELL}/predictions/ward.parquet"]
FILES += [f"{CELL}/predictions/val.parquet"]
FILES += [f"{CELL}/explain/{name}.parquet" for name in ("gallery", "pointing", "embedding")]
READ = ("metrics", "history", "cells", "confusions", "comparisons", "configurations", "effects")
FILES += [f"demo/report/{name}.csv" for name in (*READ, "recommended", "validation", "leaderboard")]
FILES += ["demo/report/labels.json", "demo/report/figures/roc.svg"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a study with its report."""
    made = tmp_path_factory.mktemp("damaged") / "results"
    write_report(write_study(made))
    return made


def everything(folder: Path) -> None:
    """Ask `cxrgrid.load` for all that it gives."""
    found = load(folder)
    frames = [found.cells, found.scores, found.history, found.comparisons, found.configurations]
    frames += [found.images("ward"), found.predictions(), found.predictions("val")]
    assert all(len(frame) for frame in frames if frame is not found.comparisons)


def commands(study: Path, out: Path):
    """Every reader of a whole study."""
    folder, given = study.parent / "report", str(study)
    many = ["--validation", str(folder / "validation.csv"), "--out", str(out / "pairs.csv")]
    yield collect.main, [given, "--out-dir", str(out)]
    yield choose.main, [given, "--out", str(out / "validation.csv")]
    yield compare.main, ["--study", given, *many, "--effects", str(out / "effects.csv")]
    yield report.main, [given, "--out", str(out / "report.html")]
    yield report.main, [given, "--headline"]
    yield status.main, [given]
    yield merge.main, [str(study.parents[1]), "-n"]


@pytest.mark.long
def test_a_study_with_a_damaged_file_is_read_or_one_line(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn, out = random.Random(TRIED), tmp_path / "out"
    for _ in range(TRIED):
        path = results / drawn.choice(FILES)
        whole = path.read_bytes()
        word, damaged = drawn.choice([*damages(path.name, whole)])
        command, args = drawn.choice([*commands(results / "demo/study.json", out), (None, [])])
        out.mkdir()
        kept = (results / "demo/readings.jsonl").read_bytes()
        path.unlink()
        path.mkdir() if damaged is None else path.write_bytes(damaged)
        try:
            one_line(command, args) if command else one_line(everything, results / "demo")
        except SystemExit as ended:
            assert command is merge.main and ended.code == 1, "a conflict"
        except Exception as error:
            raise AssertionError(f"{path.name}, {word}: {args}") from error
        finally:
            path.rmdir() if path.is_dir() else path.unlink()
            (results / "demo/readings.jsonl").write_bytes(kept)
            path.write_bytes(whole)
            shutil.rmtree(out)


def test_a_list_of_cells_that_is_shorter_is_no_shorter_report(results):
    study, path = results / "demo/study.json", results / "demo/report/cells.csv"
    whole = path.read_bytes()
    try:
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:9]))
        with pytest.raises(UserError, match="lists 8 cells, which are not the 16"):
            report.main([str(study), "--headline"])
        path.write_bytes(whole[:-1])
        with pytest.raises(UserError, match="cells.csv: is cut short"):
            report.main([str(study), "--headline"])
    finally:
        path.write_bytes(whole)
