"""Tables with titles, sheets, flags, ids, codes and joins: read rightly, or a question by name."""

from pathlib import Path

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data import tables
from cxrgrid.drafting import legends, questions
from cxrgrid.drafting.questions import Question
from drawn_tables import (
    EFFUSION,
    KINDS,
    PEOPLE,
    PLAIN,
    drafted,
    effusion,
    film,
    lay,
    mass,
    patient,
    rows,
    stems,
    word,
)
from long_tests import by_turns
from workbooks import workbook

LINES = rows(**PLAIN).splitlines()
CELLS = [line.split(",") for line in LINES]
TWO = rows(Effusion=effusion)


pytestmark = pytest.mark.usefixtures("own_folder")


TABLES = {
    "a_title_over_two_columns": "Films of the ward,\n" + TWO,
    "a_merged_title_written_in_each_cell": "Films,Films,Films,Films\n" + rows(**PLAIN),
    "names_of_groups_of_columns": "Image,,Findings,\n" + rows(**PLAIN),
    "several_titles": "Films,,,\nmade by,Dr X,,\n,,,\nv1,of,2024,\n" + rows(**PLAIN),
    "separators_at_the_end_of_rows": LINES[0] + "\n" + "".join(f"{x},,\n" for x in LINES[1:]),
    "separators_at_the_end_of_some": "\n".join([*LINES[:9], *(f"{x}," for x in LINES[9:])]),
    "names_of_rows_as_R_writes_them": LINES[0]
    + "\n"
    + "".join(f"{at},{line}\n" for at, line in enumerate(LINES[1:], 1)),
    "comments_between_rows": "\n".join([*LINES[:7], "# ward B, checked", *LINES[7:], "# end"]),
    "the_header_again": rows(**PLAIN) + LINES[0] + "\n",
    "endings_twice": rows(image="{}.png.png", **PLAIN),
    "another_kind_of_file": rows(image="{}.nii.gz", **PLAIN),
}


@pytest.mark.parametrize("name", by_turns(list(TABLES), 6))
def test_what_is_around_and_between_the_rows_is_passed_over(name):
    _, frame = drafted(lay(Path("mine"), TABLES[name]))
    assert frame["Effusion"].tolist() == [EFFUSION[stem] for stem in stems(frame)]
    assert len(frame) == 24 and frame["patient"].nunique() == 12


def test_an_index_column_without_a_name_is_no_title():
    indexed = "".join(f"{'' if at == 0 else f'r{at}'},{x}\n" for at, x in enumerate(LINES))
    assert drafted(lay(Path("mine"), indexed))[0]["labels"] == ["Effusion", "Mass"]


def test_a_field_with_a_separator_is_named_with_its_row():
    lay(Path("mine"), "\n".join([*LINES[:5], LINES[5] + ",and more", *LINES[6:]]))
    with pytest.raises(UserError, match="row 6 has 5 fields, the first one 4: put fields that"):
        drafted("mine")


