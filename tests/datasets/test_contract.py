"""The contract of every adapter: found by listing the folder, none is named here."""

import importlib
import json
import re
from pathlib import Path

import msgspec
import pytest

from cxrgrid import phantom
from cxrgrid.config.checks import ADAPTERS, adapter_facts, modules
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError

NAMES = modules(ADAPTERS)
FALLBACKS = {"csv", "folder"}  # any layout may be one of these, too
DRAWN = [name for name in NAMES if adapter_facts(name).get("PHANTOM")]
PATIENTS = 24
COLUMNS = {"image", "patient", "study", "view", "sex", "age"}
PARTS = {"train", "trainval", "val", "test"}
TYPES = {"TASK": str, "LABELS": list, "SPLITS": list, "ORIGIN": str, "SOURCE": str}
TYPES |= {"TERMS": str, "CREDENTIALED": bool, "PHANTOM": dict}


def load(name):
    return importlib.import_module(f"cxrgrid.datasets.{name}")


def settings(name):
    """Settings that `index` passes to `read`, for a dataset without settings of its own."""
    plain = msgspec.to_builtins(Dataset(adapter=name))
    return plain | {"dataset": "mine", "labels": adapter_facts(name)["LABELS"] or ["Mass"]}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """A phantom of every adapter that draws one, by the adapter's name."""
    folder = tmp_path_factory.mktemp("layouts")
    for name in DRAWN:
        drawn = json.dumps({"adapter": name, "patients": PATIENTS, "size": 32})
        phantom.main([drawn, "--out", str(folder / name)])
    return {name: folder / name for name in DRAWN}


@pytest.fixture(scope="module")
def frames(layouts):
    return {name: load(name).read(root, settings(name)) for name, root in layouts.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_config_can_read_its_constants(name):
    facts = adapter_facts(name)
    for constant, kind in TYPES.items():
        assert isinstance(facts.get(constant), kind), f"{name}.{constant}: write it literally"
    assert facts["TASK"] in ("multilabel", "multiclass")
    for listed in (facts["LABELS"], facts["SPLITS"]):
        assert len(set(listed)) == len(listed) and all(isinstance(item, str) for item in listed)
    assert "patient" not in facts["SPLITS"], "this names the split that cxrgrid makes"


@pytest.mark.parametrize("name", NAMES)
def test_the_source_is_a_sentence_that_ends_with_what_to_set(name):
    source = adapter_facts(name)["SOURCE"]
    assert re.search(r"\bset datasets\.<name>\.root\b[^.]*(\.\w[^.]*)*$", source), source
    assert "\n" not in source and ". " not in source
    assert not source.endswith("."), "messages go on behind it"


@pytest.mark.parametrize("name", NAMES)
def test_the_origin_names_a_publisher_and_an_address_and_tells_nobody_what_to_do(name):
    """The report says where images are from; what a user sets belongs in error messages."""
    origin = adapter_facts(name)["ORIGIN"]
    if name in FALLBACKS:
        assert origin == "", "only the owner knows"
    else:
        assert re.search(r"\w\.\w+/|on Kaggle|doi\.org", origin) and origin.endswith(".")
    assert not re.search(r"(?i)download|set datasets|\bput\b|ask for", origin)


@pytest.mark.parametrize("name", NAMES)
def test_its_functions_are_there(name):
    module = load(name)
    assert callable(getattr(module, "read", None))
    assert callable(getattr(module, "recognise", None)), (
        f"datasets/{name}.py: add `recognise(root: Path) -> bool`, true for its own layout only, "
        "from a few names: `python -m cxrgrid.new` asks every adapter"
    )
    assert callable(getattr(module, "write", None)) == (name in DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_its_table_is_what_the_contract_says(frames, name):
    frame, labels = frames[name], frames[name].attrs.get("labels", load(name).LABELS)
    lists = {column for column in frame if column.startswith("split:")}
    assert set(frame) >= COLUMNS | set(labels)
    assert lists <= {f"split:{split}" for split in load(name).SPLITS}
    assert frame["image"].is_unique and frame["image"].is_monotonic_increasing
    for column in ("image", "patient", "study"):
        assert frame[column].map(lambda text: isinstance(text, str) and text != "").all(), column
    assert set(frame["sex"].dropna()) <= {"M", "F"}
    assert frame["age"].dropna().between(0, 120).all() and frame["age"].dtype == float
    for label in labels:
        assert frame[label].dtype == float and set(frame[label].dropna()) <= {-1, 0, 1}


@pytest.mark.parametrize("name", DRAWN)
def test_its_images_are_there(frames, layouts, name):
    for image in frames[name]["image"]:
        assert (layouts[name] / image).is_file()
        assert not Path(image).is_absolute() and ".." not in Path(image).parts


@pytest.mark.parametrize("name", DRAWN)
def test_no_patient_stands_on_both_sides_of_a_shipped_list(frames, name):
    frame = frames[name]
    for column in [column for column in frame if column.startswith("split:")]:
        assert set(frame[column].dropna()) <= PARTS
        side = frame[column].replace({"train": "trainval"})
        assert side.groupby(frame["patient"]).nunique().max() <= 1


@pytest.mark.parametrize("name", DRAWN)
def test_rows_are_accounted_for(frames, name):
    frame = frames[name]
    steps = frame.attrs["accounting"]
    assert [set(step) for step in steps] == [{"step", "images", "patients"}] * len(steps)
    counts = [step["images"] for step in steps]
    assert counts == sorted(counts, reverse=True) and counts[-1] == len(frame)
    assert steps[-1]["patients"] == frame["patient"].nunique()
    assert all(isinstance(note, str) and "\n" not in note for note in frame.attrs["notes"])


@pytest.mark.parametrize("name", NAMES)
def test_it_recognises_its_own_layout_only(layouts, tmp_path, name):
    recognise = getattr(load(name), "recognise", None)
    assert recognise, f"datasets/{name}.py has no recognise(root)"
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").touch()
    assert recognise(tmp_path) is False
    if name not in FALLBACKS:
        taken = [other for other, root in layouts.items() if recognise(root)]
        assert taken == ([name] if name in DRAWN else [])


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize("name", NAMES)
def test_without_its_files_it_says_where_to_get_them(tmp_path, name, there):
    root = tmp_path if there else tmp_path / "gone"
    with pytest.raises(UserError, match=r"datasets\.\S+\.root") as error:
        load(name).read(root, settings(name))
    assert str(root) in str(error.value) and "\n" not in str(error.value)
