"""A split keeps patients together, shares out labels, and depends on nothing but its seed."""

import hashlib
import json
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import CONFIG
from cxrgrid import split
from cxrgrid.config.errors import UserError
from cxrgrid.io.parquet import read_parquet, write_parquet

LABELS = ["Common", "Usual", "Rare"]
BY_PATIENT = {"name": "patient", "fractions": [0.7, 0.1, 0.2], "seed": 0}
FACTS = {"labels": LABELS, "task": "multilabel", "accounting": []}


def cohort(patients=600, seed=0, most=8):
    """Images of patients who have one to many, with labels that run in patients."""
    rng = np.random.default_rng(seed)
    images = np.minimum(rng.geometric(0.45, patients), most)
    patient = np.repeat(np.arange(patients), images)
    tendency = rng.beta(0.6, [1.2, 4, 30], (patients, 3))
    labels = (rng.random((len(patient), 3)) < tendency[patient]).astype(float)
    frame = pd.DataFrame(labels, columns=LABELS)
    frame["patient"] = [f"p{n:05}" for n in patient]
    frame["image"] = [f"{n:06}.png" for n in range(len(frame))]
    return frame.assign(row=np.arange(len(frame)))


def divided(frame, **change):
    return split.divide(frame, FACTS, BY_PATIENT | change)[0]


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=3, max_size=60),
    seed=st.integers(0, 9),
)
def test_every_patient_is_dealt_once_and_no_part_is_empty(counts, seed):
    counts = np.array([[max(1, *row), *row] for row in counts])
    parts = split.stratify(counts, [0.7, 0.1, 0.2], np.random.default_rng(seed))
    assert len(parts) == len(counts) and set(parts) == {0, 1, 2}


@settings(deadline=None, max_examples=40)
@given(
    patient=st.lists(st.integers(0, 25), min_size=12, max_size=80),
    seed=st.integers(0, 3),
    data=st.data(),
)
def test_no_patient_stands_in_two_splits(patient, seed, data):
    flags = st.lists(st.booleans(), min_size=len(patient), max_size=len(patient))
    frame = pd.DataFrame({label: np.array(data.draw(flags), float) for label in LABELS})
    frame = frame.assign(patient=[str(n) for n in patient])
    found = split.by_patient(frame, LABELS, {"train": 0.7, "val": 0.1, "test": 0.2}, seed)
    assert found.isin(split.SPLITS).all()
    assert found.groupby(frame["patient"]).nunique().max() == 1


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_images_and_labels_are_as_asked(seed):
    frame = cohort(3000, seed)
    table = divided(frame, seed=seed)
    for name, share in zip(split.SPLITS, BY_PATIENT["fractions"], strict=True):
        part = table[table["split"] == name]
        assert abs(len(part) / len(table) - share) < 0.002
        for label in LABELS:
            wanted = table[label].sum() * share
            assert abs(part[label].sum() - wanted) <= max(3, 0.02 * wanted)


def test_a_hundred_thousand_images_take_seconds():
    frame = cohort(31_000, most=40)
    columns = {f"L{n}": np.roll(frame["Rare"], 977 * n) for n in range(14)}
    frame = pd.concat([frame, pd.DataFrame(columns)], axis=1)
    start = time.process_time()
    split.divide(frame, FACTS | {"labels": list(columns)}, BY_PATIENT)
    assert time.process_time() - start < 5


def test_sizes_of_patients_are_alike_in_all_splits():
    """Patients with many images are not all dealt to the largest split."""
    sizes = divided(cohort(3000)).groupby(["split", "patient"]).size().groupby("split").mean()
    assert sizes.max() / sizes.min() < 1.15


