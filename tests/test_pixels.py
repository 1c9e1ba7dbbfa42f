"""Every readable image has its row in one array; every other one has a reason."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import msgspec
import numpy as np
import pytest
from PIL import Image

from cxrgrid import pixels
from cxrgrid.config import preparation
from cxrgrid.config.errors import UserError
from cxrgrid.data import pixel_arrays
from cxrgrid.data.image import Decoded
from cxrgrid.io.parquet import read_parquet, write_parquet
from drawn_images import by_hand, close, decoded, smooth, write_dicom

SIZE = 32
PLAIN = msgspec.structs.asdict(preparation.Image(size=SIZE))


def png_header(width, height):
    """A PNG file that claims a size and holds next to nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body
    return start + struct.pack(">I", zlib.crc32(body)) + struct.pack(">I", 9999) + b"IDAT"


# ------------------------------------------------------------------ unreadable kinds


def write_truncated(path):
    Image.fromarray(np.random.default_rng(0).integers(256, size=(99, 99), dtype=np.uint8)).save(
        path
    )
    path.write_bytes(path.read_bytes()[:-2000])


def write_good(path):
    Image.fromarray(smooth()).save(path)


def write_hollow_dicom(path):
    film = write_dicom(path)
    del film.PixelData
    film.save_as(path)


def write_dicom_bomb(path):
    film = write_dicom(path)
    film.Rows = film.Columns = 20_000
    film.save_as(path)


def write_truncated_dicom(path):
    write_dicom(path)
    path.write_bytes(path.read_bytes()[:-2000])


UNREADABLE = {
    "truncated.png": (write_truncated, "truncated"),
    "truncated.jpg": (write_truncated, "truncated"),
    "empty.png": (lambda path: path.touch(), "empty file"),
    "text.png": (lambda path: path.write_text("no image"), "not an image that Pillow can read"),
    "tiny.png": (lambda path: Image.new("L", (1, 1)).save(path), "too small: 1 x 1 pixels"),
    "bomb.png": (lambda path: path.write_bytes(png_header(20_000, 20_000)), "exceeds limit"),
    "bomb.dcm": (write_dicom_bomb, "exceeds limit"),
    "hollow.dcm": (write_hollow_dicom, "a DICOM file without pixels"),
    "truncated.dcm": (write_truncated_dicom, "pixel data"),
    "text.dicom": (lambda path: path.write_text("no image"), "not a DICOM file"),
    "empty.dcm": (lambda path: path.touch(), "empty file"),
    "../climbs.png": (write_good, "leads out of the dataset's folder"),
    "header.png": (lambda path: path.write_bytes(png_header(99, 99)), "truncated"),
    "missing.png": (lambda path: None, "missing"),
    "folder.png": (lambda path: path.mkdir(), "directory"),
}


def prepare(folder, names):
    """An index over the images in `folder / "images"`."""
    names = sorted(names)
    facts = {"dataset": "d", "root": str(folder / "images")}
    write_parquet({"image": names, "view": ["PA"] * len(names)}, folder / "index.parquet", facts)
    return names


def run(folder, *arguments, unreadable=0.01, size=SIZE, threads=2, suffix="", **more):
    """pixels.npy, and pixels.parquet with its facts, as the command writes them."""
    settings = json.dumps({"size": size, "resize": "squash", "unreadable": unreadable} | more)
    out, files = (folder / f"pixels{suffix}.{kind}" for kind in ("npy", "parquet"))
    options = ["--index", str(folder / "index.parquet"), "--threads", str(threads)]
    pixels.main([settings, *options, "--out", str(out), "--files", str(files), *arguments])
    table, facts = read_parquet(files)
    return np.load(out), table.to_pydict(), facts


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_bad_file_is_set_aside_with_its_reason_and_nothing_else_is_lost(tmp_path, name):
    (tmp_path / "images").mkdir()
    good = {f"{letter}.png": smooth(seed=n) for n, letter in enumerate("amz")}
    for kept, grey in good.items():
        Image.fromarray(grey).save(tmp_path / "images" / kept)
    write, why = UNREADABLE[name]
    write(tmp_path / "images" / name)
    names = prepare(tmp_path, [*good, name])
    array, files, facts = run(tmp_path, unreadable=0.25)
    assert files["image"] == names and facts == PLAIN
    assert len(array) == 3
    for image, row, reason in zip(files["image"], files["row"], files["reason"], strict=True):
        if image == name:
            assert row == -1 and why in reason and "\n" not in reason
        else:
            assert reason is None
            close(array[row], by_hand(good[image]))
    assert sorted(row for row in files["row"] if row >= 0) == [0, 1, 2]


