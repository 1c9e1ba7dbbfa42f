"""A cell on another dataset: the same bits as its own predictions, in the labels both know."""

import numpy as np
import pytest

from cxrgrid import predict
from cxrgrid.config.errors import UserError
from cxrgrid.io.parquet import read_parquet, write_parquet
from test_train import make_cell, make_data, run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A cell that turns its images, and its data."""
    folder = tmp_path_factory.mktemp("cell")
    data = make_data(folder / "toy")
    return run(make_cell(epochs=2, rotate=10, channels_last=True), data, folder / "out"), data


def predicted(cell, data, out, *more):
    predict.main([str(cell), "--data", str(data), "--out", str(out), *more])
    table, facts = read_parquet(out)
    return table.to_pandas(), facts


def renamed(source, folder, names, labels):
    """The dataset with other names for its labels, in another order."""
    table, facts = read_parquet(source / "table.parquet")
    table = table.rename_columns([names.get(name, name) for name in table.column_names])
    facts |= {"labels": labels, "dataset": "other", "split_hash": "theirs"}
    write_parquet(table, folder / "table.parquet", facts)
    np.save(folder / "pixels.npy", np.load(source / "pixels.npy"))
    return folder


@pytest.mark.parametrize(("part", "name"), [("test", "toy"), ("val", "val")])
def test_on_its_own_images_it_says_what_the_trainer_wrote(trained, tmp_path, part, name):
    cell, data = trained
    found, facts = predicted(cell, data, tmp_path / "p.parquet", "--part", part)
    own, of_trainer = read_parquet(cell / f"predictions/{name}.parquet")
    assert found.equals(own.to_pandas())
    shared = {"part", "task", "labels", "split", "split_hash", "backbone", "seed"}
    assert {key: facts[key] for key in shared} == {key: of_trainer[key] for key in shared}


def test_only_shared_labels_by_name_in_the_order_of_the_target(trained, tmp_path):
    cell, data = trained
    both = renamed(data, tmp_path / "both", {"A": "B", "B": "A"}, ["B", "A"])
    found, facts = predicted(cell, both, tmp_path / "p.parquet")
    own = read_parquet(cell / "predictions/toy.parquet")[0].to_pandas()
    assert facts["labels"] == ["B", "A"] and facts["target"] == "other"
    assert facts["dataset"] == "toy" and facts["split_hash"] == "theirs"
    # Truth is the target's, which has swapped the names; what the model says is by its own names.
    assert list(found.columns[2:]) == ["y:B", "p:B", "z:B", "y:A", "p:A", "z:A"]
    np.testing.assert_array_equal(found["y:B"], own["y:A"])
    np.testing.assert_array_equal(found["p:B"], own["p:B"])
    one = renamed(data, tmp_path / "one", {"A": "C"}, ["C", "B"])
    assert predicted(cell, one, tmp_path / "q.parquet")[1]["labels"] == ["B"]


def test_a_label_of_another_name_is_asked_for_by_the_cells_own(trained, tmp_path):
    cell, data = trained
    other = renamed(data, tmp_path / "other", {"A": "a"}, ["a", "B"])
    found, facts = predicted(cell, other, tmp_path / "p.parquet", "--same", '{"a": "A", "B": "B"}')
    own = read_parquet(cell / "predictions/toy.parquet")[0].to_pandas()
    assert facts["labels"] == ["a", "B"] and facts["same"] == {"a": "A"}
    for column, of_own in {"y:a": "y:A", "p:a": "p:A", "p:B": "p:B"}.items():
        np.testing.assert_array_equal(found[column], own[of_own])
    # What is told is all that is shared: a name left out is another finding.
    only = predicted(cell, other, tmp_path / "q.parquet", "--same", '{"a": "A"}')[1]
    assert (
        only["labels"] == ["a"] and "same" not in predicted(cell, data, tmp_path / "r.parquet")[1]
    )


def test_what_the_recipe_says_of_images_is_asked_for_instead_of_the_targets_own(trained, tmp_path):
    cell, data = trained
    other = renamed(data, tmp_path / "other", {}, ["A", "B"])
    table, facts = read_parquet(other / "table.parquet")
    facts["image"] = facts["image"] | {"equalize": "clahe"}
    write_parquet(table, other / "table.parquet", facts)
    np.save(other / "pixels-equalize-none.npy", np.load(data / "pixels.npy"))
    said = facts["image"] | {"equalize": "none"}
    write_parquet({"image": []}, other / "pixels-equalize-none.parquet", said)
    np.save(other / "pixels.npy", 255 - np.load(data / "pixels.npy"))
    asked = predicted(cell, other, tmp_path / "p.parquet", "--image", '{"equalize": "none"}')[0]
    own = read_parquet(cell / "predictions/toy.parquet")[0].to_pandas()
    assert asked.equals(own)
    assert not predicted(cell, other, tmp_path / "q.parquet")[0].equals(own)
    with pytest.raises(SystemExit):
        predicted(cell, other, tmp_path / "p.parquet", "--image", '{"equalize": "some"}')


def test_publishers_names_are_known_without_being_told():
    ours = {"task": "multilabel", "labels": ["Effusion", "Edema"]}
    theirs = {"task": "multilabel", "labels": ["pleural effusion", "pulmonary edema"]}
    assert predict.common(ours, theirs, "x")[0] == {"pleural effusion": "Effusion"}


def test_without_a_shared_label_it_is_one_line(trained, tmp_path):
    cell, data = trained
    other = renamed(data, tmp_path / "other", {"A": "C", "B": "D"}, ["C", "D"])
    with pytest.raises(UserError, match="shares no label with the cell's A, B"):
        predicted(cell, other, tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("ours", "theirs", "task"),
    [
        (("multiclass", ["A", "B"]), ("multiclass", ["B", "A"]), "multiclass"),
        (("multiclass", ["A", "B"]), ("multiclass", ["B", "C"]), "multilabel"),
        (("multilabel", ["A", "B"]), ("multiclass", ["A", "B"]), "multilabel"),
    ],
)
def test_classes_compete_only_where_they_are_the_same(ours, theirs, task):
    sides = [dict(zip(("task", "labels"), side, strict=True)) for side in (ours, theirs)]
    assert predict.common(*sides, "x")[1] == task


def test_augmented_draws_are_averaged_and_repeat_exactly(trained, tmp_path):
    cell, data = trained
    plain, _ = predicted(cell, data, tmp_path / "0.parquet")
    one, facts = predicted(cell, data, tmp_path / "1.parquet", "--tta", "1")
    two, again = (predicted(cell, data, tmp_path / "2.parquet", "--tta", "2")[0] for _ in "ab")
    assert facts["tta"] == 1 and two.equals(again)
    scores = [frame["p:A"].to_numpy() for frame in (plain, one, two)]
    assert (scores[0] != scores[1]).all() and (scores[1] != scores[2]).all()
    second = 2 * scores[2] - scores[1]  # the mean of two draws, the first of which is known
    assert ((second > 0) & (second < 1)).all()


def test_draws_of_no_augmentation_are_refused(tmp_path):
    data = make_data(tmp_path / "toy")
    cell = run(make_cell(epochs=1), data, tmp_path / "out")
    with pytest.raises(UserError, match="no augmentation to draw from"):
        predicted(cell, data, tmp_path / "p.parquet", "--tta", "4")