def test_it_balances_better_than_chance():
    frame = cohort(400)
    rng = np.random.default_rng(0)
    names = sorted(set(frame["patient"]))
    errors = []
    for _ in range(20):
        test = set(rng.choice(names, len(names) // 5, replace=False))
        part = frame[frame["patient"].isin(test)]
        errors.append(abs(part["Rare"].sum() / frame["Rare"].sum() - 0.2))
    table = divided(frame)
    share = table.loc[table["split"] == "test", "Rare"].sum() / table["Rare"].sum()
    assert abs(share - 0.2) < np.median(errors) / 2


@pytest.mark.parametrize("patients, wanted", [(20, [14, 2, 4]), (8, [6, 1, 1]), (3, [1, 1, 1])])
def test_patients_who_each_have_a_label_of_their_own_fill_all_splits(patients, wanted):
    counts = np.column_stack([np.ones(patients, int), np.eye(patients, dtype=int)])
    parts = split.stratify(counts, [0.7, 0.1, 0.2], np.random.default_rng(0))
    assert np.bincount(parts).tolist() == wanted


def test_the_order_of_rows_makes_no_difference():
    frame = cohort()
    one, other = divided(frame), divided(frame.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


def test_another_seed_is_another_split_and_the_same_the_same():
    one, same, other = (split.split_hash(divided(cohort(), seed=seed)) for seed in (0, 0, 1))
    assert one == same != other


def test_the_hash_is_of_images_and_splits_only():
    frame = pd.DataFrame({"image": ["b", "a"], "split": ["test", "train"]})
    assert split.split_hash(frame) == hashlib.sha256(b"a\ttrain\nb\ttest").hexdigest()[:12]


# ------------------------------------------------------------------ lists that a dataset ships


def with_list(frame, parts, seed=0):
    """`frame` with a list `official` that gives each patient one of `parts`."""
    names = sorted(set(frame["patient"]))
    part = dict(zip(names, np.random.default_rng(seed).choice(parts, len(names)), strict=True))
    return frame.assign(**{"split:official": frame["patient"].map(part).replace("", None)})


def test_a_shipped_test_split_stays_and_the_rest_is_divided_by_patient():
    frame = with_list(cohort(2000), ["trainval", "trainval", "test"])
    table = divided(frame, name="official")
    official = frame.set_index("image")["split:official"]
    assert (table["split"] == "test").equals(table["image"].map(official) == "test")
    assert table.groupby("patient")["split"].nunique().max() == 1
    rest = table[table["split"] != "test"]
    assert abs((rest["split"] == "val").mean() - 1 / 8) < 0.005
    assert not any(name.startswith("split:") for name in table)


def test_a_list_without_validation_has_it_carved_from_training():
    table = divided(with_list(cohort(2000), ["train", "train", "test"]), name="official")
    rest = table[table["split"] != "test"]
    assert abs((rest["split"] == "val").mean() - 1 / 8) < 0.005


def test_a_complete_list_is_taken_as_it_is():
    frame = with_list(cohort(), ["train", "val", "test"])
    table = divided(frame, name="official")
    assert table["split"].tolist() == frame["split:official"].tolist()


def test_images_that_the_list_leaves_out_are_left_out_and_counted():
    frame = with_list(cohort(), ["train", "val", "test", ""])
    table, facts = split.divide(frame, FACTS, BY_PATIENT | {"name": "official"})
    assert len(table) == frame["split:official"].notna().sum() < len(frame)
    assert [step["images"] for step in facts["accounting"]] == [len(frame), len(table)]


# ------------------------------------------------------------------ folds and images


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 5), folds=st.integers(2, 6), patients=st.integers(12, 60))
def test_the_test_parts_of_all_folds_are_all_patients_once(seed, folds, patients):
    frame = cohort(patients, seed)
    tables = [divided(frame, seed=seed, folds=folds, fold=fold) for fold in range(folds)]
    tested = [set(table.loc[table["split"] == "test", "patient"]) for table in tables]
    assert sum(map(len, tested)) == patients == len(set().union(*tested))
    for table in tables:
        assert len(table) == len(frame)
        assert table.groupby("patient")["split"].nunique().max() == 1


def test_folds_share_out_images_and_labels():
    frame = cohort(3000)
    for fold in range(5):
        table = divided(frame, folds=5, fold=fold)
        test = table[table["split"] == "test"]
        assert abs(len(test) / len(table) - 0.2) < 0.002
        assert abs(test["Rare"].sum() - table["Rare"].sum() / 5) <= 3
        assert abs((table["split"] == "val").mean() - 0.1) < 0.002  # train : val stay 7 : 1


def test_folds_have_names_and_hashes_of_their_own():
    facts = [
        split.divide(cohort(), FACTS, BY_PATIENT | {"folds": 3, "fold": n})[1] for n in (0, 1, 2)
    ]
    assert [fact["split"] for fact in facts] == [f"patient, fold {n} of 3" for n in (0, 1, 2)]
    assert len({fact["split_hash"] for fact in facts}) == 3


def listed(patients=90, seed=0):
    """A cohort with a publisher's list: a tenth of the patients are its test list."""
    frame = cohort(patients, seed)
    part = np.where(frame["patient"] < f"p{patients // 10:05}", "test", "trainval")
    return frame.assign(**{"split:official": part.astype(object)})


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 3), folds=st.integers(2, 5))
def test_folds_of_a_training_list_test_each_of_its_patients_once_and_no_other(seed, folds):
    frame = listed(seed=seed)
    training = set(frame.loc[frame["split:official"] == "trainval", "patient"])
    tables = [
        divided(frame, name="official", seed=seed, folds=folds, fold=fold) for fold in range(folds)
    ]
    tested = [set(table.loc[table["split"] == "test", "patient"]) for table in tables]
    assert sum(map(len, tested)) == len(training) and set().union(*tested) == training
    for table in tables:
        assert set(table["patient"]) == training
        assert table.groupby("patient")["split"].nunique().max() == 1
        assert set(table["split"]) == {"train", "val", "test"}