def test_the_middle_of_median_width_and_height_is_kept_and_noted(tmp_path):
    (tmp_path / "images").mkdir()
    shapes = {"a": (60, 90), "b": (100, 50), "c": (80, 70), "d": (40, 200), "e": (300, 60)}
    for n, (name, shape) in enumerate(shapes.items()):
        Image.fromarray(smooth(*shape, seed=n)).save(tmp_path / f"images/{name}.png")
    (tmp_path / "images/f.png").write_text("no image")
    prepare(tmp_path, [f"{name}.png" for name in [*shapes, "f"]])
    array, files, facts = run(tmp_path, unreadable=0.2, crop_to="median")
    assert facts == PLAIN | {"crop_to": "median", "cropped_to": [70, 80]}
    for n, shape in enumerate(shapes.values()):
        tall, wide = min(80, shape[0]), min(70, shape[1])
        top, left = (shape[0] - tall) // 2, (shape[1] - wide) // 2
        cut = smooth(*shape, seed=n)[top : top + tall, left : left + wide]
        close(array[n], by_hand(cut))


def test_lungs_are_not_looked_for_from_the_side(tmp_path):
    (tmp_path / "images").mkdir()
    facts = {"root": str(tmp_path / "images")}
    table = {"image": ["a.png", "b.png"], "view": ["PA", "LATERAL"]}
    write_parquet(table, tmp_path / "index.parquet", facts)
    with pytest.raises(UserError, match=r"1 of 2 images are lateral.*view: \[frontal\]"):
        run(tmp_path, crop_to="lungs")


def test_too_many_bad_files_stop_the_run_and_are_named(tmp_path):
    (tmp_path / "images").mkdir()
    prepare(tmp_path, [f"{n}.png" for n in range(9)])
    with pytest.raises(UserError, match=r"0\.png \(missing\).*datasets\.<name>\.unreadable"):
        run(tmp_path, unreadable=0.01)
    assert not (tmp_path / "pixels.npy").exists()


def test_files_that_are_repaired_after_a_stop_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_arrays, "CHECKPOINT", 1)
    save_many(tmp_path, 9)
    bad = tmp_path / "images/4.png"
    good = bad.read_bytes()
    bad.write_bytes(b"")
    prepare(tmp_path, [f"{n}.png" for n in range(9)])
    with pytest.raises(UserError, match="empty file"):
        run(tmp_path)
    bad.write_bytes(good)
    array, files, _ = run(tmp_path)
    assert len(array) == 9 and files["reason"] == [None] * 9


# ------------------------------------------------------------------ many, in order, resumed


def save_many(folder, number):
    (folder / "images").mkdir(exist_ok=True)
    for n in range(number):
        Image.fromarray(smooth(64, 64, seed=n)).save(folder / f"images/{n}.png")
    return [f"{n}.png" for n in range(number)]


def test_threads_change_nothing(tmp_path):
    prepare(tmp_path, save_many(tmp_path, 40))
    one, files, _ = run(tmp_path, threads=1)
    many, same, _ = run(tmp_path, threads=7)
    np.testing.assert_array_equal(one, many)
    assert files == same
    close(one[files["image"].index("17.png")], by_hand(smooth(64, 64, seed=17)))


