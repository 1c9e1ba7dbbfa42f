"""Labels of other names: the table is what the adapters say, and a user's own names join it."""

import csv
import json
import shlex
from types import SimpleNamespace

import msgspec
import pytest

from cxrgrid.config import label_names
from cxrgrid.config.checks import ADAPTERS, adapter_facts, modules
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.label_names import kept_apart, near, published, renamed, same_labels
from cxrgrid.config.rules import Rules

ROWS = list(csv.DictReader(label_names.TABLE.open(encoding="utf-8")))
NAMED = [name for name in modules(ADAPTERS) if adapter_facts(name)["LABELS"]]
PUBLISHERS = [name for name in ROWS[0] if name not in ("label", "source")]


def there(adapter):
    facts = adapter_facts(adapter)
    return [*facts["LABELS"], *facts.get("EXTRA", [])]


def datasets(**settings):
    return {name: msgspec.convert({"root": "x"} | own, Dataset) for name, own in settings.items()}


def shared(one, other):
    return same_labels("one", "other", datasets(one={"adapter": one}, other={"adapter": other}))


def test_every_name_is_a_label_of_its_adapter_and_every_row_has_a_source():
    assert len(PUBLISHERS) == 9 and set(PUBLISHERS) <= set(NAMED)
    for row in ROWS:
        assert row["source"]
        for adapter in PUBLISHERS:
            assert not row[adapter] or row[adapter] in there(adapter), (row["label"], adapter)


def test_a_name_stands_for_one_finding_and_no_adapter_has_a_finding_twice():
    found = {}
    for row in ROWS:
        for name in {row[adapter] for adapter in PUBLISHERS} - {""}:
            assert found.setdefault(name, row["label"]) == row["label"]
    for adapter in NAMED:
        names = [published().get(label, label) for label in adapter_facts(adapter)["LABELS"]]
        assert len(set(names)) == len(names), adapter


def test_padchest_shares_ten_labels_with_nih_and_six_with_chexpert():
    assert len(shared("padchest", "nih")) == 10
    assert len(shared("padchest", "chexpert")) == 6
    assert shared("padchest", "nih")["Effusion"] == "pleural effusion"
    assert shared("nih", "vindr")["Pleural effusion"] == "Effusion"
    assert list(shared("kermany", "covid_radiography")) == ["Normal", "Viral Pneumonia"]


def test_equal_names_are_still_the_same():
    for one in PUBLISHERS:
        for other in PUBLISHERS:
            names = set(adapter_facts(one)["LABELS"]) & set(adapter_facts(other)["LABELS"])
            assert names <= set(shared(one, other)), (one, other)


def test_near_names_exist_and_stay_apart_unless_the_user_joins_them():
    every = {label for adapter in PUBLISHERS for label in there(adapter)}
    for one, other in near():
        assert {one, other} <= every
        assert published().get(one, one) != published().get(other, other), (one, other)
    found = datasets(nih={"adapter": "nih"}, padchest={"adapter": "padchest"})
    texts = " ".join(kept_apart("nih", "padchest", found))
    assert "Edema (nih) and pulmonary edema (padchest)" in texts
    found = datasets(
        nih={"adapter": "nih"},
        padchest={"adapter": "padchest", "same_as": {"pulmonary edema": "Edema"}},
    )
    assert same_labels("nih", "padchest", found)["pulmonary edema"] == "Edema"
    assert "pulmonary edema" not in " ".join(kept_apart("nih", "padchest", found))


def test_a_users_own_names_meet_the_publishers_and_can_leave_them():
    own = {"adapter": "csv", "labels": ["fluid", "Consolidation"]}
    found = datasets(
        mine=own | {"same_as": {"fluid": "Effusion"}}, padchest={"adapter": "padchest"}
    )
    assert same_labels("mine", "padchest", found) == {
        "consolidation": "Consolidation",
        "pleural effusion": "fluid",
    }
    apart = own | {"same_as": {"Consolidation": "white lung"}}
    found = datasets(mine=apart, padchest={"adapter": "padchest"})
    assert same_labels("mine", "padchest", found) == {}


# ------------------------------------------------------------------ in a study

