"""Scores equal scikit-learn's, contradictions are refused, and nothing is missing in silence."""

import json
import subprocess
import sys
from types import SimpleNamespace

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from cxrgrid import score
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.evaluation import bootstrap, thresholds
from cxrgrid.evaluation.all_metrics import OF_MACRO, WITHOUT
from cxrgrid.evaluation.score_columns import SCORES, schema
from cxrgrid.io.parquet import read_parquet, write_parquet

LABELS = ("effusion", "fracture", "nodule")
NAN = float("nan")


def truth(part, task, images=80):
    """Labels of a made-up cohort with two images a patient: `fracture` occurs in no test image."""
    rng = np.random.default_rng(len(part))
    if task == "multiclass":
        labels = np.eye(3)[rng.integers(3, size=images)]
    else:
        labels = (rng.random((images, 3)) < 0.4).astype(float)
        labels[:, 1] *= part == "val"
        labels[rng.random((images, 3)) < 0.1] = NAN
    image = [f"{part}/{number:03}.png" for number in range(images)]
    return image, [f"{part}{number // 2}" for number in range(images)], labels


def predict(path, cell, part, task="multilabel", change=None, **facts):
    """A predictions file whose scores follow the truth, not too closely."""
    image, patient, labels = truth(part, task)
    rng = np.random.default_rng([cell.seed, len(part)])
    scores = rng.normal(np.nan_to_num(labels, nan=0.5), 0.8)
    scores = 1 / (1 + np.exp(-scores.round(1)))
    if change:
        change(image, labels, scores)
    columns = {"image": image, "patient": patient}
    columns |= {f"y:{label}": labels[:, at] for at, label in enumerate(LABELS)}
    columns |= {f"p:{label}": scores[:, at] for at, label in enumerate(LABELS)}
    axes = {name: getattr(cell, name) for name in score.AXES}
    basis = {"target": "ward", "part": part, "task": task, "labels": LABELS}
    basis |= {"split": "patient", "split_hash": "c0ffee"}
    write_parquet(columns, path, {**axes, **basis, **facts})


@pytest.fixture
def study(tmp_path):
    """A study of two datasets; three seeds on `ward`; nothing predicted yet."""
    config = {
        "study": "tiny",
        "datasets": {
            "ward": {"adapter": "nih", "root": "images"},
            "clinic": {"adapter": "nih", "root": "images"},
        },
        "grid": {"datasets": ["ward", "clinic"], "backbones": ["resnet18"], "seeds": [0, 1, 2]},
        "report": {"resamples": 100},
    }
    path = tmp_path / "tiny" / "study.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))
    cells = [cell for cell in Grid(config).cells if cell.dataset == "ward"]
    below = {cell: path.parent / "cells" / cell.path() / "predictions" for cell in cells}

    def fill(cell, part="test", **options):
        name = "ward" if part == "test" else "val"
        predict(below[cell] / f"{name}.parquet", cell, part, **options)
        (below[cell].parent / "cell.json").write_bytes(msgspec.json.encode(cell))

    def fill_all(**options):
        for cell in cells:
            for part in ("val", "test"):
                fill(cell, part, **options)

    def run(name="out.parquet", target="ward"):
        out = tmp_path / name
        score.main([str(path), "--target", target, "--out", str(out)])
        return out

    def subsets(**named):
        config["datasets"]["ward"]["subsets"] = named
        path.write_text(json.dumps(config))

    table = tmp_path / "data/ward/table.parquet"
    made = {"cells": cells, "below": below, "table": table}
    return SimpleNamespace(fill=fill, fill_all=fill_all, run=run, subsets=subsets, **made)


def one(table, seed, label, metric, column="value", rule="youden"):
    """A single number of the table; `rule` where the metric has one."""
    chosen = table.filter(
        (pc.field("seed") == seed)
        & (pc.field("label") == label)
        & (pc.field("metric") == metric)
        & pc.field("threshold_rule").isin(["", "argmax", rule])
    )
    assert chosen.num_rows == 1
    return chosen[column][0].as_py()


