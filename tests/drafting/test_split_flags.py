"""Flags of train, val and test in columns of their own, and folds: read, asked, or checked."""

from pathlib import Path

import pytest
import yaml

from cxrgrid.config.errors import UserError
from cxrgrid.drafting import layouts
from drawn_tables import EFFUSION, PEOPLE, PLAIN, drafted, effusion, lay, mass, rows
from long_tests import by_turns

pytestmark = pytest.mark.usefixtures("own_folder")


def part_of(n: int) -> str:
    return ("test", "val", "train", "train")[n % 4]


def flag(part, yes=1, no=0):
    return lambda _, n: yes if part_of(n) == part else no


THREE = {part: flag(part) for part in ("train", "val", "test")}
FLAGS = {
    "numbers": {f"is_{part}": of for part, of in THREE.items()},
    "in_another_order": {f"is_{part}": THREE[part] for part in ("test", "train", "val")},
    "words": {
        "train": flag("train", True, False),
        "validation": flag("val", True, False),
        "test": flag("test", True, False),
    },
    "two": {"is_val": THREE["val"], "is_test": THREE["test"]},
}


@pytest.mark.parametrize("name", by_turns(list(FLAGS), 2))
def test_flags_of_parts_are_the_split(name):
    lay(Path("mine"), rows(**PLAIN, **FLAGS[name]))
    entry, frame = drafted("mine")
    assert entry["labels"] == ["Effusion", "Mass"] and entry["split"] == {"name": "column"}
    assert frame["split:column"].tolist() == [part_of(n) for _, n in PEOPLE]


UNCLEAR = {
    "in_two": ({**FLAGS["numbers"], "is_train": lambda *_: 1}, "line 2 is in train and test"),
    "in_none": ({**FLAGS["numbers"], "is_train": lambda *_: 0}, "line 6 is in no part"),
    "in_no_part": (
        {**FLAGS["numbers"], "is_train": lambda _, n: int(n % 4 == 2)},
        "line 8 is in no part",
    ),
    "of_two": ({"is_train": THREE["train"], "is_test": THREE["test"]}, "line 4 is in no part"),
}


@pytest.mark.parametrize("name", by_turns(list(UNCLEAR), 2))
def test_flags_that_contradict_each_other_are_a_question_and_the_test_set_is_offered(name, capsys):
    columns, said = UNCLEAR[name]
    lay(Path("mine"), rows(**PLAIN, **columns))
    entry, _ = drafted("mine")
    assert entry["split"] == {"name": "patient"}
    told = capsys.readouterr().out
    assert f"are not used: {said}. Which images are the test images?" in told
    assert "is_test 1 is the test set, 6 images" in Path("studies/mine.yaml").read_text()


def test_a_row_in_two_parts_is_named_where_it_stands():
    lay(Path("mine"), rows(**PLAIN, **FLAGS["numbers"]))
    entry, _ = drafted("mine")
    lay(Path("mine"), rows(**PLAIN, **{**FLAGS["numbers"], "is_val": lambda *_: 1}))
    with pytest.raises(UserError, match="labels.csv: line 2: is in val and test, by the columns"):
        layouts.read(entry, "mine")
    lay(Path("mine"), rows(**PLAIN, **{**FLAGS["numbers"], "is_val": lambda *_: 7}))
    with pytest.raises(UserError, match="column 'is_val' holds more than 1 and 0"):
        layouts.read(entry, "mine")
    entry["columns"]["split"] = "Mass/is_test"
    with pytest.raises(UserError, match="column 'Mass' is called like no part"):
        layouts.read(entry, "mine")


@pytest.mark.parametrize("whole", [True, False])
def test_folds_are_offered_only_where_no_patient_of_an_expression_is_parted(whole):
    fold = {"fold": lambda name, n: n % 5 if whole else (2 * n + int(name[-1])) % 5}
    lay(Path("mine"), rows(Effusion=effusion, Mass=mass, **fold))
    entry, _ = drafted("mine")
    assert entry["patient"] and "patient" not in entry["columns"]
    text = Path("studies/mine.yaml").read_text()
    offered = [line for line in text.splitlines() if "fold 0 is the test set, 6 images" in line]
    assert bool(offered) == whole
    if whole:
        taken = yaml.safe_load("\n".join(line.replace("# ", "", 1) for line in offered))
        frame = layouts.read(entry | taken, "mine")
        tested = frame[frame["split:column"] == "test"]
        assert set(tested["patient"]) == {"p00", "p05", "p10"}
        assert tested["Effusion"].sum() == sum(
            EFFUSION[f"p{n:02}_{m}"] for n in (0, 5, 10) for m in "12"
        )
