"""A cross-validated model has one result: the mean of its folds, once all of them are there."""

import json

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from cxrgrid import choose, collect, compare, score
from cxrgrid.config.cell import POOLED, fold_folder
from cxrgrid.config.grid import Grid
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting.results import read_csv
from long_tests import by_turns

LABELS = ["effusion", "nodule"]
PATIENTS = 40  # of each fold, with two images each


def cohort(fold, part="test"):
    """Image, patient, sex and labels of a fold's part; its images are in no other fold."""
    rng = np.random.default_rng([fold, len(part)])
    patient = np.repeat([f"{part}{fold}-{at}" for at in range(PATIENTS)], 2)
    image = [f"{name}/{at % 2}.png" for at, name in enumerate(patient)]
    labels = (rng.random((len(image), 2)) < (0.4, 0.15)).astype(float)
    return {"image": image, "patient": list(patient), "sex": ["F", "M"] * PATIENTS}, labels


def write_cell(folder, cell):
    """A finished cell: its settings, and predictions of its fold's images."""
    for part, name in (("val", "val"), ("test", "ward")):
        about, labels = cohort(cell.fold, part)
        rng = np.random.default_rng([cell.seed, cell.fold, len(part), len(cell.recipe)])
        scores = 1 / (1 + np.exp(-rng.normal(labels)))
        columns = {n: about[n] for n in ("image", "patient")}
        for at, label in enumerate(LABELS):
            columns |= {f"y:{label}": labels[:, at], f"p:{label}": scores[:, at]}
        facts = cell.axes() | {"target": "ward", "part": part, "task": "multilabel"}
        facts |= {"labels": LABELS, "split": "patient", "split_hash": f"hash{cell.fold}"}
        write_parquet(columns, folder / f"predictions/{name}.parquet", facts)
    (folder / "cell.json").write_bytes(msgspec.json.encode(cell))


@pytest.fixture
def study(tmp_path):
    """A study of two recipes and seeds on three folds, all cells done; its folder and grid."""
    config = {
        "study": "three",
        "datasets": {
            "ward": {
                "adapter": "csv",
                "root": "x",
                "labels": LABELS,
                "split": {"folds": 3},
                "subsets": {"women": {"sex": ["F"]}},
                "tests": {"hers": {"sex": ["F"]}},
            }
        },
        "recipes": {"default": {"lr": [0.001, 0.0003]}},
        "grid": {
            "datasets": ["ward"],
            "backbones": ["resnet18"],
            "folds": "all",
            "seeds": [0, 1],
        },
        "report": {"resamples": 100, "subgroups": ["sex"], "subgroup_minimum": 10},
    }
    folder, grid = tmp_path / "three", Grid(config)
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps(config))
    for cell in grid.cells:
        write_cell(folder / "cells" / cell.path(), cell)
    parts = [cohort(fold) for fold in range(3)]
    for fold in range(3):
        columns = {"view": [None] * 6 * PATIENTS, "age": [50.0] * 6 * PATIENTS}
        columns |= {n: sum((about[n] for about, _ in parts), []) for n in ("image", "sex")}
        columns["split"] = sum((["test" if at == fold else "train"] * 80 for at in range(3)), [])
        truth = np.concatenate([labels for _, labels in parts])
        columns |= {label: truth[:, at] for at, label in enumerate(LABELS)}
        columns["view"] = pa.array(columns["view"], pa.string())
        path = tmp_path / f"data/ward{fold_folder(fold)}/table.parquet"
        write_parquet(columns, path, {"labels": LABELS})
    return folder, grid


def scored(folder, **report):
    """Rows of the scores as a frame, and their facts."""
    path = folder / "study.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"report": config["report"] | report}))
    out = folder / "scores/ward.parquet"
    score.main([str(path), "--target", "ward", "--out", str(out)])
    table, facts = read_parquet(out)
    return table.to_pandas(), facts


def of(rows, **wanted):
    """The rows with these values."""
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    return rows


@pytest.mark.parametrize("interval", by_turns(["wilson", "percentile", "bca"], 1))
def test_a_pooled_row_is_the_mean_over_folds_and_counts_each_image_once(study, interval):
    folder, grid = study
    rows, facts = scored(folder, interval=interval)
    assert facts["split_hashes"] == {str(fold): f"hash{fold}" for fold in range(3)}
    rows = of(rows, backbone="resnet18", recipe="default", seed=0)
    aucs = []
    for fold in range(3):
        _, labels = cohort(fold)
        [cell] = [c for c in grid.cells if (c.recipe, c.fold, c.seed) == ("default", fold, 0)]
        path = folder / "cells" / cell.path() / "predictions/ward.parquet"
        p = read_parquet(path)[0]["p:nodule"].to_numpy()
        aucs.append(roc_auc_score(labels[:, 1], p))
    [row] = of(rows, fold=POOLED, subset="all", label="nodule", metric="auroc").itertuples()
    assert row.value == pytest.approx(np.mean(aucs))
    assert row.low < row.value < row.high
    assert (row.n, row.patients) == (240, 120)
    each = of(rows, subset="all", label="nodule", metric="auroc")
    widths = (each["high"] - each["low"]).to_numpy()
    assert widths[each["fold"] == POOLED] < widths[each["fold"] != POOLED].min()
    kinds = [
        of(rows, fold=fold)[["subset", "label", "metric", "threshold_rule"]] for fold in (-1, 0)
    ]
    assert set(map(tuple, kinds[0].to_numpy())) == set(map(tuple, kinds[1].to_numpy()))
    ratios = of(rows, metric="lr_positive", label="effusion", threshold_rule="youden")
    pooled = ratios["fold"] == POOLED
    assert ratios[pooled]["value"].item() == pytest.approx(ratios[~pooled]["value"].mean())
    assert (ratios["low"] < ratios["value"]).all() and (ratios["value"] < ratios["high"]).all()
    counts = of(rows, subset="all", label="nodule", threshold_rule="youden")
    counts = counts[counts["metric"].isin(["tp", "fp", "tn", "fn"])]
    assert counts[counts["fold"] == POOLED]["value"].sum() == 240
    for metric, part in counts.groupby("metric"):
        pooled = part["fold"] == POOLED
        assert part[pooled]["value"].item() == part[~pooled]["value"].sum(), metric