def test_values_equal_scikit_learn(study):
    study.fill_all()
    table, _ = read_parquet(study.run())
    for cell in study.cells:
        val, test = (
            score.read_predictions(study.below[cell] / f"{name}.parquet", cell)
            for name in ("val", "ward")
        )
        cut = thresholds.fit(val, val.facts, ("youden",), "none").thresholds["youden"]
        for at, label in ((0, "effusion"), (2, "nodule")):
            known = ~np.isnan(test.labels[:, at])
            y, p = test.labels[known, at], test.scores[known, at]
            expected = {
                "auroc": roc_auc_score(y, p),
                "f1": f1_score(y, p >= cut[at]),
                "balanced_accuracy": balanced_accuracy_score(y, p >= cut[at]),
                "prevalence": y.mean(),
                "tp": ((p >= cut[at]) & (y == 1)).sum(),
                "threshold": cut[at],
            }
            for metric, value in expected.items():
                assert one(table, cell.seed, label, metric) == pytest.approx(value, abs=1e-12)
            sizes = [one(table, cell.seed, label, "auroc", c) for c in ("n", "positives")]
            assert sizes == [known.sum(), y.sum()]


def test_the_threshold_comes_from_validation_images(study):
    study.fill_all()
    before = one(read_parquet(study.run())[0], 0, "nodule", "threshold")

    def lower(image, labels, scores):
        scores /= 2

    study.fill(study.cells[0], "val", change=lower)
    table, _ = read_parquet(study.run())
    assert one(table, 0, "nodule", "threshold") == before / 2

    def no_nodule(image, labels, scores):
        labels[:, 2] = np.where(np.isnan(labels[:, 2]), NAN, 0)

    study.fill(study.cells[0], "val", change=no_nodule)
    assert one(read_parquet(study.run())[0], 0, "nodule", "threshold") == 0.5


def test_a_label_with_one_class_is_nan_and_out_of_the_mean(study):
    study.fill_all()
    table, _ = read_parquet(study.run())
    for metric in ("auroc", "ap", "f1", "sensitivity", "balanced_accuracy"):
        numbers = [one(table, 1, "fracture", metric, c) for c in ("value", "low", "high")]
        assert np.isnan(numbers).all(), metric
        assert one(table, 1, "fracture", metric, "reason") == "no positive image"
        assert one(table, 1, "nodule", metric, "reason") is None
    for metric in OF_MACRO:
        others = [one(table, 1, label, metric) for label in ("effusion", "nodule")]
        assert one(table, 1, "macro", metric) == pytest.approx(np.mean(others), abs=1e-12)
        assert one(table, 1, "macro", metric, "labels_scored") == 2


def test_percentile_intervals_are_over_resampled_patients(study):
    study.fill_all()
    study_settings(study, interval="percentile")
    table, _ = read_parquet(study.run())
    for cell in study.cells:
        test = score.read_predictions(study.below[cell] / "ward.parquet", cell)
        weights = bootstrap.patient_weights(test.patient, 100, bootstrap.generator(test.patient))
        known = ~np.isnan(test.labels[:, 0])
        y, p = test.labels[known, 0], test.scores[known, 0]
        values = [roc_auc_score(y, p, sample_weight=row[known]) for row in weights]
        low, high = (one(table, cell.seed, "effusion", "auroc", c) for c in ("low", "high"))
        assert [low, high] == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=1e-12)


