"""`collect`: the same results give the same bytes; what is missing is named."""

import json

import numpy as np
import pandas as pd
import pytest

from conftest import CONFIG, MISSING, write_scores
from cxrgrid import collect
from cxrgrid.config.cell import AXES
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.io.parquet import read_parquet, write_parquet

RERUN = (
    f"snakemake results/demo/cells/{MISSING}/model.safetensors --configfile results/demo/study.json"
)


def run(study, name="report"):
    out = study.parent / name
    collect.main([str(study), "--out-dir", str(out)])
    return out


def test_shuffled_scores_give_the_same_bytes(study):
    first = run(study, "first")
    write_scores(study.parent, [c for c in Grid(CONFIG).cells if c.path() != MISSING], shuffle=7)
    second = run(study, "second")
    for name in ("metrics.csv", "history.csv", "cells.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_metrics_hold_every_score_once(study):
    metrics = pd.read_csv(run(study) / "metrics.csv")
    scores = [read_parquet(path)[0] for path in (study.parent / "scores").glob("*.parquet")]
    assert len(metrics) == sum(table.num_rows for table in scores)
    keys = [*AXES, "target", "subset", "label", "metric"]
    assert not metrics.duplicated(keys).any()
    values = np.sort(np.concatenate([table["value"].to_numpy() for table in scores]))
    assert np.allclose(np.sort(metrics["value"]), values)


def test_a_missing_cell_is_named_with_its_command(study):
    cells = pd.read_csv(run(study) / "cells.csv")
    assert len(cells) == 16
    missing = cells[cells["state"] == "missing"]
    assert list(missing["rerun"]) == [RERUN]
    assert missing[["epochs", "best_epoch", "seconds", "split_hash"]].isna().all(axis=None)
    assert set(cells["state"]) == {"done", "missing"}


def test_a_done_cell_tells_of_its_run(study):
    cells = pd.read_csv(run(study) / "cells.csv")
    done = cells[cells["state"] == "done"].iloc[0]
    assert (done["epochs"], done["best_epoch"], done["seconds"]) == (8, 6, 12)
    assert done["versions"] == "python 3.11.2, torch 2.15.0"


def test_history_has_every_epoch_of_every_done_cell(study):
    history = pd.read_csv(run(study) / "history.csv")
    assert history.groupby(AXES)["epoch"].apply(list).tolist() == [list(range(1, 9))] * 15


def test_a_study_of_which_nothing_ran_is_all_missing(tmp_path):
    study = tmp_path / "demo" / "study.json"
    study.parent.mkdir()
    study.write_text(json.dumps(CONFIG))
    out = run(study)
    assert (pd.read_csv(out / "cells.csv")["state"] == "missing").all()
    assert (out / "metrics.csv").read_text().count("\n") == 1


def test_scores_of_cells_that_left_the_study_are_dropped(study):
    path = study.parent / "scores/ward.parquet"
    frame = read_parquet(path)[0].to_pandas()
    write_parquet(pd.concat([frame, frame.assign(backbone="resnet34")]), path, {})
    assert "resnet34" not in (run(study) / "metrics.csv").read_text()


def test_a_model_from_elsewhere_is_kept_as_long_as_the_study_names_it(study):
    path = study.parent / "scores/ward.parquet"
    frame = read_parquet(path)[0].to_pandas()
    row = frame.head(1).assign(backbone="theirs", init="external", recipe="external")
    write_parquet(pd.concat([frame, row]), path, {})
    assert "theirs" not in (run(study) / "metrics.csv").read_text()
    model = {"theirs": {"dataset": "ward", "predictions": "theirs.csv"}}
    study.write_text(json.dumps(CONFIG | {"external": model}))
    assert (run(study) / "metrics.csv").read_text().count("theirs,external") == 1


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (None, "not run"),
        ("", "stopped at its start"),
        ("epoch 1/8  train loss 0.5\nepoch 2/8  train loss 0.4\n", "stopped after: epoch 2/8"),
        ("epoch 1/8\nerror: the loss is not finite\n", "error: the loss is not finite"),
    ],
)
def test_a_missing_cell_says_why(study, log, reason):
    folder = study.parent / "cells" / MISSING
    folder.mkdir(parents=True, exist_ok=True)
    if log is not None:
        (folder / "train.log").write_text(log)
    cells = pd.read_csv(run(study) / "cells.csv")
    (said,) = cells.loc[cells["state"] == "missing", "reason"]
    assert said.startswith(reason)


def test_a_cell_of_other_settings_is_missing(study):
    done = next(path for path in (study.parent / "cells").rglob("cell.json"))
    settings = json.loads(done.read_text())
    done.write_text(json.dumps(settings | {"lr": 0.5}))
    cells = pd.read_csv(run(study) / "cells.csv")
    assert (cells["state"] == "missing").sum() == 2


def rewritten(path, **facts):
    table, old = read_parquet(path)
    write_parquet(table, path, old | facts)


def test_a_seed_of_another_split_is_not_averaged_with_the_others(study):
    cell = Grid(CONFIG).cells[0]
    rewritten(study.parent / "cells" / cell.path() / "history.parquet", split_hash="0ther")
    with pytest.raises(UserError, match=r"ward: cells or scores rest on different splits .*0ther"):
        run(study)
    assert not (study.parent / "report/cells.csv").exists()


def test_scores_of_another_split_than_the_cells_are_refused(study):
    rewritten(study.parent / "scores/ward.parquet", split_hash="0ld")
    with pytest.raises(UserError, match="ward: cells or scores rest on different splits"):
        run(study)
