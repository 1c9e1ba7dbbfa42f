"""Folders that come to a dataset are noticed, and files that hold no image are not."""

import pytest

from cxrgrid.io import seen


def prepared(root, paths, out):
    """A record of a dataset in folders of folders."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
    out.mkdir(exist_ok=True)
    seen.record(out, root, [], paths)
    return lambda: seen.changes(out)[1]


@pytest.fixture
def classes(tmp_path):
    paths = [f"{kind}/p{n}{kind}/1.png" for kind in ("ill", "well") for n in range(3)]
    return tmp_path / "mine", prepared(tmp_path / "mine", paths, tmp_path / "out")


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("ill/p9/1.png", "the folder ill holds 4 folders, not 3"),
        ("odd/p9/1.png", "the folder mine holds 3 folders, not 2"),
        ("ill/p1ill/2.png", "the folder p1ill holds 2 files, not 1"),
        ("read me.txt", ""),
        ("ill/notes.txt", ""),
    ],
)
def test_a_new_patient_or_class_is_a_folder_more(classes, new, said):
    root, changes = classes
    assert changes() == []
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / new).write_bytes(b"x")
    assert changes() == [said] * bool(said)


def test_each_of_many_folders_is_looked_at(tmp_path):
    paths = [f"p{n}/1.png" for n in range(seen.FOLDERS + 50)]
    changes = prepared(tmp_path / "mine", paths, tmp_path / "out")
    for number in (1, 175, seen.FOLDERS + 49):
        more = tmp_path / f"mine/p{number}/2.png"
        more.write_bytes(b"x")
        assert changes() == [f"the folder p{number} holds 2 files, not 1"]
        more.unlink()


def test_results_that_are_made_in_the_dataset_folder_are_no_new_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes = prepared(tmp_path, ["img/1.png"], tmp_path / "results")
    (tmp_path / "studies").mkdir()
    assert changes() == []


def test_a_table_in_another_order_has_no_changed_row(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_bytes(b"image,Mass\na,1\nb,0\n")
    seen.record(tmp_path, tmp_path, [table], [])
    table.write_bytes(b"image,Mass\r\nb,0\r\na,1\r\n")
    [said] = seen.changes(tmp_path)[1]
    assert said == "labels.csv has changed, but no row has: only their order, or line ends"