def test_bca_intervals_leave_out_each_patient_in_turn(study):
    study.fill_all()
    study_settings(study, interval="bca")
    table, facts = read_parquet(study.run())
    assert "bias-corrected" in facts["interval"]
    cell = study.cells[0]
    test = score.read_predictions(study.below[cell] / "ward.parquet", cell)
    known, patient = ~np.isnan(test.labels[:, 0]), np.array(test.patient)
    y, p = test.labels[known, 0], test.scores[known, 0]
    drawn = bootstrap.patient_weights(test.patient, 100, bootstrap.generator(test.patient))
    kept = np.array([patient != name for name in np.unique(patient)])
    everyone = np.ones((1, len(patient)))
    values, left_out = (
        np.array([[roc_auc_score(y, p, sample_weight=row[known])] for row in rows])
        for rows in ((*everyone, *drawn), kept)
    )
    ends = [one(table, 0, "effusion", "auroc", column) for column in ("low", "high")]
    assert ends == pytest.approx(np.ravel(bootstrap.bca(values, left_out)), abs=1e-9)
    assert ends != pytest.approx(np.ravel(bootstrap.interval(values[1:])), abs=1e-6)


def test_stratified_intervals_are_of_stratified_resamples(study):
    study.fill_all()
    study_settings(study, stratify=True, interval="percentile")
    table, facts = read_parquet(study.run())
    assert facts["stratify"] is True
    cell = study.cells[0]
    test = score.read_predictions(study.below[cell] / "ward.parquet", cell)
    strata = bootstrap.strata(test.labels, test.patient)
    rng = bootstrap.generator(test.patient)
    weights = bootstrap.patient_weights(test.patient, 100, rng, strata)
    known = ~np.isnan(test.labels[:, 0])
    y, p = test.labels[known, 0], test.scores[known, 0]
    values = [roc_auc_score(y, p, sample_weight=row[known]) for row in weights]
    ends = [one(table, cell.seed, "effusion", "auroc", c) for c in ("low", "high")]
    assert ends == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=1e-12)


def test_intervals_surround_values_and_counts_have_none(study):
    study.fill_all()
    table, _ = read_parquet(study.run())
    for row in table.to_pylist():
        if row["metric"] in WITHOUT:
            assert np.isnan([row["low"], row["high"]]).all()
        elif np.isnan(row["low"]):
            assert row["reason"], row
        else:
            assert row["low"] <= row["value"] <= row["high"] and row["low"] < row["high"], row
    macro = [one(table, 0, "macro", "auroc", column) for column in ("low", "high")]
    alone = [one(table, 0, "nodule", "auroc", column) for column in ("low", "high")]
    assert macro[1] - macro[0] < alone[1] - alone[0]


def test_classes_compete(study):
    study.fill_all(task="multiclass")
    table, facts = read_parquet(study.run())
    cell = study.cells[0]
    test = score.read_predictions(study.below[cell] / "ward.parquet", cell)
    y, said = test.labels.argmax(axis=1), test.scores.argmax(axis=1)
    expected = {
        "accuracy": (y == said).mean(),
        "balanced_accuracy": balanced_accuracy_score(y, said),
        "majority_accuracy": np.bincount(y).max() / len(y),
    }
    for metric, value in expected.items():
        low, got, high = (one(table, 0, "all", metric, c) for c in ("low", "value", "high"))
        assert got == pytest.approx(value, abs=1e-12)
        assert low <= got <= high
    assert sum(one(table, 0, label, "tp") for label in LABELS) == (y == said).sum()
    assert np.isnan(one(table, 0, "nodule", "threshold"))
    assert one(table, 0, "all", "accuracy", "n") == len(y)
    assert facts["thresholds"].startswith("none")


def test_a_perfect_cell_has_an_interval_with_a_width(study):
    def perfect(image, labels, scores):
        scores[:] = np.nan_to_num(labels)

    study.fill_all(change=perfect)
    table, _ = read_parquet(study.run())
    for metric in ("auroc", "ap", "f1", "balanced_accuracy"):
        low, value, high = (one(table, 0, "macro", metric, c) for c in ("low", "value", "high"))
        assert value == high == 1 and 0.8 < low < 0.99
    study_settings(study, interval="percentile")
    drawn, _ = read_parquet(study.run())
    assert np.isnan(one(drawn, 0, "macro", "auroc", "low"))
    assert "resamples of the patients all agree" in one(drawn, 0, "macro", "auroc", "reason")
    for row in (*table.to_pylist(), *drawn.to_pylist()):
        assert row["low"] != row["high"], row


