"""Of a cross-validated model the report has one row; what its folds lack is said."""

import numpy as np
import pandas as pd

from cxrgrid.config.cell import AXES, POOLED
from cxrgrid.reporting import fold_frames

FILE = "--configfile a.yaml"


def cells():
    """Two seeds of one configuration on three folds, one of them missing; a cell without folds."""
    rows = [("ward", "b", "i", "r", fold, seed) for seed in (0, 1) for fold in range(3)]
    frame = pd.DataFrame([*rows, ("clinic", "b", "i", "r", 0, 0)], columns=AXES)
    frame = frame.assign(state="done", reason=np.nan, rerun=np.nan, gpu_hours=range(1, 8))
    frame = frame.astype({"reason": object, "rerun": object})
    for at in (4, 5):
        lost = ["missing", f"reason {at}", f"snakemake fold{at} {FILE}"]
        frame.loc[at, ["state", "reason", "rerun"]] = lost
    return frame


def test_a_row_of_a_replicate_has_mean_costs_and_one_command_for_all_missing_folds():
    made = fold_frames.replicates(cells())
    assert made[AXES].values.tolist() == [
        ["ward", "b", "i", "r", POOLED, 0],
        ["ward", "b", "i", "r", POOLED, 1],
        ["clinic", "b", "i", "r", 0, 0],
    ]
    assert made["gpu_hours"].tolist() == [2, 5, 7]
    assert made["state"].tolist() == ["done", "missing", "done"]
    assert made.loc[1, "rerun"] == f"snakemake fold4 fold5 {FILE}"
    again = fold_frames.rerun(made["rerun"])  # a table joins the commands of several seeds
    assert again == f"snakemake fold4 fold5 {FILE}"


def test_without_folds_nothing_changes():
    frame = cells().iloc[-1:]
    assert fold_frames.replicates(frame) is frame
    assert fold_frames.of_folds(frame, frame).empty
    assert len(fold_frames.of_replicates(frame, frame)) == 1


def test_pooled_rows_stand_for_their_folds_and_ensembles_of_some_folds_are_left_out():
    names = ["b", "b", "ensemble:b", "ensemble:b", "theirs"]
    folds = [POOLED, 1, POOLED, 2, 0]
    rows = [("ward", name, "i", "r", fold, 0) for name, fold in zip(names, folds, strict=True)]
    rows = pd.DataFrame([*rows, ("clinic", "b", "i", "r", 0, 0)], columns=AXES)
    kept = fold_frames.of_replicates(rows, cells())
    assert kept[["dataset", "backbone", "fold"]].values.tolist() == [
        ["ward", "b", POOLED],
        ["ward", "ensemble:b", POOLED],
        ["clinic", "b", 0],
    ]
    assert fold_frames.of_folds(rows, cells())["fold"].tolist() == [1]


def test_confusion_matrices_of_folds_are_added_up():
    rows = [("ward", "b", "i", "r", fold, 0, "ill", "well", fold + 1) for fold in range(3)]
    rows += [("clinic", "b", "i", "r", 0, 0, "ill", "well", 5)]
    frame = pd.DataFrame(rows, columns=[*AXES, "truth", "decision", "n"])
    made = fold_frames.summed(frame, cells())
    assert made[["dataset", "fold", "n"]].values.tolist() == [["clinic", 0, 5], ["ward", POOLED, 6]]
