"""Faults of a config file are one line with the file and the line where it is."""

import pytest

from cxrgrid.config import config_file
from cxrgrid.config.errors import UserError
from demo_config import ROOT

STUDY = b"study: x\nrecipes:\n  default:\n    lr: 1\ngrid:\n  seeds: [0, 7]\n"
FAULTS = {
    "a tab": (b"a:\n\tb: 1\n", "line 2: begins with a tab"),
    "a tab below": (b"a:\n  b:\n    c: 1\n\t d: 2\n", "line 4: begins with a tab"),
    "a key twice": (b"a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", "line 5: a second 'c', after line 3"),
    "a key twice in braces": (b"a: {b: 1, b: 2}\n", "line 1: a second 'b'"),
    "Latin-1": ("a: 1\nb: Thür\n".encode("latin-1"), "line 2: not UTF-8"),
    "UTF-16": ("a: 1\n".encode("utf-16"), "line 1: not UTF-8"),
    "empty": (b"", "is empty"),
    "comments alone": (b"# a: 1\n\n", "is empty"),
    "a list": (b"# x\n- a\n", "line 2: no settings (name: value) but a list"),
    "a text": (b"resnet\n", "the text 'resnet'"),
    "an anchor in itself": (b"a:\n  b: &x\n    c: *x\n", "line 2: an anchor (&)"),
    "an open list": (b"a: 1\nb: [c,\n  d\n", "line 2: a list or a {"),
    "a colon": (b"a: 1\ntitle: Does it: help?\n", "line 2: a second `: `"),
    "an alias of nothing": (b"a: *b\n", "line 1: `*` refers to an anchor"),
    "an at sign": (b"a: 1\nb: @c\n", "line 2: @, `, %"),
    "indentation": (b"a:\n    b: 1\n  c: 2\n", "line 3: the indentation"),
    "a control character": (b"a: 1\nb: \x00\n", "line 2: a character that YAML does not allow"),
    "two documents": (b"a: 1\n---\nb: 1\n", "line 2: a second document"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_line(tmp_path, name):
    text, said = FAULTS[name]
    path = tmp_path / "study.yaml"
    path.write_bytes(text)
    with pytest.raises(UserError) as error:
        config_file.check([path])
    assert str(error.value).startswith(f"{path}")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_names_the_nearest_one(tmp_path):
    (tmp_path / "kermany.yaml").touch()
    assert "did you mean 'kermany.yaml'?" in config_file.fault(tmp_path / "kermani.yaml")
    assert "no folder" in config_file.fault(tmp_path / "studdies/a.yaml")


def test_our_own_studies_and_what_yaml_may_say_are_no_faults(tmp_path):
    for path in (ROOT / "config.yaml", *(ROOT / "studies").glob("*.yaml")):
        assert config_file.fault(path) == ""
    fine = {
        "json": '{\n\t"a": 1,\n\t"b": [1]\n}\n',
        "merged": "a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: {<<: *x, <<: *x}\n",
        "alike": "a: 1\n'1': 2\n1: 3\n",
        "used twice": "a: &x [1]\nb: [*x, *x]\n",
        "mark": "\ufeffa: 1\n",
    }
    for name, text in fine.items():
        (tmp_path / name).write_text(text)
        assert config_file.fault(tmp_path / name) == "", name


def test_aliases_of_aliases_are_looked_through_once(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (tmp_path / "study.yaml").write_text("\n".join(lines))
    assert config_file.fault(tmp_path / "study.yaml") == ""
    said = config_file.located("a11: no column 'gone'", [tmp_path / "study.yaml"])
    assert said.endswith("study.yaml, line 12: a11: no column 'gone'")


PLACES = {
    "recipes.default.lr: too high": 4,
    "config.recipes.default.lr: too high": 4,
    "recipes.default: is empty": 3,
    "grid.seeds[1]: twice": 6,
    "config: no setting 'grid'; did you mean": 5,
    "recipes: no setting 'default'; known": 3,
    "grid.seeds: no seed '7'; known": 6,
    "cell a/b/c: of no line": None,
    "nowhere.at.all: of no line": None,
}


@pytest.mark.parametrize("message", PLACES)
def test_a_mistake_is_found_in_the_file(tmp_path, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_bytes(STUDY)
    (tmp_path / "more.yaml").write_text("title: more\n")
    line = PLACES[message]
    said = f"study.yaml, line {line}: {message}" if line else message
    assert config_file.located(message, ["study.yaml", "more.yaml", "gone.yaml"]) == said


ADAPTED = b"""datasets:
  mine:
    columns: {file: labels.csv, image: img}
    labels: &all
      - Effusion
      - Cat's paw
grid: {labels: *all}
"""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("data/labels.csv: no column 'Effusion'; did you mean 'effusion'?", 5),
        ('data/labels.csv: no column "Cat\'s paw"; its columns: a, b', 6),
        ("data/labels.csv: no column 'img'; did you mean 'image'?", 3),
        ("data/labels.csv: a label 'Effusion': cxrgrid has a column of this name; rename it", 5),
        ("data/labels.csv: no column 'age'; its columns: a, b", 2),
        ("data/labels.csv: line 7, column 'Effusion': 'no' is no label", 2),
    ],
)
def test_a_label_that_a_table_lacks_is_told_at_its_own_line(tmp_path, said, line, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_bytes(ADAPTED)
    found = config_file.located(f"datasets.mine: {said}", ["study.yaml"])
    assert found == f"study.yaml, line {line}: datasets.mine: {said}"


def test_names_with_dots_and_the_later_file_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("recipes:\n  v1.2.x: {lr: 1}\n")
    (tmp_path / "b.yaml").write_text("\n\nrecipes: {v1.2.x: {lr: -1}}\n")
    message = "recipes.v1.2.x.lr: expected a number"
    assert config_file.located(message, ["b.yaml", "a.yaml"]).startswith("a.yaml, line 2")
    assert config_file.located(message, ["a.yaml", "b.yaml"]).startswith("b.yaml, line 3")


def test_a_target_behind_the_config_files_is_told_how_it_is_asked_for(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_bytes(STUDY)
    for word in ("report", "results/tiny/report/metrics.csv", str(tmp_path)):
        with pytest.raises(UserError) as error:
            config_file.check([study, word])
        assert str(error.value).endswith(f"snakemake --configfile {study} -- {word}")
    for files in ([study, "other.yaml"], ["report", study]):  # a config's name, mistyped
        with pytest.raises(UserError) as error:
            config_file.check(files)
        assert "what you want to make" not in str(error.value)