def test_a_missing_cell_is_named_and_changes_no_other(study, caplog):
    study.fill_all()
    whole, facts = read_parquet(study.run())
    assert facts["missing"] == []
    (study.below[study.cells[0]] / "val.parquet").unlink()
    caplog.set_level("INFO")
    table, facts = read_parquet(study.run())
    assert facts["missing"] == ["ward/resnet18/scratch/default/seed0"]
    assert "2 of 3 cells" in caplog.text
    assert facts["missing"][0] in caplog.text
    np.testing.assert_equal(table.to_pylist(), whole.filter(pc.field("seed") > 0).to_pylist())


def test_a_cell_of_other_settings_is_not_scored(study):
    """After a changed setting a cell that has not trained again yet is missing, not out of date."""
    study.fill_all()
    settings = study.below[study.cells[1]].parent / "cell.json"
    other = msgspec.structs.replace(study.cells[1], lr=0.5)
    settings.write_bytes(msgspec.json.encode(other))
    _, facts = read_parquet(study.run())
    assert facts["missing"] == ["ward/resnet18/scratch/default/seed1"]


def test_no_cell_at_all_is_a_mistake(study):
    with pytest.raises(UserError, match="no cell of ward has predictions"):
        study.run()
    with pytest.raises(UserError, match="did you mean 'ward'"):
        study.run(target="wards")


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("split_hash", {"split_hash": "decaf"}),
        ("images", {"change": lambda image, labels, scores: image.reverse()}),
        ("truth", {"change": lambda image, labels, scores: labels.fill(1)}),
    ],
)
def test_cells_that_contradict_each_other_are_refused(study, what, options):
    study.fill_all()
    study.fill(study.cells[1], **options)
    with pytest.raises(UserError, match=f"default/seed1: {what} not as in .*default/seed0"):
        study.run()


def test_a_file_of_another_cell_is_refused(study):
    study.fill_all()
    study.fill(study.cells[2], seed=0)
    with pytest.raises(UserError, match="seed is 0; not of cell .*seed2"):
        study.run()


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_score_that_is_not_finite_is_refused_by_name(study, part):
    def spoil(image, labels, scores):
        scores[7, 2] = np.inf

    study.fill_all()
    study.fill(study.cells[1], part, change=spoil)
    name = "val" if part == "val" else "ward"
    with pytest.raises(UserError, match=rf"seed1/predictions/{name}.parquet: .*{part}/007.png"):
        study.run()


def test_the_file_is_sorted_typed_and_the_same_to_the_byte(study):
    study.fill_all()
    first, second = study.run("a.parquet"), study.run("b.parquet")
    assert first.read_bytes() == second.read_bytes()
    table, facts = read_parquet(first)
    assert table.schema.remove_metadata() == schema(SCORES)
    keys = list(zip(*(table[name].to_pylist() for name in score.KEYS), strict=True))
    assert keys == sorted(set(keys))
    wanted = {"resamples": 100, "split": "patient", "split_hash": "c0ffee", "target": "ward"}
    assert facts.items() >= wanted.items()


def test_whole_number_labels_are_read_as_well(study):
    study.fill_all(task="multiclass")
    path = study.below[study.cells[0]] / "ward.parquet"
    before, _ = read_parquet(study.run())
    table, facts = read_parquet(path)
    for label in LABELS:
        at = table.schema.get_field_index(f"y:{label}")
        table = table.set_column(at, f"y:{label}", table[f"y:{label}"].cast(pa.int8()))
    write_parquet(table, path, facts)
    np.testing.assert_equal(read_parquet(study.run())[0].to_pylist(), before.to_pylist())