CONFIG = {
    "study": "tiny",
    "datasets": {
        "nih": {"adapter": "nih", "root": "x", "labels": ["Effusion", "Nodule", "Edema"]},
        "padchest": {"adapter": "padchest", "root": "x"},
        "vindr": {"adapter": "vindr", "root": "x"},
        "mine": {"adapter": "csv", "root": "x", "labels": ["fluid", "water"]},
    },
    "grid": {"datasets": ["nih"], "backbones": ["resnet18"]},
}


def grid(transfer="none", **mine):
    own = {"mine": CONFIG["datasets"]["mine"] | mine}
    return Grid(CONFIG | {"transfer": transfer, "datasets": CONFIG["datasets"] | own})


def test_transfer_uses_aliases():
    assert grid("all").transfers == {"nih": ["padchest", "vindr"]}
    assert grid("all", same_as={"water": "Effusion"}).transfers == {
        "nih": ["padchest", "vindr", "mine"]
    }


def flag(study, target):
    rules = Rules(study, lambda path: [])
    wildcards = {"dataset": "nih", "backbone": "resnet18", "init": "scratch", "recipe": "default"}
    return rules.same(SimpleNamespace(**wildcards, fold="", seed="0", target=target))


def test_predict_is_told_the_shared_labels_only_where_names_differ():
    name, text = shlex.split(flag(grid("all"), "padchest"))
    assert name == "--same"
    assert json.loads(text) == {"nodule": "Nodule", "pleural effusion": "Effusion"}
    config = CONFIG | {"transfer": "all"}
    config["datasets"] = dict.fromkeys(("nih", "twin"), CONFIG["datasets"]["nih"])
    assert str(flag(Grid(config), "twin")) == ""


def test_renamed_keeps_what_differs():
    assert renamed({"nodule": "Nodule", "Edema": "Edema"}) == {"nodule": "Nodule"}


@pytest.mark.parametrize(
    ("transfer", "mine", "words"),
    [
        (
            "none",
            {"same_as": {"fluid": "Effusion", "water": "pleural effusion"}},
            "'fluid' and 'wa",
        ),
        ("none", {"same_as": {"fluid": "water"}}, "'fluid' and 'water' would both be 'water'"),
        ("none", {"same_as": {"fluids": "Effusion"}}, "no label 'fluids'; did you mean 'fluid'"),
        ("all", {"labels": ["Effusion", "pleural effusion"]}, "would both be 'Pleural Effusion'"),
    ],
)
def test_a_name_that_two_labels_claim_is_one_line_before_any_job(transfer, mine, words):
    with pytest.raises(UserError, match=words) as error:
        grid(transfer, **mine)
    assert "\n" not in str(error.value)


def test_a_name_that_would_part_a_label_from_another_dataset_is_one_line():
    with pytest.raises(UserError) as error:
        grid("all", labels=["Effusion", "Mass"], same_as={"Effusion": "Fluid"})
    assert str(error.value) == (
        "datasets.mine.same_as: as 'Fluid' alone, Effusion would part from Effusion of nih; to "
        "join all, say it where the name is 'Fluid' (same_as: {Fluid: Effusion}); to keep it "
        "apart, write Effusion: ''"
    )
    found = grid("all", labels=["Effusion", "Nodule"], same_as={"Effusion": ""})
    assert same_labels("mine", "nih", found.study.datasets) == {"Nodule": "Nodule"}
    two = {"labels": ["Effusion", "pleural effusion"], "same_as": {"Effusion": "Fluid"}}
    shared = same_labels("mine", "nih", grid("all", **two).study.datasets)
    assert shared == {"Effusion": "pleural effusion"}, "the other label of this name stays"


def test_two_labels_of_one_finding_are_nobodys_business_without_another_dataset():
    assert grid("none", labels=["Effusion", "pleural effusion"]).cells


def test_same_as_changes_no_cell_and_prepares_nothing():
    before, after = grid(), grid(same_as={"fluid": "Effusion"})
    assert before.cells == after.cells
    wildcards = SimpleNamespace(dataset="mine", image="", fold="")
    for command in ("index", "image", "split"):
        made = [getattr(Rules(one, lambda path: []), command)(wildcards) for one in (before, after)]
        assert made[0] == made[1]