def test_few_results_wait_for_the_reader():
    started = []
    results = pixel_arrays.in_order(lambda n: started.append(n) or n, list(range(1000)), threads=3)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(started) <= 10 + 4 * 3
    assert list(results) == list(range(10, 1000))


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    names = prepare(tmp_path, [*save_many(tmp_path, 50), "gone.png"])
    run(tmp_path, unreadable=0.1)
    whole = [(tmp_path / name).read_bytes() for name in ("pixels.npy", "pixels.parquet")]
    (tmp_path / "pixels.npy").unlink()
    monkeypatch.setattr(pixel_arrays, "CHECKPOINT", 7)
    decode, seen = pixels.examined_all, []

    def dies(path, *recipe):
        seen.append(path.name)
        if len(seen) == 31:
            raise KeyboardInterrupt
        return decode(path, *recipe)

    monkeypatch.setattr(pixels, "examined_all", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, unreadable=0.1, threads=1)
    assert not (tmp_path / "pixels.npy").exists()
    noted = json.loads((tmp_path / ".pixels.partial.json").read_text())["done"]
    assert 0 < noted <= 31
    seen.clear()
    seen += [""] * 31
    run(tmp_path, unreadable=0.1)
    assert set(seen[31:]) == set(names[noted:])
    assert [(tmp_path / name).read_bytes() for name in ("pixels.npy", "pixels.parquet")] == whole
    assert not list(tmp_path.glob(".pixels*"))


# `pixels` that notes every fifth image, and never comes to the end.
STUCK = """
import itertools, sys, time
from cxrgrid import pixels
from cxrgrid.data import pixel_arrays

calls, examined = itertools.count(), pixels.examined_all

def some(*arguments):
    time.sleep(600 if next(calls) > 30 else 0)
    return examined(*arguments)

pixel_arrays.CHECKPOINT, pixels.examined_all = 5, some
pixels.main(sys.argv[1:])
"""


def test_kill_nine_loses_nothing(tmp_path):
    prepare(tmp_path, save_many(tmp_path, 60))
    whole, _, _ = run(tmp_path)
    (tmp_path / "pixels.npy").unlink()
    settings = json.dumps({"size": SIZE, "resize": "squash", "unreadable": 0})
    paths = [str(tmp_path / name) for name in ("index.parquet", "pixels.npy", "pixels.parquet")]
    options = [x for pair in zip(("--index", "--out", "--files"), paths, strict=True) for x in pair]
    process = subprocess.Popen([sys.executable, "-c", STUCK, settings, *options])
    state = tmp_path / ".pixels.partial.json"
    deadline = time.monotonic() + 120
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < json.loads(state.read_text())["done"] < 60
    np.testing.assert_array_equal(run(tmp_path, unreadable=0)[0], whole)


# ------------------------------------------------------------------ several image recipes

SEVERAL = {"size": [SIZE, 48], "equalize": ["none", "clahe"]}


def study_of(tmp_path, image):
    """A study file whose cells ask for other image settings of the dataset `d`."""
    dataset = {"adapter": "nih", "root": str(tmp_path), "image": {"size": SIZE}}
    recipes = {"default": {"image": image}}
    grid = {"datasets": ["d"], "backbones": ["resnet18"]}
    study = {"study": "s", "datasets": {"d": dataset}, "recipes": recipes, "grid": grid}
    (tmp_path / "study.json").write_text(json.dumps(study))
    return tmp_path / "study.json"


def test_all_recipes_come_of_one_reading_with_the_bits_of_separate_ones(tmp_path, monkeypatch):
    prepare(tmp_path, [*save_many(tmp_path, 9), "gone.png"])
    study = study_of(tmp_path, SEVERAL)
    reads, decode = [], pixels.examined_all
    monkeypatch.setattr(
        pixels, "examined_all", lambda path, *a: reads.append(path) or decode(path, *a)
    )
    run(tmp_path, "--study", str(study), unreadable=0.2)
    assert len(reads) == 9 + 2, "each file once, and a bad one once more for its own array"
    arrays = {"-size48": {"size": 48}, "-equalize-clahe": {"equalize": "clahe"}}
    arrays |= {"-equalize-clahe-size48": {"equalize": "clahe", "size": 48}}
    reads.clear()
    for suffix, image in arrays.items():
        files = ["--readable", str(tmp_path / "pixels.parquet")]
        together = run(tmp_path, *files, suffix=suffix, **image)[0]
        assert not reads, "it was made with the others"
        (tmp_path / f"pixels{suffix}.npy").unlink()
        alone = run(tmp_path, *files, suffix=suffix, **image)[0]
        assert len(reads) == 9
        reads.clear()
        np.testing.assert_array_equal(together, alone)
        assert alone.shape == (9, image.get("size", SIZE), image.get("size", SIZE))


