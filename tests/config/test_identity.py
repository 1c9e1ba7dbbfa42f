"""Settings are the same if they say the same once their defaults are filled in."""

import json
from pathlib import Path

import msgspec
import pytest

from cxrgrid.config import identity, preparation, steps
from cxrgrid.config.cell import Cell
from cxrgrid.config.dataset import Dataset, Sample
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.recipe import Recipe
from demo_config import DEMO, replaced

AXES = {"study": "s", "dataset": "d", "backbone": "b", "init": "i", "recipe": "r", "seed": 0}
SETTINGS = {
    "train": Cell(**AXES, lr=0.1, weights="w.safetensors"),
    "phantom": steps.step("phantom", preparation.Phantom(patients=9), adapter="nih"),
    "index": steps.indexing("d", Dataset(adapter="csv", view=("PA",)), "data"),
    "pixels": steps.step("pixels", preparation.Image(size=64), unreadable=0.5),
    "split": steps.step("split", preparation.Split(name="image")),
}
# Whose defaults change what a command makes.
MAKES = {Recipe: "train", preparation.Phantom: "phantom", Dataset: "index", Sample: "index"}
MAKES |= {preparation.Columns: "index", preparation.Join: "index", preparation.Image: "pixels"}
MAKES |= {preparation.Split: "split", preparation.Lists: "split"}
# Defaults, and the commands' numbers, as they were when these were declared last.
KNOWN = json.loads(Path(__file__).with_name("defaults.json").read_text())


@pytest.mark.parametrize("command", identity.RESULTS)
def test_a_setting_more_is_the_same_identity(command):
    settings = SETTINGS[command]
    more = [("newthing", list[int], msgspec.field(default_factory=list))]
    kind = msgspec.defstruct("Later", more, bases=(type(settings),), kw_only=True)
    later = kind(**msgspec.structs.asdict(settings))
    assert identity.identity(later) == identity.identity(settings)
    assert identity.same(identity.identity(settings), later)
    used = msgspec.structs.replace(later, newthing=[1])
    assert not identity.same(identity.identity(settings), used)
    assert identity.changed(used) == identity.changed(settings) | {"newthing": [1]}


@pytest.mark.parametrize("command", identity.RESULTS)
def test_a_recorded_text_of_the_same_settings_is_used_again(command):
    settings = SETTINGS[command]
    whole = msgspec.json.encode(settings).decode()
    turned = json.dumps(dict(reversed(json.loads(whole).items())))
    short = identity.identity(settings)
    assert len({whole, turned, short}) == 3
    for text in (whole, turned, short):
        assert identity.command_text(settings, ["other", text]) == text
        assert f"{identity.command_text(settings, [text])}" == short, "what a command gets"
    assert identity.command_text(settings, []) == short
    for text in ("", "{}", "[]", "youden", whole.replace('"results":1', '"results":2')):
        assert identity.command_text(settings, [text]) == short


def test_a_record_made_under_a_former_default_is_of_the_default_of_now():
    cell = SETTINGS["train"]
    early = msgspec.to_builtins(cell) | {"amp": False}
    early.pop("deterministic")  # as versions wrote that knew neither this nor amp: auto
    assert identity.same(json.dumps(early), cell)
    assert not identity.same(json.dumps(early | {"amp": True}), cell)
    assert identity.same(json.dumps(early | {"amp": True}), msgspec.structs.replace(cell, amp=True))
    # What is said by word since then counts.
    off = msgspec.structs.replace(cell, amp=False)
    assert not identity.same(identity.identity(off), cell)
    assert not identity.same(json.dumps(msgspec.to_builtins(off)), cell)


def test_required_settings_come_first_and_settings_within_settings_are_shortened_too():
    columns = preparation.Columns(patient="id")
    dataset = Dataset(adapter="csv", columns=columns, sample=Sample(n={"a": 3}), age=(18, 60))
    assert identity.identity(steps.indexing("d", dataset, "data")) == (
        '{"adapter": "csv", "dataset": "d", "root": "data", "columns": {"patient": "id"}, '
        '"age": [18, 60], "sample": {"n": {"a": 3}}}'
    )
    assert list(identity.changed(SETTINGS["train"])) == [*AXES, "lr", "weights"]


def test_a_raised_number_is_another_identity(tmp_path, monkeypatch):
    before = Grid(DEMO).cells[0]
    made = tmp_path / "predictions"
    made.mkdir()
    for name in ("val", before.dataset):
        (made / f"{name}.parquet").touch()
    old = {k: v for k, v in msgspec.to_builtins(before).items() if k != "results"}
    (tmp_path / "cell.json").write_text(json.dumps(old))
    assert finished(tmp_path, before)
    for name, (value, since) in identity.FORMER.items():  # written when that was the default
        former = {key: kept for key, kept in old.items() if key != since} | {name: value}
        (tmp_path / "cell.json").write_text(json.dumps(former))
        assert finished(tmp_path, before)
    assert not finished(tmp_path, Grid(replaced(DEMO, "recipes.default.lr", 0.5)).cells[0])
    for command in identity.RESULTS:
        monkeypatch.setitem(identity.RESULTS, command, 2)
    assert not finished(tmp_path, Grid(DEMO).cells[0])
    assert steps.step("split", preparation.Split()) != steps.Dividing()
    assert identity.identity(steps.step("split", preparation.Split())) == '{"results": 2}'


def values(kind: type[msgspec.Struct]) -> dict:
    """The defaults of a struct, as JSON holds them; those that are structs have their own."""
    found = identity.defaults(kind).items()
    plain = {k: v for k, v in found if not isinstance(v, msgspec.Struct)}
    wanted = {k: v for k, v in plain.items() if v is not msgspec.NODEFAULT}
    return json.loads(msgspec.json.encode(wanted))


@pytest.mark.parametrize("kind", MAKES, ids=lambda kind: kind.__name__)
def test_a_default_that_changes_is_declared(kind):
    command, known = MAKES[kind], KNOWN["defaults"][kind.__name__]
    now = values(kind)
    assert set(now) == set(known), "write new settings into tests/config/defaults.json"
    changed = [name for name in known if now[name] != known[name]]
    assert not changed or identity.RESULTS[command] > KNOWN["results"][command], (
        f"{changed}: raise RESULTS[{command!r}] in config/identity.py, then write the new defaults "
        "and numbers into tests/config/defaults.json"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nam": "x"}', '{"results": "x"}', "{}}"])
def test_settings_that_cannot_be_read_are_one_line(text):
    with pytest.raises(UserError) as error:
        steps.read_step("split", text)
    assert str(error.value).startswith("split") and "\n" not in str(error.value)