def test_a_subset_has_scores_of_its_own_and_leaves_the_whole_as_it_is(study):
    study.fill_all()
    whole, _ = read_parquet(study.run())
    image, patient, labels = truth("test", "multilabel")
    sex = ["FM"[number % 4 == 0] for number in range(len(image))]
    columns = {"image": image[::-1], "view": ["PA"] * len(image), "sex": sex[::-1]}
    write_parquet(columns | {"age": [NAN] * len(image)}, study.table, {})
    study.subsets(women={"sex": ["F"]}, lateral={"view": ["lateral"]})
    table, _ = read_parquet(study.run())
    parts = {name: table.filter(pc.field("subset") == name) for name in ("all", "women", "lateral")}
    np.testing.assert_equal(parts["all"].to_pylist(), whole.to_pylist())
    cell, women = study.cells[0], np.array(sex) == "F"
    test = score.read_predictions(study.below[cell] / "ward.parquet", cell)
    known = women & ~np.isnan(labels[:, 0])
    expected = roc_auc_score(labels[known, 0], test.scores[known, 0])
    assert one(parts["women"], 0, "effusion", "auroc") == pytest.approx(expected, abs=1e-12)
    for column, value in (("n", known.sum()), ("patients", len(set(np.array(patient)[known])))):
        assert one(parts["women"], 0, "effusion", "auroc", column) == value
    thresholds = [one(parts[part], 0, "effusion", "threshold") for part in ("women", "all")]
    assert thresholds[0] == thresholds[1]
    assert parts["lateral"].num_rows == parts["women"].num_rows
    assert np.isnan(parts["lateral"]["value"]).all() and not any(parts["lateral"]["n"].to_pylist())


def test_help_shows_an_example_and_a_missing_study_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        score.main(["--help"])
    assert "python -m cxrgrid.score results/demo/study.json --target" in capsys.readouterr().out
    with pytest.raises(UserError, match="study.json: no such file"):
        score.main([str(tmp_path / "study.json"), "--target", "ward", "--out", "out.parquet"])