def test_which_images_are_readable_is_the_datasets_own_arrays_word(tmp_path, monkeypatch):
    prepare(tmp_path, save_many(tmp_path, 4))
    run(tmp_path)
    decode = pixels.examined_all

    def fails(path, recipes):
        if path.name == "2.png":
            raise ValueError("no lungs in it")
        return decode(path, recipes)

    monkeypatch.setattr(pixels, "examined_all", fails)
    files = ["--readable", str(tmp_path / "pixels.parquet")]
    with pytest.raises(UserError, match=r"2\.png: can be read, but .* pixels-size48: no lungs"):
        run(tmp_path, *files, suffix="-size48", size=48)


def test_the_disk_is_told_before_it_is_taken_and_refused_where_it_is_not_free(
    tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    prepare(tmp_path, save_many(tmp_path, 4))
    usage = pixels.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(pixels.shutil, "disk_usage", lambda _: usage._replace(free=4095))
    with pytest.raises(UserError, match="take 4 kB more, but only 4 kB of the disk are free"):
        run(tmp_path)
    monkeypatch.setattr(pixels.shutil, "disk_usage", lambda _: usage._replace(free=4096))
    run(tmp_path)
    assert "pixels.npy: 4 images of 32 x 32, 4 kB" in caplog.text
    assert "disk: 4 kB to write, 4 kB free" in caplog.text


def test_nothing_of_a_killed_run_is_left_behind_the_last_row(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_arrays, "CHECKPOINT", 5)
    names = prepare(tmp_path, save_many(tmp_path, 9))
    key = pixels.fingerprint(tmp_path / "images", names, PLAIN)
    part = pixel_arrays.Partial(tmp_path / "pixels.npy", key, (SIZE, SIZE))
    for name in names[:8]:
        part.add(name, Decoded(decoded(tmp_path / "images" / name, SIZE, "squash"), "", (0, 0)))
    part.file.close()  # killed, with three rows behind its last note
    for name in names[5:]:
        (tmp_path / "images" / name).unlink()
    array, _, _ = run(tmp_path, unreadable=0.5)
    assert array.shape == (5, SIZE, SIZE)
    assert (tmp_path / "pixels.npy").stat().st_size == 128 + 5 * SIZE * SIZE


@pytest.mark.parametrize("change", ["size", "images"])
def test_another_run_does_not_go_on_with_it(tmp_path, monkeypatch, change):
    monkeypatch.setattr(pixel_arrays, "CHECKPOINT", 1)
    names = save_many(tmp_path, 6)
    prepare(tmp_path, names)
    part = pixel_arrays.Partial(tmp_path / "pixels.npy", "another", (SIZE, SIZE))
    part.add("0.png", Decoded(np.zeros((SIZE, SIZE), np.uint8), "", (64, 64)))
    part.file.close()
    array, _, _ = run(tmp_path, size=48 if change == "size" else SIZE)
    assert len(array) == 6 and array.max(axis=(1, 2)).min() > 0


def test_the_fingerprint_knows_root_images_and_recipe(tmp_path):
    base = (tmp_path, ["a", "b"], {"size": 1})
    others = [(tmp_path / "x", *base[1:]), (base[0], ["a"], base[2]), (*base[:2], {"size": 2})]
    assert len({pixels.fingerprint(*each) for each in [base, *others]}) == 4