def test_folds_beside_a_validation_list_or_shared_patients_are_refused_in_one_line():
    frame = listed()
    frame.loc[frame.index[-5:], "split:official"] = "val"
    with pytest.raises(UserError, match="'official': has a fixed validation list") as error:
        divided(frame, name="official", folds=3)
    assert "\n" not in str(error.value)
    frame = listed()
    twice = frame["patient"].duplicated(keep=False) & (frame["split:official"] == "trainval")
    frame.loc[twice.idxmax(), "split:official"] = "test"
    with pytest.raises(UserError, match="1 patients are in its training list and its test list"):
        divided(frame, name="official", folds=3)


def test_more_folds_than_patients_are_refused_in_every_fold_with_the_number_that_there_are():
    frame = listed(patients=40)
    training = frame.loc[frame["split:official"] == "trainval", "patient"].nunique()
    for name, most in (("patient", 40), ("official", training), ("image", len(frame))):
        with pytest.raises(UserError, match=f"'{name}'.*: {most + 1} folds of {most} patients"):
            divided(frame, name=name, folds=most + 1, fold=0)
        assert (divided(frame, name=name, folds=most, fold=most - 1)["split"] == "test").any()


def test_a_split_by_image_says_how_many_test_images_are_of_known_patients():
    frame = cohort(500)
    table, facts = split.divide(frame, FACTS, BY_PATIENT | {"name": "image"})
    trained = set(table.loc[table["split"] == "train", "patient"])
    test = table.loc[table["split"] == "test", "patient"]
    seen = sum(patient in trained for patient in test)
    assert seen > 0.4 * len(test) and abs(len(test) / len(table) - 0.2) < 0.002
    both = sum(len(set(part)) > 1 for _, part in table.groupby("patient")["split"])
    assert facts["leakage"] == {
        "patients": both,
        "test_images": len(test),
        "test_images_seen": seen,
        "asked": True,
    }
    for sentence in (facts["warnings"][0], facts["notes"][-1]):
        assert f"{seen:,} of {len(test):,} test images" in sentence


