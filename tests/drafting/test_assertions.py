"""Classes that deny or doubt another one, and columns of 1 and 2, have two readings."""

from pathlib import Path

import pytest

from cxrgrid import new
from cxrgrid.config.errors import UserError
from cxrgrid.drafting import assertions
from cxrgrid.drafting.questions import Question
from drawn_tables import drafted, effusion, film, lay, mass, patient, rows
from long_tests import by_turns

pytestmark = pytest.mark.usefixtures("own_folder")


def cycle(*fields):
    return lambda _, n: fields[n % len(fields)]


DOUBTS = {
    "english": ["pneumonia", "no pneumonia", "possible pneumonia"],
    "suspected": ["TB", "suspected TB", "normal"],
    "question_mark": ["Effusion", "No  effusion", "effusion?"],
    "behind": ["Mass", "Mass (possible)", "Mass: absent"],
    "without": ["Effusion", "without effusion", "Mass"],
    "two_left": ["Mass", "probable mass"],
}


@pytest.mark.parametrize("name", by_turns(list(DOUBTS), 2))
def test_classes_that_deny_or_doubt_another_are_a_question_with_both_readings(tmp_path, name):
    lay(tmp_path / "mine", rows(patient=patient, diagnosis=cycle(*DOUBTS[name])))
    with pytest.raises(Question, match="may say .*classes of their own.*--negations.*--classes"):
        new.main(["mine"])


@pytest.mark.parametrize(
    "labels",
    [["TB", "not TB"], ["normal", "pneumonia"], ["COVID", "non-COVID", "normal"], ["no", "yes"],
     ["No Finding", "Mass"], ["likely", "unlikely"], ["Nodule", "Nodosum", "Noma"]],
)  # fmt: skip
def test_classes_that_exclude_each_other_are_no_question(labels):
    assert assertions.doubt(assertions.Classes("diagnosis", "", labels)) == ""


def test_what_is_denied_is_absent_and_what_is_doubted_uncertain(tmp_path):
    fields = DOUBTS["english"]
    lay(tmp_path / "mine", rows(patient=patient, diagnosis=cycle(*fields)))
    entry, frame = drafted(tmp_path / "mine", "--classes", "diagnosis", "--negations")
    assert entry["labels"] == ["pneumonia"] and "task" not in entry
    by_patient = dict(zip(frame["patient"], frame["pneumonia"], strict=True))
    assert [by_patient[f"p{n:02}"] for n in range(3)] == [1, 0, -1]


@pytest.mark.long
def test_of_several_findings_each_is_denied_and_doubted_by_itself(tmp_path):
    fields = ["Effusion|Mass", "no effusion|Mass", "possible mass|Effusion", "no mass"]
    lay(tmp_path / "mine", rows(patient=patient, findings=cycle(*fields)))
    entry, frame = drafted(tmp_path / "mine", "--classes", "findings", "--negations")
    assert entry["labels"] == ["Effusion", "Mass"]
    found = frame.set_index("patient")[["Effusion", "Mass"]]
    told = [found.loc[f"p{n:02}"].iloc[0].tolist() for n in range(4)]
    assert told == [[1, 1], [0, 1], [1, -1], [0, 0]]


def test_nothing_denied_is_a_mistake():
    entry = {"columns": {"classes": "diagnosis"}, "labels": ["Mass", "Nodule"]}
    with pytest.raises(UserError, match="no class denies"):
        assertions.apply(entry)


CODES = {
    "one_and_two": (cycle("1", "2"), "1 and 2: yes and no .* or no and yes"),
    "percentages": (cycle("0%", "100%"), "percentages as '100%': a finding .* or a measure"),
    "decimal_percentages": (cycle("12.5 %", "80 %", "3 %"), "percentages as '12.5 %'"),
}


@pytest.mark.parametrize("name", by_turns(list(CODES), 1))
def test_codes_with_two_readings_are_refused_with_both(tmp_path, name):
    make, said = CODES[name]
    lay(tmp_path / "mine", rows(patient=patient, Effusion=make))
    with pytest.raises(UserError, match=said):
        new.main(["mine"])


@pytest.mark.long
def test_a_column_of_1_and_2_beside_labels_is_not_left_out_in_silence(tmp_path, capsys):
    lay(tmp_path / "mine", rows(patient=patient, Effusion=effusion, Mass=lambda *a: mass(*a) + 1))
    new.main(["mine"])
    assert "! Not read: 'Mass' holds 1 and 2: yes and no" in capsys.readouterr().out
    assert Path("studies/mine.yaml").is_file()


@pytest.mark.long
def test_signs_of_degrees_are_a_question(tmp_path):
    lay(tmp_path / "mine", rows(patient=patient, Effusion=cycle("-", "+", "++")))
    with pytest.raises(Question, match="one finding is there or not"):
        new.main(["mine"])


def test_a_list_of_images_beside_a_table_of_studies_names_that_table(tmp_path):
    studies = {f"train/p{n:02}/study1_{'np'[n % 2]}": n % 2 for n in range(12)}
    for folder in studies:
        film(tmp_path / "mine" / folder / "1.png", 0)
    listed = "".join(f"{folder}/1.png\n" for folder in studies)
    (tmp_path / "mine/train_image_paths.csv").write_text(listed)
    labels = "".join(f"{folder}/,{value}\n" for folder, value in studies.items())
    (tmp_path / "mine/train_studies.csv").write_text(labels)
    with pytest.raises(UserError, match=r"labels are in mine/train_studies.csv, give that file"):
        new.main(["mine"])
