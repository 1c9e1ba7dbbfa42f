"""Numbers as classes and the files that name them: read, or refused with what each file says."""

from pathlib import Path

import pytest

from cxrgrid.config.errors import UserError
from drawn_tables import EFFUSION, MASS, PEOPLE, drafted, lay, patient, rows
from long_tests import by_turns

pytestmark = pytest.mark.usefixtures("own_folder")


def several(separator, nothing="0", form="{}"):
    def field(name, _):
        codes = ["1"] * EFFUSION[name] + ["3"] * MASS[name]
        return f'"{form.format(separator.join(codes or [nothing]))}"'

    return field


NAMES = "0,No Finding\n1,Effusion\n2,Edema\n3,Mass\n"
FIELDS = {
    "bars": several("|"),
    "spaces": several(" "),
    "lists": several(", ", form="[{}]"),
    "empty_lists": several(", ", nothing="", form="[{}]"),
}


LEGENDS = {"legend.csv": "id,name\n" + NAMES, "classes.txt": NAMES}
BOTH = [(name, legend) for legend in LEGENDS for name in FIELDS]


@pytest.mark.parametrize(("name", "legend"), by_turns(BOTH, 3))
def test_codes_in_one_field_get_their_names(name, legend):
    lay(Path("mine"), rows(patient=patient, findings=FIELDS[name]))
    Path("mine", legend).write_text(LEGENDS[legend])
    entry, frame = drafted("mine")
    assert entry["labels"] == ["Effusion", "Mass"] and "task" not in entry
    assert frame["Effusion"].tolist() == list(EFFUSION.values())
    assert frame["Mass"].tolist() == list(MASS.values())


ONE, OTHER = "0,well\n1,ill\n2,worse\n", "0,worse\n1,ill\n2,well\n"
COMPETING = {
    "tables": ("classes.csv", "id,name\n" + ONE, "names.csv", "id,name\n" + OTHER),
    "texts": ("classes.txt", ONE, "labels.json", '{"0": "worse", "1": "ill", "2": "well"}'),
    "both": ("legend.csv", "id,name\n" + ONE, "names.txt", OTHER),
}


@pytest.mark.parametrize("name", by_turns(list(COMPETING), 1))
def test_legends_that_contradict_each_other_are_both_named(name):
    first, one, second, other = COMPETING[name]
    lay(Path("mine"), rows(patient=patient, label=lambda _, n: n % 3))
    Path("mine", first).write_text(one)
    Path("mine", second).write_text(other)
    with pytest.raises(UserError, match="keep the right one of the two files") as told:
        drafted("mine")
    for text in (first, second, "0 in 'label' is 'w", "'well'", "'worse'"):
        assert text in str(told.value)
    Path("mine", second).write_text(
        one if second != "labels.json" else '{"0": "well", "1": "ill", "2": "worse"}'
    )
    assert drafted("mine")[0]["labels"] == ["ill", "well", "worse"]


TWO = {
    "a_list": ("classes.txt", "well\nill\n", (0, 1)),
    "a_mapping": ("label_map.json", '{"well": 1, "ill": 0}', (1, 0)),
    "a_table": ("classes.csv", "id,name\n0,ill\n1,well\n", (1, 0)),
}


@pytest.mark.parametrize("name", by_turns(list(TWO), 2))
def test_a_label_of_one_and_zero_with_two_names_is_two_classes(name):
    file, text, (well, ill) = TWO[name]
    lay(Path("mine"), rows(patient=patient, label=lambda _, n: n % 2))
    Path("mine", file).write_text(text)
    entry, frame = drafted("mine")
    assert entry["labels"] == ["ill", "well"] and entry["task"] == "multiclass"
    assert frame["well"].tolist() == [float(n % 2 == well) for _, n in PEOPLE]
    assert frame["ill"].tolist() == [float(n % 2 == ill) for _, n in PEOPLE]


def test_names_of_other_findings_are_no_names_of_one_and_zero(capsys):
    lay(Path("mine"), rows(patient=patient, label=lambda _, n: n % 2))
    Path("mine/classes.txt").write_text(NAMES)
    assert drafted("mine")[0]["labels"] == ["label"]