def test_a_split_by_patient_leaks_nothing():
    assert "leakage" not in split.divide(cohort(), FACTS, BY_PATIENT)[1]


# ------------------------------------------------------------------ lists of the user's own


def files_of(folder, table, **more):
    """A file for each split of `table`; what `split.files` says."""
    for name, part in table.groupby("split")["image"]:
        (folder / f"{name}.txt").write_text("\n".join(part) + "\n")
    return {name: str(folder / f"{name}.txt") for name in split.SPLITS} | {"absent": 0.01} | more


def test_lists_of_ones_own_give_the_split_that_they_list(tmp_path):
    frame = cohort(200)
    wanted = divided(frame)
    own = {"name": "own", "files": files_of(tmp_path, wanted)}
    table, facts = split.divide(frame, FACTS, BY_PATIENT | own)
    pd.testing.assert_frame_equal(table, wanted, check_dtype=False)
    assert facts["split"] == "own" and facts["split_hash"] == split.split_hash(wanted)


def test_a_list_of_ones_own_without_validation_has_it_carved(tmp_path):
    frame = cohort(1000)
    files = files_of(tmp_path, divided(frame), val="", absent=1)
    table = divided(frame, name="own", files=files)
    assert abs((table["split"] == "val").mean() / (table["split"] != "test").mean() - 1 / 8) < 0.01
    assert table.groupby("patient")["split"].nunique().max() == 1


def test_an_unreadable_image_is_not_a_wrong_line(tmp_path):
    frame = cohort(100)
    files = files_of(tmp_path, divided(frame), absent=0.0)
    frame.loc[3, "row"] = -1
    table, facts = split.divide(frame, FACTS, BY_PATIENT | {"name": "own", "files": files})
    assert len(table) == len(frame) - 1 and facts["warnings"] == []


# ------------------------------------------------------------------ mistakes


def test_an_unknown_list_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="no split list 'officials'; did you mean 'official'"):
        divided(with_list(cohort(), ["train", "test"]), name="officials")


@pytest.mark.parametrize(
    "parts, missing", [(["train", "val"], "test"), (["test"], "train"), (["val", "test"], "train")]
)
def test_a_split_that_ends_empty_is_named(parts, missing):
    with pytest.raises(UserError, match=f"no image is left for {missing}"):
        divided(with_list(cohort(30), parts), name="official")


def test_two_patients_cannot_fill_three_splits():
    with pytest.raises(UserError, match="no image is left for"):
        divided(cohort(2))


def test_training_images_of_one_class_are_refused():
    frame = cohort()
    frame[LABELS] = [1.0, 0.0, 0.0]
    with pytest.raises(UserError, match="every training image has the same label"):
        split.divide(frame, FACTS | {"task": "multiclass"}, BY_PATIENT)
    with pytest.raises(UserError, match="every training image has the same label"):
        split.divide(frame, FACTS, BY_PATIENT)


def test_a_label_that_no_training_image_shows_is_a_warning():
    frame = with_list(cohort(), ["train", "val", "test"])
    frame.loc[frame["split:official"] == "train", "Rare"] = np.nan
    _, facts = split.divide(frame, FACTS, BY_PATIENT | {"name": "official"})
    assert facts["warnings"] == ["No training image shows Rare: no cell can learn it."]


# ------------------------------------------------------------------ the command


def write(folder, frame, files):
    index = frame.drop(columns="row").assign(age=np.nan, view="PA")
    facts = FACTS | {"accounting": [{"step": "raw", "images": len(frame), "patients": 9}]}
    write_parquet(index, folder / "index.parquet", facts)
    write_parquet(files, folder / "pixels.parquet", {"size": 8, "resize": "fit"})


def run(folder):
    options = [f"--{name}={folder / path}" for name, path in PATHS.items()]
    split.main([json.dumps(BY_PATIENT), *options])
    return read_parquet(folder / "table.parquet")