def test_scoring_starts_light():
    code = (
        "import sys, cxrgrid.score; print({'pandas', 'scipy', 'sklearn', 'torch'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def study_settings(study, **report):
    """The study with other settings under `report:`."""
    path = study.table.parents[2] / "tiny/study.json"
    config = json.loads(path.read_text())
    config["report"] |= report
    path.write_text(json.dumps(config))


def test_each_operating_point_has_rows_and_the_first_changes_nothing(study):
    study.fill_all()
    before, _ = read_parquet(study.run())
    study_settings(study, operating_points=["youden", 0.2, {"sensitivity": 0.9}])
    table, facts = read_parquet(study.run())
    assert facts["operating_points"] == ["youden", "0.2", "sensitivity 0.9"]
    kept = pc.field("threshold_rule").isin(["", "youden"])
    np.testing.assert_equal(table.filter(kept).to_pylist(), before.filter(kept).to_pylist())
    assert one(table, 0, "nodule", "threshold", rule="0.2") == 0.2
    val = score.read_predictions(study.below[study.cells[0]] / "val.parquet", study.cells[0])
    cut = one(table, 0, "nodule", "threshold", rule="sensitivity 0.9")
    assert (val.scores[val.labels[:, 2] == 1, 2] >= cut).mean() >= 0.9


def table_of(study, **columns):
    """The dataset's table of the made-up test images."""
    image, _, _ = truth("test", "multilabel")
    basis = {"image": image, "view": ["PA"] * len(image), "sex": [None] * len(image)}
    write_parquet({**basis, "age": [NAN] * len(image), **columns}, study.table, {})


def test_groups_and_their_gap_stand_on_the_same_resamples(study):
    study.fill_all()
    image, patient, labels = truth("test", "multilabel")
    sex = np.array(["FM"[int(name[4:]) % 2] for name in patient])
    table_of(study, sex=sex.tolist())
    asked = {"subgroups": ["sex", "view"], "subgroup_minimum": 2, "interval": "percentile"}
    study_settings(study, **asked)
    table, _ = read_parquet(study.run())
    parts = {n: table.filter(pc.field("subset") == n) for n in ("sex=F", "sex=M", "gap:sex")}
    beside = {"homogeneity:sex", "worst:sex"}
    assert set(table["subset"].to_pylist()) == {"all", *parts, *beside}, "all images are PA"
    test = score.read_predictions(study.below[study.cells[0]] / "ward.parquet", study.cells[0])
    weights = bootstrap.patient_weights(test.patient, 100, bootstrap.generator(test.patient))
    values = {}
    for group in "FM":
        known = (sex == group) & ~np.isnan(labels[:, 0])
        y, p = labels[known, 0], test.scores[known, 0]
        rows = np.concatenate([np.ones((1, 80)), weights])[:, known]
        values[group] = np.array([roc_auc_score(y, p, sample_weight=row) for row in rows])
        got = one(parts[f"sex={group}"], 0, "effusion", "auroc")
        assert got == pytest.approx(values[group][0], abs=1e-12)
    high, low = sorted(values, key=lambda name: -values[name][0])
    expected = values[high] - values[low]
    ends = [one(parts["gap:sex"], 0, "effusion", "auroc", c) for c in ("value", "low", "high")]
    wanted = [expected[0], *np.percentile(expected[1:], [2.5, 97.5])]
    assert ends == pytest.approx(wanted, abs=1e-12)
    assert one(parts["gap:sex"], 0, "effusion", "auroc", "groups") == f"{high} - {low}"
    assert one(parts["gap:sex"], 0, "macro", "auroc", "labels_scored") == 2
    # Named subsets that are the same groups differ by as much.
    study.subsets(women={"sex": ["F"]}, men={"sex": ["M"]})
    study_settings(study, interval="percentile")
    again, _ = read_parquet(study.run())
    again = again.filter(pc.field("subset") == "gap:subsets")
    for column in ("value", "low", "high", "n"):
        for label in ("effusion", "nodule", "macro"):
            numbers = [one(rows, 0, label, "auroc", column) for rows in (again, parts["gap:sex"])]
            assert numbers[0] == numbers[1]
    names = {"F": "women", "M": "men"}
    assert one(again, 0, "effusion", "auroc", "groups") == f"{names[high]} - {names[low]}"
    assert np.isnan(one(parts["gap:sex"], 0, "fracture", "auroc"))
    assert "enough" in one(parts["gap:sex"], 0, "fracture", "auroc", "reason")


def test_a_group_with_too_few_is_not_scored(study):
    study.fill_all()
    age = [30.0] * 74 + [70.0] * 6
    table_of(study, age=age)
    study_settings(study, subgroups=["age"])
    table, _ = read_parquet(study.run())
    old = table.filter(pc.field("subset") == "age=60-<80")
    assert np.isnan(one(old, 0, "effusion", "auroc"))
    assert one(old, 0, "effusion", "auroc", "reason") == "too few positives or negatives"
    assert one(old, 0, "effusion", "auroc", "n") > 0
    assert np.isnan(one(old, 0, "macro", "auroc"))
    assert one(table.filter(pc.field("subset") == "age=18-<40"), 0, "effusion", "auroc") > 0.5


def test_curves_and_thresholds_are_written_beside(study, tmp_path):
    study.fill_all()
    paths = [tmp_path / name for name in ("curves.parquet", "thresholds.parquet")]
    target = [str(study.table.parents[2] / "tiny/study.json"), "--target", "ward"]
    out = ["--out", str(tmp_path / "o.parquet"), "--curves", str(paths[0])]
    score.main([*target, *out, "--thresholds", str(paths[1])])
    table, _ = read_parquet(tmp_path / "o.parquet")
    curves, thresholds = (read_parquet(path)[0].to_pylist() for path in paths)
    own = [row for row in curves if row["seed"] == 0 and row["label"] == "nodule"]
    x, y = (np.array([row[k] for row in own if row["curve"] == "roc"]) for k in "xy")
    assert np.trapezoid(y, x) == pytest.approx(one(table, 0, "nodule", "auroc"), abs=1e-9)
    bins = [row for row in own if row["curve"] == "reliability"]
    assert sum(row["n"] for row in bins) == one(table, 0, "nodule", "brier", "n")
    gaps = sum(row["n"] * abs(row["y"] - row["x"]) for row in bins)
    error = one(table, 0, "nodule", "calibration_error")
    assert gaps / sum(row["n"] for row in bins) == pytest.approx(error)
    assert not [row for row in curves if row["label"] == "fracture"]
    for row in thresholds:
        if row["seed"] == 0 and row["label"] == "nodule" and row["threshold_rule"] == "youden":
            assert row["threshold"] == one(table, 0, "nodule", "threshold")
    assert {row["temperature"] for row in thresholds} == {1.0}


def test_temperature_leaves_ranks_and_lowers_the_loss_of_the_overconfident(study):
    def sure(image, labels, scores):
        logit = np.log(scores) - np.log1p(-scores)
        scores[:] = 1 / (1 + np.exp(-5 * logit))

    study.fill_all(change=sure)
    before, _ = read_parquet(study.run())
    study_settings(study, calibrate="temperature")
    after, _ = read_parquet(study.run())
    for label in ("effusion", "nodule"):
        aurocs = [one(table, 0, label, "auroc") for table in (before, after)]
        assert aurocs[0] == pytest.approx(aurocs[1], abs=1e-12)
        losses = [one(table, 0, label, "log_loss") for table in (before, after)]
        assert losses[1] < 0.8 * losses[0]


def test_the_audits_baseline_stands_beside(study):
    study.fill_all()
    row = {"auroc": {"all": 0.7, "age": 0.6}, "low": 0.6, "high": 0.8, "reason": None}
    study.table.parent.mkdir(parents=True)
    audit = {"metadata_only": {"fields": ["age"], "labels": {"nodule": row}}}
    (study.table.parent / "audit.json").write_text(json.dumps(audit))
    table, _ = read_parquet(study.run())
    got = [one(table, 0, "nodule", "metadata_auroc", c) for c in ("low", "value", "high")]
    assert got == [0.6, 0.7, 0.8]


def test_any_file_is_scored_by_the_same_rules(study, tmp_path):
    study.fill_all()
    table, _ = read_parquet(study.run())
    below, out = study.below[study.cells[0]], tmp_path / "metrics.csv"
    files = [str(below / "ward.parquet"), "--val", str(below / "val.parquet")]
    score.main([*files, "--resamples", "100", "--out", str(out.with_suffix(".parquet"))])
    alone, facts = read_parquet(out.with_suffix(".parquet"))
    ours = table.filter(pc.field("seed") == 0)
    np.testing.assert_equal(alone.to_pylist(), ours.to_pylist())
    csv = tmp_path / "theirs.csv"
    predictions, _ = read_parquet(below / "ward.parquet")
    pyarrow.csv.write_csv(predictions, csv)
    score.main([str(csv), "--resamples", "100", "--out", str(out)])
    rows = pyarrow.csv.read_csv(out).to_pylist()
    auroc = [r["value"] for r in rows if (r["label"], r["metric"]) == ("nodule", "auroc")]
    assert auroc == [pytest.approx(one(table, 0, "nodule", "auroc"), abs=1e-12)]
    assert {row["threshold_rule"] for row in rows} == {None, 0.5}
    assert {(row["backbone"], row["init"]) for row in rows} == {("theirs", "external")}
    with pytest.raises(UserError, match="--val: youden is fitted on validation images"):
        score.main([str(csv), "--points", "youden", "--out", str(out)])


def write_theirs(study, tmp_path, change=None):
    """CSV files of the first cell's predictions, in another order, as a study's `external:`."""
    paths = {}
    for kind, name in (("predictions", "ward"), ("val", "val")):
        table, _ = read_parquet(study.below[study.cells[0]] / f"{name}.parquet")
        table = table.sort_by([("image", "descending")])
        if change and kind == "predictions":
            table = change(table)
        paths[kind] = str(tmp_path / f"theirs-{kind}.csv")
        pyarrow.csv.write_csv(table, paths[kind])
    path = study.table.parents[2] / "tiny/study.json"
    config = json.loads(path.read_text())
    config["external"] = {"theirs": {"dataset": "ward", **paths}}
    path.write_text(json.dumps(config))


def test_a_model_from_elsewhere_is_a_row_of_its_own(study, tmp_path):
    study.fill_all()
    before, _ = read_parquet(study.run())
    write_theirs(study, tmp_path)
    table, _ = read_parquet(study.run())
    theirs = table.filter(pc.field("init") == "external")
    assert set(theirs["backbone"].to_pylist()) == {"theirs"}
    kept = table.filter(pc.field("init") != "external")
    np.testing.assert_equal(kept.to_pylist(), before.to_pylist())
    numbers = ["label", "metric", "threshold_rule", "value", "low", "high", "n", "patients"]
    first = before.filter(pc.field("seed") == 0)
    for row, own in zip(theirs.to_pylist(), first.to_pylist(), strict=True):
        for name in numbers:
            same = row[name] == own[name] or row[name] == pytest.approx(own[name], nan_ok=True)
            assert same, (name, row, own)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.slice(1), "external.theirs: .*lacks 1 of the test images, such as 'test/079"),
        (
            lambda t: t.set_column(2, "y:effusion", pa.array([1.0] * t.num_rows)),
            "y:effusion of image .*is 1, in the dataset (0|nan); another label policy",
        ),
        (lambda t: t.drop_columns(["y:nodule", "p:nodule"]), "no label 'nodule'"),
    ],
)
def test_a_model_from_elsewhere_has_to_answer_the_same_questions(study, tmp_path, change, words):
    study.fill_all()
    write_theirs(study, tmp_path, change)
    with pytest.raises(UserError, match=words):
        study.run()


