"""`compare`: two files or a whole study; refused where the two answered different questions."""

import json

import numpy as np
import pandas as pd
import pytest

from conftest import CONFIG, MISSING, write_report, write_study
from cxrgrid import compare
from cxrgrid.config.errors import UserError
from cxrgrid.io.parquet import read_parquet, write_parquet

LABELS = ["Effusion", "Nodule"]
INITS = ("scratch", "pretrained")


def cohort(images=120, patients=90, seed=0):
    """Images, patients and labels; every patient has an image, some have several."""
    rng = np.random.default_rng(seed)
    patient = np.concatenate([np.arange(patients), rng.integers(patients, size=images - patients)])
    columns = {"image": [f"i{n:03}" for n in range(images)]}
    columns |= {"patient": [f"p{n:03}" for n in patient]}
    return columns | {f"y:{label}": (rng.random(images) < 0.4).astype(float) for label in LABELS}


def answered(columns, skill, seed=1):
    """The cohort with a model's scores."""
    rng = np.random.default_rng(seed)
    scores = {
        f"p:{x}": skill * columns[f"y:{x}"] + rng.normal(size=len(columns["image"])) for x in LABELS
    }
    return columns | scores


@pytest.fixture
def files(tmp_path):
    """Writes a model's predictions, as the suffix says; its path."""

    def write(name, columns, facts=None):
        path = tmp_path / name
        if path.suffix == ".csv":
            pd.DataFrame(columns).to_csv(path, index=False)
        else:
            write_parquet(columns, path, facts or {})
        return str(path)

    return write


def run(tmp_path, *arguments, name="out.json"):
    """The document that the command writes."""
    out = tmp_path / name
    compare.main([*map(str, arguments), "--out", str(out), "--resamples", "300"])
    return json.loads(out.read_text()) if name.endswith("json") else pd.read_csv(out)


def test_two_files_of_two_kinds_in_two_orders(files, tmp_path, capsys):
    a, b = answered(cohort(), 2.0), answered(cohort(), 0.5, seed=2)
    turned = pd.DataFrame(b).sample(frac=1, random_state=3)
    found = run(tmp_path, files("good.parquet", a), files("bad.csv", turned))
    same = run(tmp_path, files("good.parquet", a), files("bad.csv", b))
    assert found["rows"] == same["rows"]
    macro = next(
        row for row in found["rows"] if (row["metric"], row["label"]) == ("auroc", "macro")
    )
    assert macro["difference"] == pytest.approx(macro["value_a"] - macro["value_b"])
    assert macro["low"] > 0 and (macro["n"], macro["patients"]) == (120, 90)
    printed = capsys.readouterr().out
    higher = f"scored higher than that of bad by {macro['difference']:.3f} AUROC"
    assert f"This training of good {higher}" in printed, "one training is not a method"
    assert "it is not shown that good is the better method" in printed
    assert "120 images of 90 patients" in printed and "No DeLong test: some patients" in printed


def test_delong_and_mcnemar_stand_beside_where_patients_are_independent(files, tmp_path):
    columns = cohort(90, 90)
    a, b = answered(columns, 2.0), answered(columns, 1.5, seed=2)
    paths = files("a.parquet", a), files("b.parquet", b)
    table = run(tmp_path, *paths, "--threshold", 1, 0.7, name="out.csv").set_index(
        ["metric", "label"]
    )
    auroc = table.loc["auroc", "Nodule"]
    assert auroc["delong_se"] == pytest.approx(auroc["sampling_se"], rel=0.15)
    right = [
        (side["p:Nodule"] >= cut) == (columns["y:Nodule"] == 1) for side, cut in ((a, 1), (b, 0.7))
    ]
    accuracy = table.loc["accuracy", "Nodule"]
    assert accuracy["only_a"] == (right[0] & ~right[1]).sum()
    assert accuracy["only_b"] == (right[1] & ~right[0]).sum()
    assert accuracy["mcnemar_mid_p"] <= accuracy["mcnemar_p"]
    assert accuracy["difference"] == pytest.approx(right[0].mean() - right[1].mean())


