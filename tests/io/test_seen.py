"""Data that changed on disk after they were read are noticed; a copy of the same is not."""

import gzip
import json
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from cxrgrid import index, pixels
from cxrgrid.io import seen
from cxrgrid.io.parquet import read_parquet

COLUMNS = {"file": "labels.csv", "image": "image", "patient": "patient"}
SETTINGS = {"adapter": "csv", "dataset": "mine", "root": "mine", "labels": ["Mass"]}
AGAIN = [json.dumps(SETTINGS | {"columns": COLUMNS}), "--out", "results/data/mine/index.parquet"]
ROWS = [f"img/{n}.png,p{n},{n % 2}" for n in range(12)]


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A table and its images, as `index` has read them."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mine"
    (root / "img").mkdir(parents=True)
    for n in range(12):
        Image.fromarray(np.full((16, 16), n, np.uint8)).save(root / f"img/{n}.png")
    (root / "labels.csv").write_text("\n".join(["image,patient,Mass", *ROWS]) + "\n")
    (root / "notes.csv").write_text("not,used\n")
    index.main(AGAIN)
    return Path("mine")


def changes():
    root, said = seen.changes(Path("results/data/mine"))
    assert root == "mine"
    return said


def correct(root):
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace("p3,1", "p3,0"))


def add_rows(root):
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text + "img/1.png,p1,1\nimg/2.png,p2,0\n")


def replace(root):
    Image.fromarray(np.full((16, 16), 99, np.uint8)).save(root / "img/4.png")


def overwrite(root):
    data = bytearray((root / "img/5.png").read_bytes())
    data[-20] ^= 1
    with (root / "img/5.png").open("r+b") as file:  # in place: no folder has another time
        file.write(data)


def fresh(root):
    shutil.copytree(root, "copy")  # other times, the same bytes
    shutil.rmtree(root)
    shutil.move("copy", root)
    for path in root.rglob("*"):
        os.utime(path)


REAL = {
    "labels_corrected": (correct, ["labels.csv has changed: 1 row"]),
    "rows_added": (add_rows, ["labels.csv has changed: 2 rows"]),
    "table_gone": (lambda root: (root / "labels.csv").unlink(), ["labels.csv is gone"]),
    "image_replaced": (replace, ["1 of 12 images has changed"]),
    "image_overwritten": (overwrite, ["1 of 12 images has changed"]),
    "image_removed": (
        lambda root: (root / "img/4.png").unlink(),
        ["1 of 12 images is gone", "the folder img holds 11 files, not 12"],
    ),
    "image_added": (
        lambda root: shutil.copy(root / "img/4.png", root / "img/new.png"),
        ["the folder img holds 13 files, not 12"],
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_what_changed_is_said(prepared, name):
    assert changes() == []
    change, said = REAL[name]
    change(prepared)
    assert changes() == said


UNREAL = {
    "touched": lambda root: os.utime(root / "labels.csv"),
    "copied": fresh,
    "another_table": lambda root: (root / "notes.csv").write_text("more\n"),
    "moved_away": lambda root: shutil.move(root, "elsewhere"),
}


@pytest.mark.parametrize("name", UNREAL)
def test_what_did_not_change_is_not_said(prepared, name):
    UNREAL[name](prepared)
    assert changes() == []


GONE = {
    "root": ("mine", "elsewhere", "mine is no longer there, but in elsewhere"),
    "images": (
        "mine/img",
        "mine/films",
        "the images of mine are no longer there, but in mine/films",
    ),
    "far": ("mine", "deep/er/mine", "mine is no longer there"),
}


@pytest.mark.parametrize("name", GONE)
def test_images_that_were_moved_are_said_with_their_place(prepared, name, tmp_path):
    assert seen.moved(Path("results/data/mine")) == ""
    given, place, said = GONE[name]
    (tmp_path / "deep/er").mkdir(parents=True)
    shutil.move(given, tmp_path / place)
    assert seen.moved(Path("results/data/mine")) == said


def test_data_prepared_before_say_nothing(tmp_path):
    assert seen.changes(tmp_path) == ("", [])


def test_a_record_of_a_version_before_is_still_read(prepared):
    """It has 100 images at most, in the file itself, and no lines of tables."""
    folder = Path("results/data/mine")
    more, known = seen.read(folder / seen.MORE), json.loads((folder / seen.NAME).read_text())
    known["images"] = dict(list(more.images.items())[:8])
    (folder / seen.NAME).write_text(json.dumps(known))
    (folder / seen.MORE).unlink()
    assert changes() == []
    correct(prepared)
    replace(prepared)
    assert changes() == ["labels.csv has changed", "1 of 8 images has changed"]


def test_images_without_a_checksum_are_told_by_their_size_or_their_time(prepared, monkeypatch):
    """Of large datasets; where all have another time, they were copied."""
    folder = Path("results/data/mine")
    more = seen.read(folder / seen.MORE)
    more.images = {image: (*was[:2], "") for image, was in more.images.items()}
    seen.write_bytes(folder / seen.MORE, gzip.compress(msgspec.json.encode(more)))
    overwrite(prepared)
    assert changes() == ["1 of 12 images was written anew"]
    fresh(prepared)
    assert changes() == []


def test_a_look_at_images_ends_in_time_and_covers_all_of_them_by_turns(prepared, monkeypatch):
    monkeypatch.setattr(seen, "SECONDS", 0)
    monkeypatch.setattr(seen, "SAMPLE", 5)
    replace(prepared)
    said = {tuple(changes()) for _ in range(60)}
    assert said == {(), ("1 of 5 images looked at has changed",)}


def facts():
    return read_parquet("results/data/mine/index.parquet")[1]


def test_an_index_of_other_pixels_is_another_and_one_of_a_copy_the_same(prepared):
    index.main(AGAIN)
    before = Path("results/data/mine/index.parquet").read_bytes()
    fresh(prepared)
    index.main(AGAIN)
    assert Path("results/data/mine/index.parquet").read_bytes() == before
    files = facts()["files"]
    overwrite(prepared)
    index.main(AGAIN)
    assert facts()["files"] != files and changes() == []


def test_pixels_that_were_begun_do_not_go_on_with_other_files():
    images, recipe = ["a.png"], {"size": 32}
    keys = [pixels.fingerprint(Path("x"), images, recipe, files) for files in ("", "a", "b")]
    assert len(set(keys)) == 3


def test_a_pipe_in_the_table_is_set_aside_and_nothing_waits_for_it(prepared):
    (prepared / "img/4.png").unlink()
    os.mkfifo(prepared / "img/4.png")
    index.main(AGAIN)
    assert changes() == []
    out = Path("results/data/mine")
    more = ["--index", out / "index.parquet", "--out", out / "p.npy", "--files", out / "p.parquet"]
    pixels.main(['{"size": 32, "unreadable": 0.5}', *map(str, more)])
    reasons = read_parquet(out / "p.parquet")[0]["reason"].to_pylist()
    assert sorted(filter(None, reasons)) == ["no regular file"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", '{"root": 1}', '{"root": ""}', "[" * 10_000])
def test_a_damaged_record_says_nothing(prepared, text):
    data = Path("results/data/mine")
    (data / seen.MORE).write_bytes(gzip.compress(text.encode()))
    assert changes() == [] and not seen.moved(data)
    (data / seen.NAME).write_text(text)
    assert seen.changes(data) == ("", []) and not seen.moved(data)