def test_thresholds_are_never_fitted_on_test_images(study, tmp_path):
    study.fill_all()
    path = str(study.below[study.cells[0]] / "ward.parquet")
    with pytest.raises(UserError, match="80 validation images are test images"):
        score.main([path, "--val", path, "--out", str(tmp_path / "out.csv")])


def test_thresholds_are_never_fitted_on_other_images_of_test_patients(study, tmp_path):
    study.fill_all()
    path = study.below[study.cells[0]] / "ward.parquet"
    table, facts = read_parquet(path)
    names = pa.array([f"val/{name}" for name in table["image"].to_pylist()])
    columns = {name: table[name] for name in table.column_names} | {"image": names}
    write_parquet(columns, tmp_path / "val.parquet", facts)
    out = str(tmp_path / "out.csv")
    with pytest.raises(UserError, match="40 patients have validation and test images"):
        score.main([str(path), "--val", str(tmp_path / "val.parquet"), "--out", out])


def test_without_validation_images_only_fixed_thresholds_are_scored(study, tmp_path):
    study.fill_all()
    write_theirs(study, tmp_path)
    path = study.table.parents[2] / "tiny/study.json"
    config = json.loads(path.read_text())
    del config["external"]["theirs"]["val"]
    for points, rules in ((["youden"], {""}), (["youden", 0.3], {"", "0.3"})):
        config["report"]["operating_points"] = points
        path.write_text(json.dumps(config))
        theirs = read_parquet(study.run())[0].filter(pc.field("init") == "external")
        assert set(theirs["threshold_rule"].to_pylist()) == rules


def test_a_label_that_a_spreadsheet_would_run_is_quoted(tmp_path):
    rows = [{"label": "=1+1", "metric": "auroc", "value": -0.5}]
    score.write(rows, list(rows[0]), ["label"], tmp_path / "new/a.csv", {})
    text = (tmp_path / "new/a.csv").read_text()
    assert text == '"label","metric","value"\n"\'=1+1","auroc",-0.5\n'