def test_swapping_the_two_turns_every_sign(files, tmp_path):
    paths = [files(f"{n}.parquet", answered(cohort(), 2.0 - n, n)) for n in (0, 1)]
    there, back = (run(tmp_path, *order, name="out.csv") for order in (paths, paths[::-1]))
    np.testing.assert_allclose(there["difference"], -back["difference"], atol=1e-6)
    np.testing.assert_allclose(there["low"], -back["high"], atol=1e-6)
    np.testing.assert_allclose(there["p"], back["p"], rtol=1e-4)


def test_several_files_are_seeds_and_widen_the_interval(files, tmp_path):
    sides = [
        [files(f"{side}{n}.parquet", answered(cohort(), skill, 10 * n + 1)) for n in range(3)]
        for side, skill in (("a", 2.0), ("b", 1.0))
    ]
    many = run(tmp_path, "--a", *sides[0], "--b", *sides[1], "--names", "new", "old")
    row = next(r for r in many["rows"] if (r["metric"], r["label"]) == ("auroc", "macro"))
    assert (row["seeds_a"], row["seeds_b"]) == (3, 3) and row["seed_sd"] > 0
    assert row["high"] - row["low"] > 2 * 1.96 * row["sampling_se"]
    assert (
        row["sentence"].startswith("macro: new is better than old by")
        and "3 seeds" in row["sentence"]
    )


def test_where_the_spread_of_seeds_is_from_is_said_once(files, tmp_path, capsys):
    a, b = ([files(f"{s}{n}.parquet", answered(cohort(), 1.0, n)) for n in (0, 1)] for s in "ab")
    run(tmp_path, "--a", *a, "--b", *b)
    assert capsys.readouterr().out.count("The spread between seeds is that of these files") == 1
    run(tmp_path, a[0], b[1])
    assert "spread between seeds" not in capsys.readouterr().out


def test_bca_moves_the_ends_of_a_model_by_itself(files, tmp_path):
    paths = [files(f"{n}.parquet", answered(cohort(), 3.0, n)) for n in (0, 1)]
    plain, bca = (
        run(tmp_path, *paths, "--interval", k, name="o.csv") for k in ("percentile", "bca")
    )
    assert (plain["low_a"] != bca["low_a"]).all()
    assert plain["difference"].equals(bca["difference"])


def changed(columns, **new):
    return {name: new.get(name.replace(":", "_"), values) for name, values in columns.items()}


