"""Data that changed on disk: what rests on them is said, and what is cheap is read again."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrgrid.cluster import changed_data
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.rules import Rules
from cxrgrid.config.steps import read_step
from cxrgrid.io import seen

CONFIG = {
    "study": "s",
    "datasets": {
        name: {"adapter": "csv", "root": name, "labels": ["Mass"]} for name in ("mine", "other")
    },
    "weights": {"theirs": {"dataset": "mine"}},
    "recipes": {"alone": {}, "joint": {"train_on": ["own", "others"]}},
    "grid": [
        {"datasets": ["mine", "other"], "backbones": ["resnet10t"], "recipes": ["alone"]},
        {"datasets": ["other"], "backbones": ["resnet10t"], "recipes": ["joint"]},
        {"datasets": ["other"], "backbones": ["resnet10t"], "inits": ["theirs"]},
    ],
}


@pytest.fixture
def prepared(tmp_path, monkeypatch) -> Path:
    """A table that was read, and 2 of whose 3 rows were then corrected."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "other"):
        table = Path(f"{name}/labels.csv")
        table.parent.mkdir()
        table.write_text("image,Mass\na,1\nb,0\nc,0\n")
        index = Path(f"results/data/{name}/index.parquet")
        index.parent.mkdir(parents=True)
        index.touch()
        seen.record(index.parent, Path(name), [table], [])
    Path("mine/labels.csv").write_text("image,Mass\na,0\nb,1\nc,0\n")
    return tmp_path


def looked(capsys, main=True, **words) -> tuple[str, set[str]]:
    """Words of a plan, and the datasets that it reads again."""
    workflow = SimpleNamespace(is_main_process=main)
    found = changed_data.look_for_changes(workflow, Grid(CONFIG | words))
    return capsys.readouterr().err, found


def train(*cells: str, file="model.safetensors", study="s") -> None:
    """Begin or end some cells."""
    for cell in cells:
        path = Path(f"results/{study}/cells/{cell}/{file}")
        path.parent.mkdir(parents=True)
        path.touch()


MINE = "mine/resnet10t/scratch/alone/seed0"
RESTING = [
    (MINE,),
    ("other/resnet10t/scratch/joint/seed0",),
    ("other/resnet10t/theirs/default/seed0",),
    (MINE, "other/resnet10t/scratch/joint/seed0"),
]


def test_data_on_which_nothing_was_trained_are_read_again(prepared, capsys):
    said, again = looked(capsys)
    assert said == (
        "warning: since mine was prepared, labels.csv has changed: 2 rows. No cell has been "
        "trained on it: it is read again\n"
    )
    assert again == {"mine"}
    Path("mine/labels.csv").write_text("image,Mass\na,1\nb,0\nc,0\n")
    assert looked(capsys) == ("", set())


@pytest.mark.parametrize("cells", RESTING)
def test_what_was_trained_asks_for_a_word(prepared, capsys, cells):
    """Also what pools the dataset, or starts from a cell of it."""
    train(*cells)
    number = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
    said, again = looked(capsys)
    assert f"2 rows; {number} would train again." in said and "--config reread=mine" in said
    assert not again
    for word in ("mine", "all", ["mine"], "other,mine"):
        said, again = looked(capsys, reread=word)
        assert f"It is read again: {number} train again" in said and "mine" in again


def test_data_that_were_moved_away_are_said_and_not_read_again(prepared, capsys):
    train(MINE)
    Path("mine").rename("archive")
    said, again = looked(capsys)
    assert said.startswith("warning: mine is no longer there") and not again
    assert "what was prepared from it in results/data/mine is used" in said


def test_cells_on_other_data_are_no_reason_to_ask(prepared, capsys):
    train("other/resnet10t/scratch/alone/seed0")
    assert looked(capsys)[1] == {"mine"}


def test_a_training_that_has_begun_and_other_studies_count(prepared, capsys):
    train(MINE, file="state.pt")
    train(f"{MINE}/fold1", "mine/x/scratch/default/seed1", study="t")
    said, again = looked(capsys)
    assert "1 cell and 2 of other studies would train again" in said and not again


def test_nothing_is_read_again_against_the_users_word(prepared, capsys):
    said, again = looked(capsys, reread="none")
    assert "it is not read again (--config reread=mine)" in said and not again


def test_a_word_acts_on_what_has_changed_alone(prepared, capsys):
    """So that the same command goes on after a stop, instead of beginning anew."""
    said, again = looked(capsys, reread="other")
    assert "reread: other is as it was; to read it all the same: -R results/data/other/" in said
    assert not again


def test_jobs_and_reports_of_a_failed_run_do_not_look(prepared, capsys):
    assert looked(capsys, main=False) == ("", set())
    assert looked(capsys, incomplete=True) == ("", set())


@pytest.mark.parametrize("word", ["mien", 3, ["mine", 1], True, {"a": 1}])
def test_a_word_that_is_none_is_named(word):
    with pytest.raises(UserError, match="^reread: "):
        Grid(CONFIG | {"reread": word})


def test_the_word_is_no_setting_of_the_study():
    assert Grid(CONFIG | {"reread": "mine"}).to_json() == Grid(CONFIG).to_json()


def test_what_is_read_again_has_another_text_of_the_same_settings_and_keeps_it():
    """Snakemake compares texts; cxrgrid what they say."""
    grid, index = Grid(CONFIG), SimpleNamespace(dataset="mine")
    usual = Rules(grid, lambda path: []).index(index)
    for recorded in (usual, f"{usual} "):
        again = Rules(grid, lambda path, text=recorded: [text], changed={"mine"}).index(index)
        assert again != recorded and read_step("index", again) == read_step("index", usual)
        assert Rules(grid, lambda path, text=again: [text]).index(index) == again