def test_subsets_groups_and_gaps_are_pooled_and_rare_labels_counted_over_all_folds(study):
    rows, _ = scored(study[0])
    rows = of(rows, backbone="resnet18", recipe="default", seed=0, metric="auroc", label="nodule")
    for subset in ("women", "sex=F", "gap:sex"):
        part = of(rows, subset=subset)
        assert part["value"].notna().all(), subset  # fewer than ten positives in each fold alone
        assert set(part["fold"]) == {POOLED, 0, 1, 2}
    of_set = of(rows, subset="hers").set_index("fold")["n"]  # a test set takes images of all folds
    assert of_set.to_dict() == {POOLED: 120, 0: 40, 1: 40, 2: 40}
    women, men = (of(rows, subset=f"sex={s}", fold=POOLED)["value"].item() for s in "FM")
    [gap] = of(rows, subset="gap:sex", fold=POOLED).itertuples()
    assert gap.value == pytest.approx(abs(women - men))
    assert gap.groups == ("F - M" if women > men else "M - F")


def test_three_positives_in_all_folds_are_enough_for_an_interval_of_their_mean(study):
    folder, grid = study
    for cell in grid.cells:
        path = folder / "cells" / cell.path() / "predictions/ward.parquet"
        table, facts = read_parquet(path)
        truth = np.zeros(table.num_rows)
        truth[: 4 if cell.fold else 1] = 1  # of one patient, in the others of two
        at = table.column_names.index("y:nodule")
        write_parquet(table.set_column(at, "y:nodule", pa.array(truth)), path, facts)
    rows = of(scored(folder)[0], subset="all", label="nodule", seed=0, recipe="default")
    for metric in ("auroc", "sensitivity", "lr_negative", "lr_positive"):
        part = of(rows, metric=metric, threshold_rule="" if metric == "auroc" else "0.5")
        part = of(part, backbone="resnet18").set_index("fold")
        assert part.loc[[0, 1, 2], "low"].isna().all(), metric
        assert part.loc[0, "reason"].startswith("too few positive images"), metric
        assert part.loc[POOLED, "low"] < part.loc[POOLED, "high"], metric
        assert not isinstance(part.loc[POOLED, "reason"], str), metric


def test_ensembles_are_made_within_a_fold_and_pooled(study):
    rows, _ = scored(study[0])
    part = of(rows, backbone="ensemble:resnet18", recipe="default", label="macro", metric="auroc")
    part = of(part, subset="all").set_index("fold")["value"]
    assert part[POOLED] == pytest.approx(part[[0, 1, 2]].mean())


def test_a_missing_fold_leaves_no_pooled_result_and_the_others_say_so(study, tmp_path):
    folder, grid = study
    lost = next(c for c in grid.cells if (c.recipe, c.fold, c.seed) == ("default", 2, 1))
    (folder / "cells" / lost.path() / "predictions/ward.parquet").unlink()
    rows, facts = scored(folder)
    assert facts["missing"] == [lost.path()]
    of_seed = of(rows, backbone="resnet18", recipe="default", seed=1)
    assert set(of_seed["fold"]) == {0, 1}
    assert set(of(rows, backbone="resnet18", recipe="default", seed=0)["fold"]) == {POOLED, 0, 1, 2}
    out = [f"--out={tmp_path}/c.csv", f"--configurations={tmp_path}/d.csv"]
    compare.main(["--study", str(folder / "study.json"), *out, *choice(folder, tmp_path)])
    table = read_csv(tmp_path / "d.csv")
    sets = of(table, metric="auroc", label="macro", recipe="default").set_index("subset")["n"]
    assert sets.to_dict() == {"all": 240, "hers": 120}
    one = of(table, metric="auroc", label="macro", subset="all").set_index("recipe")
    assert one.loc["default", ["folds", "seeds", "planned", "n"]].tolist() == [3, 1, 2, 240]
    assert one.loc["default-lr0.0003", ["folds", "seeds", "planned"]].tolist() == [3, 2, 2]
    pairs = of(read_csv(tmp_path / "c.csv"), metric="auroc", label="macro", subset="all")
    [pair] = pairs.itertuples()
    assert (pair.folds, pair.seeds, pair.planned, pair.patients) == (3, 1, 2, 120)
    assert "3 folds, incomplete, 1 of 2 seeds, 240 images of 120 patients" in pair.sentence


def choice(folder, tmp_path):
    """Flags of `compare` that name what was chosen on validation images."""
    choose.main([str(folder / "study.json"), f"--out={tmp_path}/v.csv"])
    return [f"--validation={tmp_path}/v.csv"]


def test_metrics_have_the_folds_and_their_means_and_no_row_of_another_study(study):
    folder, _ = study
    scored(folder)
    collect.main([str(folder / "study.json"), f"--out-dir={folder / 'report'}"])
    metrics = read_csv(folder / "report/metrics.csv")
    assert set(metrics["fold"]) == {POOLED, 0, 1, 2}
    cells = read_csv(folder / "report/cells.csv")
    assert len(cells) == 12 and set(cells["fold"]) == {0, 1, 2}