SHEETS = {
    "going_on": ({"Sheet1": CELLS[:13], "Sheet2": [CELLS[0], *CELLS[13:]]}, "patient"),
    "parts": ({"Training": CELLS[:17], "Test": [CELLS[0], *CELLS[17:]]}, "column"),
    "another_table": ({"films": CELLS, "legend": [["code", "word"], ["1", "yes"]]}, "patient"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_sheets_that_go_on_with_the_first_are_read_with_it(name, capsys):
    sheets, split = SHEETS[name]
    workbook(lay(Path("mine"), "", "empty.txt") / "labels.xlsx", sheets)
    entry, frame = drafted("mine")
    assert len(frame) == 24 and entry["split"]["name"] == split
    assert frame["Effusion"].tolist() == list(EFFUSION.values())
    assert "sheet" in capsys.readouterr().out


def test_a_sheet_of_patients_is_joined_and_one_of_another_version_is_a_question():
    people = [["patient", "Effusion"], *([f"p{n:02}", str(n % 2)] for n in range(12))]
    films = [line[:2] for line in CELLS]
    path = lay(Path("mine"), "", "empty.txt") / "labels.xlsx"
    workbook(path, {"films": films, "people": people})
    entry, frame = drafted("mine")
    assert entry["columns"]["join"] == {"file": "labels.xlsx#people", "by": "patient"}
    assert frame["Effusion"].tolist() == list(EFFUSION.values())
    workbook(path, {"old": CELLS, "final": CELLS})
    with pytest.raises(Question, match="labels.xlsx and mine/labels.xlsx#final: each names images"):
        drafted("mine", "--force")
    assert drafted(f"{path}#final", "--force")[0]["columns"]["file"] == "labels.xlsx#final"


FLAGS = ["w_pt", "sex_male", "portable", "AP", "reviewed", "QC passed", "is_female", "inverted"]


def test_columns_that_are_called_like_no_finding_are_no_labels_and_said(capsys):
    lay(Path("mine"), rows(**PLAIN, **dict.fromkeys(FLAGS, mass)))
    assert drafted("mine")[0]["labels"] == ["Effusion", "Mass"]
    assert f"No label, by what they are called: {', '.join(FLAGS)}" in capsys.readouterr().out


def test_flags_alone_are_a_question():
    lay(Path("mine"), rows(patient=patient, male=effusion, portable=word("yes", "no")))
    with pytest.raises(Question, match="called like no finding: say --classes each"):
        drafted("mine")
    assert drafted("mine", "--classes", "each")[0]["labels"] == ["male", "portable"]


@pytest.mark.parametrize(("train", "test"), [("Training", "Testing"), ("train set", "Test Set"),
                                             ("trn", "tst"), ("train", "hold-out")])  # fmt: skip
def test_parts_are_known_in_any_words(train, test):
    lay(Path("mine"), rows(**PLAIN, subset=lambda _, n: test if n > 8 else train))
    entry, frame = drafted("mine")
    assert entry["split"] == {"name": "column"}
    assert frame["split:column"].value_counts().to_dict() == {"train": 18, "test": 6}


def test_names_of_codes_are_the_classes():
    lay(Path("mine"), rows(patient=patient, label=lambda _, n: n % 3))
    Path("mine/legend.txt").write_text("0 well\n1 ill\n2 worse\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["join"]["file"] == "legend.txt"
    assert frame[["well", "ill", "worse"]].sum().tolist() == [8, 8, 8]


LEGENDS = {
    "lines": ("classes.txt", "well\nill\nworse\n"),
    "pairs": ("labels.names", "0: well\n1: ill\n2: worse\n"),
    "pairs_the_other_way": ("class_names.txt", "worse 2\nwell 0\nill 1\n"),
    "a_list": ("class_names.json", '["well", "ill", "worse"]'),
    "names_by_code": ("labels.json", '{"0": "well", "1": "ill", "2": "worse"}'),
    "codes_by_name": ("labels.json", '{"well": 0, "ill": 1, "worse": 2}'),
    "yaml": ("classes.yaml", "nc: 3\nnames: [well, ill, worse]\n"),
}


@pytest.mark.parametrize("name", LEGENDS)
def test_a_legend_names_the_codes_in_whatever_form(name, tmp_path):
    file, text = LEGENDS[name]
    (tmp_path / file).write_text(text)
    named = {"0": "well", "1": "ill", "2": "worse"}
    assert legends.names_of(tmp_path / file, ["0", "1", "2"]) == named


UNFIT = ["well\nill\n", "well\nill\nill\n", "1\n2\n3\n", "0 a\n1 b\n3 c", "", "\0", "x" * 30_000]


@pytest.mark.parametrize("text", UNFIT)
def test_a_legend_that_does_not_fit_names_nothing(text, tmp_path):
    for ending in (".txt", ".json", ".yaml"):
        (tmp_path / f"classes{ending}").write_text(text)
        assert legends.names_of(tmp_path / f"classes{ending}", ["0", "1", "2"]) == {}


@pytest.mark.parametrize("first", [0, 1])
def test_codes_get_their_names_from_a_list_beside_the_table(first, capsys):
    lay(Path("mine"), rows(patient=patient, label=lambda _, n: f"{n % 3 + first}.0"))
    Path("mine/classes.txt").write_text("well\nill\nworse\n")
    Path("mine/README.md").write_text("Films\nof\nward B\n")
    entry, frame = drafted("mine")
    assert entry["labels"] == ["ill", "well", "worse"]
    assert frame["worse"].tolist() == [float(n % 3 == 2) for _, n in PEOPLE]
    said = capsys.readouterr().out
    assert "classes.txt: names the codes in 'label'" in said and "not used: mine/README.md" in said


def test_a_list_of_names_that_does_not_fit_is_said(capsys):
    lay(Path("mine"), rows(patient=patient, label=lambda _, n: n % 3))
    Path("mine/classes.txt").write_text("well\nill\n")
    drafted("mine/labels.csv")
    said = capsys.readouterr().out
    assert "classes.txt: may say what the numbers in 'label' mean" in said


JOINS = {
    "half_of_the_patients": (
        rows(patient=patient),
        ["patient,Effusion", *(f"p{n:02},{n % 2}" for n in range(6))],
        12,
    ),
    "two_names_of_an_id": (
        "id,filename\n" + "".join(f"{at + 40},{x}.png\n" for at, (x, _) in enumerate(PEOPLE)),
        ["image_id,Effusion", *(f"{at + 40},{n % 2}" for at, (_, n) in enumerate(PEOPLE))],
        24,
    ),
}


@pytest.mark.parametrize("name", JOINS)
def test_two_tables_are_joined_and_rows_without_a_partner_are_counted(name, capsys):
    films, others, known = JOINS[name]
    lay(Path("mine"), films)
    Path("mine/truth.csv").write_text("\n".join(others) + "\n")
    _, frame = drafted("mine")
    told = frame[frame["Effusion"].notna()]
    assert len(told) == known
    assert told["Effusion"].tolist() == [EFFUSION[stem] for stem in stems(told)]
    assert ("truth.csv: no row for 12 of 24, by 'patient'" in capsys.readouterr().out) == (
        known == 12
    )


def test_findings_whose_images_stand_in_another_table_are_read():
    lay(
        Path("mine"),
        "id,filename\n" + "".join(f"{at},{x}.png\n" for at, (x, _) in enumerate(PEOPLE)),
    )
    lines = ["id,finding"]
    for at, (_, n) in enumerate(PEOPLE):
        found = ["Effusion"] * (n % 2) + ["Mass"] * (n % 3 == 0)
        lines += [f"{at},{one}" for one in found or ["No Finding"]]
    Path("mine/findings.csv").write_text("\n".join(lines) + "\n")
    entry, frame = drafted("mine")
    assert entry["labels"] == ["Effusion", "Mass"] and len(frame) == 24
    assert frame["Effusion"].tolist() == [EFFUSION[stem] for stem in stems(frame)]


PLACES = [
    ("CXR_p{:02}_{}.png", "p{:02}"),
    ("CXR-{:04}-{}.png", "{}"),
    ("view{1}.pat{0:02}.png", "pat{:02}"),
]


@pytest.mark.parametrize(("place", "one"), PLACES)
def test_an_id_is_found_anywhere_in_the_name(place, one):
    for name, n in PEOPLE:
        film(Path("mine") / place.format(n, name[-1]), n)
    lines = ["patient_id,Effusion", *(f"{one.format(n)},{n % 2}" for n in range(12))]
    Path("mine/people.csv").write_text("\n".join(lines) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "name" and len(frame) == 24
    assert (frame.groupby("patient").size() == 2).all() and frame["Effusion"].sum() == 12
    for image, ill in zip(frame["image"], frame["Effusion"], strict=True):
        assert any(one.format(n) in image and n % 2 == ill for n in range(12))


def test_two_columns_may_name_an_image_together():
    for name, n in PEOPLE:
        film(Path(f"mine/img/p{n:02}/{name[-1]}.png"), n)
    lines = [f"p{n:02},{name[-1]}.png,{n % 2}" for name, n in PEOPLE]
    Path("mine/labels.csv").write_text("\n".join(["folder,file,Effusion", *lines]) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["image"] == "folder/file" and len(frame) == 24
    assert frame["Effusion"].tolist() == [n % 2 for _, n in PEOPLE]
    words = [line[:-1] + ("healthy", "sick")[int(line[-1])] for line in lines]
    Path("mine/labels.csv").write_text("\n".join(["folder,file,diagnosis", *words]) + "\n")
    assert set(drafted("mine", "--force")[0]["labels"]) == {"healthy", "sick"}


@pytest.mark.parametrize("place", ["about/tables/labels.csv", "../lists/labels.csv"])
def test_a_table_some_folders_away_is_found(place):
    (Path("all/mine") / place).parent.mkdir(parents=True)
    lay(Path("all/mine"), rows(**PLAIN, image="{}.png"), place)
    _, frame = drafted("all/mine")
    assert frame["Effusion"].tolist() == list(EFFUSION.values())


def test_a_table_of_another_folders_images_is_not_taken():
    lay(Path("all/other"), rows(**PLAIN))
    lay(Path("all/mine"), "", "empty.txt")
    with pytest.raises(UserError, match="no labels to learn"):
        drafted("all/mine")


def test_a_running_number_is_a_choice(monkeypatch):
    for n in range(24):
        film(Path(f"mine/img/{n + 1:04}.png"), n)
    lines = [f"{at + 1},{24 - at},{KINDS(*PEOPLE[at])}" for at in range(24)]
    Path("mine/labels.csv").write_text("\n".join(["sr_no,number,diagnosis", *lines]) + "\n")
    with pytest.raises(Question, match="could each name the images.*; choose, as --image 'number'"):
        drafted("mine")
    monkeypatch.setattr(questions, "can_answer", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: "2")
    assert drafted("mine")[0]["columns"]["image"] == "number"
    assert drafted("mine", "--force", "--image", "sr_no")[0]["columns"]["image"] == "sr_no"
    [line] = [
        line for line in Path("studies/mine.yaml").read_text().splitlines() if "by num" in line
    ]
    assert "# columns: {file: labels.csv, image: number" in line
    assert line.endswith("# instead: by number, 24 is img/0024.png")


ODD = {
    "sites": (("site_A", "site_B"), "called like sites, not like classes"),
    "qualities": (("good", "poor"), "called like qualities, not like classes"),
    "spellings": (("COVID-19", "covid_19"), "'COVID-19' and 'covid_19' may be one"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_column_of_classes_that_may_be_none_is_a_question(name):
    kinds, said = ODD[name]
    lay(Path("mine"), rows(patient=patient, rating=word(*kinds)))
    with pytest.raises(Question, match=said):
        drafted("mine")
    assert drafted("mine", "--classes", "rating")[0]["labels"] == sorted(kinds)


def test_tables_without_labels_are_all_named():
    lay(Path("mine"), "\n".join(rows(patient=patient).splitlines()[:13]), "covid.csv")
    lay(
        Path("mine"),
        "\n".join(["image,patient", *rows(patient=patient).splitlines()[13:]]),
        "well.csv",
    )
    with pytest.raises(UserError, match="covid.csv and mine/well.csv: each names images, and none"):
        drafted("mine")


@pytest.mark.parametrize("ending", ["png", "PNG"])
def test_an_image_at_the_start_of_a_row_that_is_too_long_is_no_name_of_a_row(ending):
    lay(Path("mine"), rows(**PLAIN), "labels.csv")
    longer = [f"{n}.{ending},{n % 2},x" for n in range(24)]
    Path("mine/labels.csv").write_text("\n".join(["image,Effusion", *longer]) + "\n")
    with pytest.raises(UserError, match="has 3 fields, the first one 2"):
        tables.read_rows(Path("mine/labels.csv"))
