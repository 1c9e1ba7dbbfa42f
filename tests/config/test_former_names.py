"""Cells that have finished do not train again because a line moved or a number is spelt anew."""

from pathlib import Path

import msgspec
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from demo_config import DEMO

LISTS = {"epochs": 2, "lr": [0.001, 0.01], "train_share": [1, 0.5], "image": {"size": ["48x32"]}}
BOTH = "default-lr0.01-train_share0.5"


MOVED = {"epochs": 2, "train_share": [1, 0.5], "lr": [0.001, 0.01], "image": LISTS["image"]}


def grid(settings=LISTS, **changes) -> Grid:
    """The demo's ward with a recipe's lists."""
    axes = {"datasets": ["ward"], "backbones": ["resnet10t"], "inits": ["scratch"], "seeds": [0]}
    recipes = {"default": settings | changes, "source": {}}
    return Grid(DEMO | {"recipes": recipes, "grid": DEMO["grid"] | axes})


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """All cells of the study as it stood, finished."""
    monkeypatch.chdir(tmp_path)
    study = grid()
    for cell in study.cells:
        folder = Path(study.folder(cell))
        (folder / "predictions").mkdir(parents=True)
        (folder / "cell.json").write_bytes(msgspec.json.encode(cell))
        for name in ("val", "ward"):
            (folder / f"predictions/{name}.parquet").touch()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (MOVED, f"default-train_share0.5-lr0.01 has been trained as {BOTH}"),
        (LISTS | {"lr": [0.001, "1e-2"]}, "default-lr1e-2 has been trained as default-lr0.01;"),
        (LISTS | {"lr": ["1e-3", "1e-2"]}, "default-lr1e-2 has been trained as default-lr0.01;"),
    ],
)
def test_a_level_that_has_finished_under_another_name_is_one_line(trained, settings, name):
    with pytest.raises(UserError, match=f"recipes.default: .*{name}") as error:
        grid(settings).check_files()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("lr", "name"),
    [
        (
            [0.0001, 0.001, 0.01],
            "default-lr0.001 has been trained as default; put the levels first",
        ),
        ([0.01, 0.001], "default has been trained as default-lr0.01; put the levels first"),
        (0.01, "default has been trained as default-lr0.01; put the levels first"),
    ],
)
def test_another_base_does_not_train_over_finished_results_in_silence(trained, lr, name):
    with pytest.raises(UserError, match=f"recipes.default: {name}.* or give the recipe another"):
        grid(lr=lr).check_files()


def test_the_datasets_own_policy_written_out_trains_nothing_again(trained):
    with pytest.raises(UserError, match='default has been trained with uncertain: "", which is'):
        grid(uncertain=["ignore", "one"]).check_files()
    grid(uncertain=["", "one"]).check_files()
    grid(uncertain=["zero", "one"]).check_files()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lr": [0.001, 0.01, 0.1]},
        {"train_share": [1, "0.5"]},
        {"lr": [0.001, "1e-2"], "epochs": 3},
    ],
)
def test_a_name_that_stays_and_a_changed_setting_pass(trained, changes):
    grid(**changes).check_files()


def test_what_was_killed_before_its_end_is_not_called_trained(trained):
    for path in Path("results").rglob("predictions/val.parquet"):
        path.unlink()
    grid(uncertain=["ignore", "one"]).check_files()