A = answered(cohort(), 1.0)
REFUSED = {
    "such as 'i119'": {name: values[:-1] for name, values in A.items()},
    "is of patient 'p000' and of 'other'": changed(A, patient=["other", *A["patient"][1:]]),
    "another label policy": changed(A, y_Nodule=1 - A["y:Nodule"]),
    "labels are Effusion, Nodule": {n: v for n, v in A.items() if not n.endswith("Nodule")},
    "no column 'p:Nodule'": {name: values for name, values in A.items() if name != "p:Nodule"},
    "stands there twice": changed(A, image=["i001", *A["image"][1:]]),
    "has the score nan": changed(A, p_Nodule=A["p:Nodule"] * np.nan),
    "has to be 1, 0 or empty": changed(A, y_Nodule=A["y:Nodule"] - 1),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_compared_is_refused_in_one_line(files, tmp_path, reason):
    with pytest.raises(UserError, match=reason) as error:
        run(tmp_path, files("a.parquet", A), files("b.parquet", REFUSED[reason]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("fact", ["split_hash", "target", "policy"])
def test_another_split_target_or_policy_is_refused(files, tmp_path, fact):
    paths = files("a.parquet", A, {fact: "x"}), files("b.parquet", A, {fact: "y"})
    with pytest.raises(UserError, match=f"{fact} is 'x' in the one and 'y' in the other"):
        run(tmp_path, *paths)


def test_a_perfect_model_by_itself_has_a_width_in_closed_form(files, tmp_path):
    sure = A | {f"p:{label}": A[f"y:{label}"] for label in LABELS}
    paths = files("a.parquet", sure), files("b.parquet", A)
    more = ("--threshold", 0.5, "--interval")
    closed, drawn = (
        run(tmp_path, *paths, *more, kind)["rows"] for kind in ("wilson", "percentile")
    )
    for row, other in zip(closed, drawn, strict=True):
        assert row["value_a"] == row["high_a"] == 1 and 0.8 < row["low_a"] < 1
        assert other["low_a"] is None, "no resample differs"
        assert (row["difference"], row["p"]) == (other["difference"], other["p"])


def test_a_file_that_is_named_twice_is_not_two_seeds(files, tmp_path):
    a, b = files("a.parquet", A), files("b.parquet", answered(cohort(), 1.0, seed=7))
    with pytest.raises(UserError, match="a.parquet: has the same scores as .*a.parquet"):
        run(tmp_path, "--a", a, a, "--b", b)


def test_too_few_resamples_are_refused_in_one_line(files, tmp_path, capsys):
    paths = files("a.parquet", A), files("b.parquet", A)
    with pytest.raises(SystemExit):
        compare.main([*paths, "--out", str(tmp_path / "out.json"), "--resamples", "1"])
    assert "1 resamples make no interval; 100 or more do" in capsys.readouterr().err


@pytest.mark.parametrize("cut", ["nan", "inf", "half"])
def test_a_threshold_is_a_number(files, tmp_path, capsys, cut):
    paths = files("a.parquet", A), files("b.parquet", A)
    with pytest.raises(SystemExit):
        compare.main([*paths, "--out", str(tmp_path / "out.json"), "--threshold", cut])
    assert "argument --threshold: a number, such as 0.5, please" in capsys.readouterr().err


def test_a_file_against_itself_excludes_nothing(files, tmp_path):
    paths = files("a.parquet", A), files("b.parquet", A)
    rows = run(tmp_path, *paths)["rows"]
    assert all("have the same" in row["sentence"] for row in rows)
    assert not any("excluded" in row["sentence"] for row in rows)


def test_one_file_is_not_enough(files, tmp_path):
    with pytest.raises(UserError, match="give two files"):
        run(tmp_path, files("a.parquet", A))


# ------------------------------------------------------------------ a study


def macro(report, axis, metric="auroc"):
    table = pd.read_csv(report / "comparisons.csv")
    chosen = (table["axis"] == axis) & (table["metric"] == metric) & (table["label"] == "macro")
    return table[chosen]


def test_every_pair_that_differs_in_one_axis_is_there(finished):
    report = finished.parent / "report"
    assert len(macro(report, "init")) == 4 and len(macro(report, "backbone")) == 4
    init = macro(report, "init")
    assert set(init["a"]) == {"pretrained"} and set(init["b"]) == {"scratch"}
    assert init["init"].isna().all() and init["backbone"].notna().all()
    labels = pd.read_csv(report / "comparisons.csv").groupby("dataset")["label"].unique()
    assert set(labels["ward"]) == {"Effusion", "Nodule", "Hernia", "macro"}


def test_a_missing_seed_is_said_and_the_pair_rests_on_the_others(finished):
    report = finished.parent / "report"
    row = macro(report, "init").set_index(["dataset", "backbone"]).loc["ward", "resnet18"]
    assert (row["seeds"], row["planned"]) == (1, 2) and "incomplete, 1 of 2 seeds" in row[
        "sentence"
    ]
    assert "| 1 of 2 |" in (report / "comparisons.md").read_text()


def test_a_pair_that_has_not_run_is_shown_and_counts_in_the_family(tmp_path):
    study = write_study(tmp_path / "results")
    cells = study.parent / "cells"
    (cells / MISSING.replace("seed1", "seed0") / "cell.json").unlink()
    report = write_report(study)
    row = macro(report, "init").set_index(["dataset", "backbone"]).loc["ward", "resnet18"]
    assert row["verdict"] == "incomplete" and np.isnan(row["difference"]) and row["seeds"] == 0
    others = macro(report, "init").dropna(subset="p")
    assert len(others) == 3 and (others["family"] == 4).all()
    assert others["p_holm"].min() == pytest.approx(min(1, 4 * others["p"].min()), rel=1e-4)


def test_differences_are_those_of_the_predictions(finished):
    row = macro(finished.parent / "report", "backbone").iloc[0]
    assert (row["a"], row["b"]) == ("resnet18", "resnet10t")
    found = []
    for backbone in (row["a"], row["b"]):
        cells = finished.parent / f"cells/{row['dataset']}/{backbone}/{row['init']}/default"
        paths = [cells / f"seed{seed}/predictions/{row['dataset']}.parquet" for seed in (0, 1)]
        frames = [read_parquet(path)[0].to_pandas() for path in paths]
        found.append(np.mean([mean_auroc(frame) for frame in frames]))
    assert row["difference"] == pytest.approx(found[0] - found[1], abs=1e-6)


def mean_auroc(frame):
    from sklearn.metrics import roc_auc_score

    labels = [name[2:] for name in frame if name.startswith("y:")]
    both = [label for label in labels if frame[f"y:{label}"].nunique() == 2]
    return np.mean([roc_auc_score(frame[f"y:{x}"], frame[f"p:{x}"]) for x in both])


def test_the_table_is_the_same_twice(finished, tmp_path):
    again = tmp_path / "comparisons.csv"
    compare.main(["--study", str(finished), "--out", str(again)])
    assert again.read_bytes() == (finished.parent / "report/comparisons.csv").read_bytes()


def test_cells_of_another_split_are_refused(tmp_path):
    study = write_study(tmp_path / "results")
    path = study.parent / "cells/ward/resnet10t/scratch/default/seed1/predictions/ward.parquet"
    table, facts = read_parquet(path)
    write_parquet(table, path, facts | {"split_hash": "another"})
    with pytest.raises(UserError, match="split_hash is"):
        compare.main(["--study", str(study), "--out", str(tmp_path / "out.csv")])


def test_a_study_with_one_place_a_dataset_has_nothing_to_compare(tmp_path):
    grid = CONFIG["grid"] | {"backbones": ["resnet18"], "inits": ["scratch"]}
    report = write_report(write_study(tmp_path / "results", grid=grid))
    assert pd.read_csv(report / "comparisons.csv").empty
    configurations = pd.read_csv(report / "configurations.csv")
    assert len(configurations) == 2 * 2 * 4 and (configurations["seeds"] == 2).all()


@pytest.mark.long
def test_a_model_from_elsewhere_is_compared_with_every_place_of_its_dataset(tmp_path):
    theirs = tmp_path / "theirs.csv"
    model = {"dataset": "ward", "predictions": str(theirs)}
    study = write_study(tmp_path / "results", external={"theirs": model})
    cells = study.parent / "cells/ward"
    own = [cells / f"resnet10t/scratch/default/seed{n}/predictions/ward.parquet" for n in (0, 1)]
    frames = [read_parquet(path)[0].to_pandas() for path in own]
    frames[0].iloc[::-1, ::-1].to_csv(theirs, index=False)  # in another order
    report = write_report(study)
    rows = macro(report, "external").set_index("b")
    assert set(rows.index) == {f"{b}/{i}" for b in ("resnet10t", "resnet18") for i in INITS}
    row = rows.loc["resnet10t/scratch"]
    first, second = (mean_auroc(frame) for frame in frames)
    assert row["difference"] == pytest.approx(first - (first + second) / 2, abs=1e-6)
    assert (row["a"], row["seeds"], row["dataset"]) == ("theirs", 2, "ward")
    assert "theirs" in row["sentence"] and row["family"] == 4
    others = {axis: len(macro(report, axis)) for axis in ("init", "backbone")}
    assert others == {"init": 4, "backbone": 4}
