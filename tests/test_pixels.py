"""Every readable image becomes the grey levels that Pillow says; every other one has a reason."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from cxrgrid import pixels
from cxrgrid.config import UserError
from cxrgrid.data import read_parquet, write_parquet

SIZE = 32


def smooth(height=160, width=160, seed=0):
    """Grey levels without hard edges, so that resizing filters agree."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(20, 235, (6, 6), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def by_hand(grey, size=SIZE):
    """The squashed image by plain area averages, which Pillow's filters come close to."""
    image = Image.fromarray(np.asarray(grey, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def close(found, wanted, tolerance=2.0):
    assert found.dtype == np.uint8
    assert np.abs(found.astype(float) - wanted).mean() < tolerance


def png_header(width, height):
    """A PNG file that claims a size and holds next to nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body
    return start + struct.pack(">I", zlib.crc32(body)) + struct.pack(">I", 9999) + b"IDAT"


# ------------------------------------------------------------------ readable kinds


def save_rgba(path, grey):
    alpha = np.full_like(grey, 255)
    alpha[:, :80] = 0
    Image.fromarray(np.dstack([grey, grey, grey, alpha])).save(path)
    return grey * (alpha > 0)


def save_palette(path, grey):
    image = Image.fromarray(255 - grey)
    image = image.convert("P")  # index 255 - g …
    image.putpalette([255 - level for level in range(256) for _ in range(3)])  # … is shown as g
    image.save(path)
    return grey


def save_cmyk(path, grey):
    Image.fromarray(grey).convert("RGB").convert("CMYK").save(path, quality=98)
    return grey


def save_16_bit(path, grey):
    wide = 1000 + grey.astype(np.uint16) * 11
    wide[0, 0] = 65535  # one hot pixel, which the percentiles forgive
    Image.fromarray(wide).save(path)
    low, high = np.percentile(wide, (0.5, 99.5))
    return np.clip((wide - low) / (high - low), 0, 1) * 255


def save_rotated(path, grey):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    Image.fromarray(grey).save(path, quality=98, exif=exif)
    return np.rot90(grey, -1)


def save_colour(path, grey):
    image = np.dstack([grey, grey // 2, 255 - grey])
    Image.fromarray(image).save(path)
    return image @ [0.299, 0.587, 0.114]


def save_one_bit(path, grey):
    Image.fromarray(grey > 128).save(path)
    return (grey > 128) * 255


def save_large_jpeg(path, grey):
    large = smooth(1200, 1000, seed=3)
    Image.fromarray(large).convert("RGB").save(path, quality=95)
    return large


def save_grey_alpha(path, grey):
    Image.fromarray(grey).convert("LA").save(path)
    return grey


READABLE = {
    "rgba.png": save_rgba,
    "palette.png": save_palette,
    "cmyk.jpg": save_cmyk,
    "16_bit.png": save_16_bit,
    "16_bit.tif": save_16_bit,
    "rotated.jpg": save_rotated,
    "colour.png": save_colour,
    "one_bit.png": save_one_bit,
    "large.jpeg": save_large_jpeg,
    "grey_alpha.png": save_grey_alpha,
}


@pytest.mark.parametrize("name", READABLE)
def test_each_kind_of_image_becomes_its_grey_levels(tmp_path, name):
    wanted = READABLE[name](tmp_path / name, smooth(160, 120))
    sharp = name == "one_bit.png"  # its edges show which filter it was
    close(pixels.decode(tmp_path / name, SIZE, "squash"), by_hand(wanted), 5 if sharp else 2)


def test_the_fast_path_equals_the_straightforward_one(tmp_path):
    """libjpeg's halving and the reducing gap change no pixel by more than two grey levels."""
    Image.fromarray(smooth(1500, 1300)).save(tmp_path / "a.jpg", quality=95)
    plain = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")).convert("L")
    plain = np.asarray(plain.resize((128, 128), Image.Resampling.BILINEAR)).astype(int)
    fast = pixels.decode(tmp_path / "a.jpg", 128, "squash")
    assert np.abs(fast - plain).max() <= 2


def test_an_image_of_the_right_size_is_not_touched(tmp_path):
    grey = np.random.default_rng(0).integers(256, size=(SIZE, SIZE), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    for resize in ("squash", "fit", "crop"):
        np.testing.assert_array_equal(pixels.decode(tmp_path / "a.png", SIZE, resize), grey)


def test_fit_keeps_all_on_black_and_crop_keeps_the_middle(tmp_path):
    grey = np.full((40, 80), 200, dtype=np.uint8)
    grey[:, :20] = grey[:, 60:] = 100  # the outer quarters are darker
    Image.fromarray(grey).save(tmp_path / "a.png")
    fit = pixels.decode(tmp_path / "a.png", SIZE, "fit")
    assert (fit[:8] == 0).all() and (fit[24:] == 0).all()
    assert set(fit[16, [1, -2]]) == {100} and fit[16, 16] == 200
    crop = pixels.decode(tmp_path / "a.png", SIZE, "crop")
    assert (crop[:, 1:-1] == 200).all()  # the outermost columns share pixels with what is cut off


def test_a_flat_16_bit_image_is_black_and_no_error(tmp_path):
    Image.fromarray(np.full((20, 20), 700, dtype=np.uint16)).save(tmp_path / "a.png")
    assert (pixels.decode(tmp_path / "a.png", SIZE, "squash") == 0).all()


# ------------------------------------------------------------------ unreadable kinds


def write_truncated(path):
    Image.fromarray(np.random.default_rng(0).integers(256, size=(99, 99), dtype=np.uint8)).save(
        path
    )
    path.write_bytes(path.read_bytes()[:-2000])


UNREADABLE = {
    "truncated.png": (write_truncated, "truncated"),
    "truncated.jpg": (write_truncated, "truncated"),
    "empty.png": (lambda path: path.touch(), "empty file"),
    "text.png": (lambda path: path.write_text("no image"), "not an image that Pillow can read"),
    "tiny.png": (lambda path: Image.new("L", (1, 1)).save(path), "too small: 1 x 1 pixels"),
    "bomb.png": (lambda path: path.write_bytes(png_header(60_000, 60_000)), "exceeds limit"),
    "header.png": (lambda path: path.write_bytes(png_header(99, 99)), "truncated"),
    "missing.png": (lambda path: None, "missing"),
    "folder.png": (lambda path: path.mkdir(), "directory"),
}


def prepare(folder, names):
    """An index over the images in `folder / "images"`."""
    names = sorted(names)
    write_parquet({"image": names}, folder / "index.parquet", {"root": str(folder / "images")})
    return names


def run(folder, unreadable=0.01, size=SIZE, threads=2):
    """pixels.npy, and pixels.parquet with its facts, as the command writes them."""
    settings = json.dumps({"size": size, "resize": "squash", "unreadable": unreadable})
    out, files = folder / "pixels.npy", folder / "pixels.parquet"
    options = ["--index", str(folder / "index.parquet"), "--threads", str(threads)]
    pixels.main([settings, *options, "--out", str(out), "--files", str(files)])
    table, facts = read_parquet(files)
    return np.load(out), table.to_pydict(), facts


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_bad_file_is_set_aside_with_its_reason_and_nothing_else_is_lost(tmp_path, name):
    (tmp_path / "images").mkdir()
    good = {f"{letter}.png": smooth(seed=n) for n, letter in enumerate("amz")}
    for image, grey in good.items():
        Image.fromarray(grey).save(tmp_path / "images" / image)
    write, why = UNREADABLE[name]
    write(tmp_path / "images" / name)
    names = prepare(tmp_path, [*good, name])
    array, files, facts = run(tmp_path, unreadable=0.25)
    assert files["image"] == names and facts == {"size": SIZE, "resize": "squash"}
    assert len(array) == 3
    for image, row, reason in zip(files["image"], files["row"], files["reason"], strict=True):
        if image == name:
            assert row == -1 and why in reason and "\n" not in reason
        else:
            assert reason is None
            close(array[row], by_hand(good[image]))
    assert sorted(row for row in files["row"] if row >= 0) == [0, 1, 2]


def test_too_many_bad_files_stop_the_run_and_are_named(tmp_path):
    (tmp_path / "images").mkdir()
    prepare(tmp_path, [f"{n}.png" for n in range(9)])
    with pytest.raises(UserError, match=r"0\.png \(missing\).*datasets\.<name>\.unreadable"):
        run(tmp_path, unreadable=0.01)
    assert not (tmp_path / "pixels.npy").exists()


def test_files_that_are_repaired_after_a_stop_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels, "CHECKPOINT", 1)
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
    results = pixels.in_order(lambda n: started.append(n) or n, list(range(1000)), threads=3)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(started) <= 10 + 4 * 3
    assert list(results) == list(range(10, 1000))


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    names = prepare(tmp_path, [*save_many(tmp_path, 50), "gone.png"])
    run(tmp_path, unreadable=0.1)
    whole = [(tmp_path / name).read_bytes() for name in ("pixels.npy", "pixels.parquet")]
    (tmp_path / "pixels.npy").unlink()
    monkeypatch.setattr(pixels, "CHECKPOINT", 7)
    decode, seen = pixels.decode, []

    def dies(path, *recipe):
        seen.append(path.name)
        if len(seen) == 31:
            raise KeyboardInterrupt
        return decode(path, *recipe)

    monkeypatch.setattr(pixels, "decode", dies)
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


def test_kill_nine_loses_nothing(tmp_path):
    prepare(tmp_path, save_many(tmp_path, 60))
    whole, _, _ = run(tmp_path)
    (tmp_path / "pixels.npy").unlink()
    code = (
        "import sys, time; from cxrgrid import pixels; pixels.CHECKPOINT = 5; slow = pixels.decode;"
        "pixels.decode = lambda *a: (time.sleep(0.02), slow(*a))[1]; pixels.main(sys.argv[1:])"
    )
    settings = json.dumps({"size": SIZE, "resize": "squash", "unreadable": 0})
    paths = [str(tmp_path / name) for name in ("index.parquet", "pixels.npy", "pixels.parquet")]
    options = [x for pair in zip(("--index", "--out", "--files"), paths, strict=True) for x in pair]
    process = subprocess.Popen([sys.executable, "-c", code, settings, *options])
    state = tmp_path / ".pixels.partial.json"
    deadline = time.monotonic() + 20
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < json.loads(state.read_text())["done"] < 60
    np.testing.assert_array_equal(run(tmp_path, unreadable=0)[0], whole)


def test_nothing_of_a_killed_run_is_left_behind_the_last_row(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels, "CHECKPOINT", 5)
    names = prepare(tmp_path, save_many(tmp_path, 9))
    key = pixels.fingerprint(tmp_path / "images", names, {"size": SIZE, "resize": "squash"})
    part = pixels.Partial(tmp_path / "pixels.npy", key, SIZE)
    for name in names[:8]:
        part.add(name, pixels.decode(tmp_path / "images" / name, SIZE, "squash"))
    part.file.close()  # killed, with three rows behind its last note
    for name in names[5:]:
        (tmp_path / "images" / name).unlink()
    array, _, _ = run(tmp_path, unreadable=0.5)
    assert array.shape == (5, SIZE, SIZE)
    assert (tmp_path / "pixels.npy").stat().st_size == 128 + 5 * SIZE * SIZE


@pytest.mark.parametrize("change", ["size", "images"])
def test_another_run_does_not_go_on_with_it(tmp_path, monkeypatch, change):
    monkeypatch.setattr(pixels, "CHECKPOINT", 1)
    names = save_many(tmp_path, 6)
    prepare(tmp_path, names)
    part = pixels.Partial(tmp_path / "pixels.npy", "another", SIZE)
    part.add("0.png", np.zeros((SIZE, SIZE), np.uint8))
    part.file.close()
    array, _, _ = run(tmp_path, size=48 if change == "size" else SIZE)
    assert len(array) == 6 and array.max(axis=(1, 2)).min() > 0


def test_the_fingerprint_knows_root_images_and_recipe(tmp_path):
    base = (tmp_path, ["a", "b"], {"size": 1})
    others = [(tmp_path / "x", *base[1:]), (base[0], ["a"], base[2]), (*base[:2], {"size": 2})]
    assert len({pixels.fingerprint(*each) for each in [base, *others]}) == 4