PATHS = {"index": "index.parquet", "files": "pixels.parquet", "out": "table.parquet"}


def test_unreadable_images_are_left_out_and_rows_point_to_pixels(tmp_path):
    frame = cohort(100)
    row = np.arange(len(frame)) - 1
    row[0] = -1
    write(tmp_path, frame, {"image": frame["image"].tolist(), "row": row})
    table, facts = run(tmp_path)
    assert table["image"].to_pylist() == frame["image"].tolist()[1:]
    assert table["row"].to_pylist() == list(range(len(frame) - 1))
    assert [step["images"] for step in facts["accounting"]] == [len(frame), len(frame) - 1]
    assert facts["image"] == {"size": 8, "resize": "fit"} and facts["split"] == "patient"
    assert {"image", "patient", "view", "age", *LABELS, "split", "row"} == set(table.column_names)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    frame = cohort(50)
    write(tmp_path, frame, {"image": frame["image"].tolist(), "row": frame["row"].to_numpy()})
    run(tmp_path)
    first = (tmp_path / "table.parquet").read_bytes()
    run(tmp_path)
    assert (tmp_path / "table.parquet").read_bytes() == first


def test_files_of_another_index_are_refused(tmp_path):
    frame = cohort(50)
    write(tmp_path, frame, {"image": frame["image"].tolist()[1:], "row": frame["row"][1:]})
    with pytest.raises(UserError, match="lists other images"):
        run(tmp_path)


def test_soft_labels_train_and_are_unknown_elsewhere():
    frame = cohort(100)
    soft = frame.index[frame["Usual"] == 0][::3]
    frame.loc[soft, "Usual"] = 0.7
    table = divided(frame).set_index("image")["Usual"]
    split_of = divided(frame).set_index("image")["split"]
    assert (table[split_of == "train"] == 0.7).sum() == (
        split_of[soft_names(frame)] == "train"
    ).sum()
    held = table[split_of != "train"]
    assert held.isin([0, 1]).sum() + held.isna().sum() == len(held)
    assert held.isna().sum() == (split_of[soft_names(frame)] != "train").sum() > 0


def soft_names(frame):
    return frame.loc[frame["Usual"] == 0.7, "image"]


def test_a_part_that_loses_a_label_stops_the_split_before_any_training(tmp_path):
    """By the study's config: each cell's share and filter are looked at."""
    frame = cohort(patients=300)
    labels = ["Effusion", "Nodule", "Hernia"]
    frame = frame.rename(columns=dict(zip(LABELS, labels, strict=True)))
    facts = {"labels": labels, "task": "multilabel", "accounting": [], "dataset": "ward"}
    facts["policy"] = {"uncertain": {}, "blank": {}, "counts": {}}
    index = frame.drop(columns="row").assign(view=None, sex=None, age=np.nan)
    write_parquet(index, tmp_path / "index.parquet", facts)
    write_parquet(frame[["image", "row"]], tmp_path / "pixels.parquet", {})
    files = [
        "--index",
        str(tmp_path / "index.parquet"),
        "--files",
        str(tmp_path / "pixels.parquet"),
    ]
    options = [json.dumps(BY_PATIENT), *files, "--out", str(tmp_path / "ward/table.parquet")]

    def divide(**recipe):
        config = CONFIG | {"recipes": {"default": recipe}}
        (tmp_path / "study.json").write_text(json.dumps(config))
        split.main([*options, "--study", str(tmp_path / "study.json")])

    with pytest.raises(UserError, match=r"cell ward/.*-train_share0\.01.*\(2 patients\).*Hernia"):
        divide(train_share=[1, 0.5, 0.01])
    assert not (tmp_path / "ward/table.parquet").exists()
    with pytest.raises(UserError, match=r"cell ward/.*: train_where leaves none of"):
        divide(train_where={"sex": ["F"]})
    divide(train_share=[1, 0.5])
    assert (tmp_path / "ward/table.parquet").exists()
