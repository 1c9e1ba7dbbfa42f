"""A recipe trains on its share of patients, its filter, and targets by its own policy."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cxrgrid.config.dataset import Subset
from cxrgrid.config.errors import UserError
from cxrgrid.data import label_policy
from cxrgrid.data.label_targets import RAW
from cxrgrid.data.training_part import check_cells, shared_patients, training_part
from test_train import make_cell

N, NAN = 400, np.nan
LABELS = ["Effusion", "Nodule"]


@pytest.fixture
def table() -> pa.Table:
    """Training rows: two images per patient, the source's labels and the truth made of them."""
    rng = np.random.default_rng(1)
    raw = {label: rng.choice([1.0, 0.0, -1.0, NAN], N) for label in LABELS}
    truth = {
        label: np.where(values == 1, 1.0, np.where(values == 0, 0.0, NAN))
        for label, values in raw.items()
    }
    return pa.table(
        {
            "image": [f"{at}.png" for at in range(N)],
            "patient": [f"p{at // 2}" for at in range(N)],
            "view": ["PA" if at % 3 else "AP" for at in range(N)],
            "sex": ["F" if at // 2 % 2 else "M" for at in range(N)],
            "age": [float(at % 90) for at in range(N)],
            "source": ["here" if at % 4 else "there" for at in range(N)],
            **truth,
            **{f"{RAW}{label}": values for label, values in raw.items()},
        }
    )


def facts(table: pa.Table) -> dict:
    words = {"uncertain": dict.fromkeys(LABELS, "ignore"), "blank": dict.fromkeys(LABELS, "ignore")}
    counts = {label: {"uncertain": 1, "blank": 1} for label in LABELS}
    return {"dataset": "ward", "labels": LABELS, "policy": {**words, "counts": counts}}


def kept(table, **settings):
    return training_part(table, facts(table), make_cell(**settings))[0]


def test_without_settings_all_images_and_the_truth(table):
    part, targets = training_part(table, facts(table), make_cell())
    assert part.all() and targets.dtype == np.float32
    truth = np.stack([table[label].to_numpy() for label in LABELS], axis=1)
    np.testing.assert_array_equal(targets, truth.astype(np.float32))


def test_shares_of_a_seed_are_nested_hold_whole_patients_and_differ_between_seeds(table):
    patients = np.array(table["patient"].to_pylist())
    parts = {share: kept(table, train_share=share, seed=3) for share in (0.1, 0.3, 0.7)}
    for share, part in parts.items():
        assert len(set(patients[part])) == round(share * N / 2)
        assert not set(patients[part]) & set(patients[~part])
    assert (parts[0.1] <= parts[0.3]).all() and (parts[0.3] <= parts[0.7]).all()
    assert (parts[0.3] != kept(table, train_share=0.3, seed=4)).any()


def test_a_share_does_not_depend_on_the_order_or_on_images_per_patient():
    patients = [f"p{at}" for at in range(50)]
    assert shared_patients(patients * 3, 0.2, 1) == shared_patients(patients[::-1], 0.2, 1)


def test_train_where_keeps_just_who_is_named(table):
    part = kept(
        table, train_where=Subset(view=("frontal",), sex=("F",), age=(18, 60), source=("here",))
    )
    frame = table.to_pandas()
    wanted = frame["sex"].eq("F") & frame["age"].between(18, 60) & frame["source"].eq("here")
    np.testing.assert_array_equal(part, wanted)


def test_a_share_is_one_of_those_who_are_trained_on(table):
    women = kept(table, train_where=Subset(sex=("F",)))
    part = kept(table, train_where=Subset(sex=("F",)), train_share=0.5)
    assert (part <= women).all() and part.sum() == women.sum() / 2


@pytest.mark.parametrize("uncertain", ["zero", "one", "ignore", "smooth", {"Nodule": "one"}])
@pytest.mark.parametrize("blank", ["absent", "ignore"])
def test_targets_are_those_of_a_dataset_with_that_policy(table, uncertain, blank):
    raw = pd.DataFrame({label: table[f"{RAW}{label}"].to_numpy() for label in LABELS})
    words = {
        "uncertain": label_policy.resolve(uncertain, LABELS, "ignore"),
        "blank": label_policy.resolve(blank, LABELS, "ignore"),
    }
    wanted = label_policy.apply(raw.assign(image=table["image"].to_pylist()), words)[LABELS]
    cell = make_cell(uncertain=uncertain, blank=blank)
    targets = training_part(table, facts(table), cell)[1]
    np.testing.assert_array_equal(targets, wanted.to_numpy(np.float32))


def test_what_is_left_without_a_label_is_said_before_any_step(table):
    with pytest.raises(UserError, match=r"train_share 0\.005 \(1 patients\) leaves no .* shows"):
        kept(table, train_share=0.005, seed=0)
    with pytest.raises(UserError, match="train_where leaves none of 400 training images"):
        kept(table, train_where=Subset(view=("LATERAL",)))


def test_a_view_or_source_that_no_image_has_is_named_also_beside_one_that_is_there(table):
    table = table.append_column("split", pa.array(["train"] * N))
    for where, words in (
        ({"view": ("PA", "APP")}, "train_where.view: no view 'APP'; did you mean 'AP'"),
        ({"source": ("her",)}, "train_where.source: no source 'her'; did you mean 'here'"),
    ):
        with pytest.raises(UserError, match=words):
            check_cells(table, facts(table), [make_cell(train_where=Subset(**where))])
    usual = Subset(view=("pa", "frontal", "lateral"), source=("here",))
    check_cells(table, facts(table), [make_cell(train_where=usual)])


def test_a_table_of_a_version_before_is_refused_where_its_source_labels_are_asked_for(table):
    old = table.drop_columns([f"{RAW}{label}" for label in LABELS])
    with pytest.raises(UserError, match="prepare it again"):
        kept(old, uncertain="one")
    assert kept(old).all()
