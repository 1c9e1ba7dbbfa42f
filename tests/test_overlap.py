"""Images that two datasets share are found by their pixels; what is known of datasets is said."""

import json
from itertools import combinations

import numpy as np
import pytest

from cxrgrid import overlap
from cxrgrid.config.checks import ADAPTERS, modules
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.data import near_duplicates
from cxrgrid.io.parquet import write_parquet
from demo_config import DEMO, replaced

RECIPE = {"size": 32, "resize": "squash"}


def noise(seed, n=30):
    return np.random.default_rng(seed).integers(256, size=(n, 32, 32), dtype=np.uint8)


def write(folder, pixels, recipe=RECIPE, first=0):
    """A dataset's table and hashes; its rows stand in another order than its pixels."""
    splits = ["train"] * 20 + ["val"] * 4 + ["test"] * 6
    row = np.arange(30)[::-1]
    table = {"image": [f"{n:02}.png" for n in range(30)], "split": splits, "row": row}
    table["patient"] = [f"patient{first + n // 2}" for n in range(30)]
    write_parquet(table, folder / "table.parquet", {"image": recipe})
    np.save(folder / "hashes.npy", near_duplicates.phash(pixels[row]))


def config(one="kermany", other="folder", **more):
    blank = {"root": "nowhere"} | more
    return {
        "study": "demo",
        "datasets": {"one": blank | {"adapter": one}, "other": blank | {"adapter": other}},
        "grid": {"datasets": ["one", "other"], "backbones": ["resnet18"]},
    }


def run(tmp_path, settings):
    study = tmp_path / "demo/study.json"
    study.parent.mkdir(exist_ok=True)
    study.write_text(json.dumps(settings))
    overlap.main([str(study), f"--out={study.parent / 'overlap.json'}"])
    return json.loads((study.parent / "overlap.json").read_text())


def test_shared_images_are_counted_by_split(tmp_path):
    one, other = noise(1), noise(2)
    other[2] = one[25]  # tested in one, trained in other
    other[28] = np.clip(one[3] * 0.9 + 5, 0, 255)  # the other way round, and darker
    other[5] = one[7]  # trained in both
    other[6] = one[7]
    write(tmp_path / "data/one", one)
    write(tmp_path / "data/other", other)
    found = run(tmp_path, config())
    [pair] = found["pairs"]
    assert pair["datasets"] == ["one", "other"] and pair["of"] == [30, 30]
    assert pair["images"] == [3, 4] and pair["tested"] == [1, 1]
    names = {(ours, theirs) for ours, theirs, _ in pair["first"]}
    same = {("25.png", "02.png"), ("07.png", "05.png"), ("07.png", "06.png")}
    assert names == same | {("03.png", "28.png")}
    [warning] = found["warnings"]
    assert "3 of 30 images of one and 4 of 30 of other" in warning


def test_an_image_tested_in_one_fold_is_trained_on_in_another(tmp_path):
    one, other = noise(1), noise(2)
    other[26] = one[25]  # tested in other; in one tested in fold 0, trained on in fold 1
    write(tmp_path / "data/one", one)
    write(tmp_path / "data/other", other)
    splits = ["test"] * 6 + ["val"] * 4 + ["train"] * 20
    table = {"image": [f"{n:02}.png" for n in range(30)], "split": splits, "row": np.arange(30)}
    write_parquet(table, tmp_path / "data/one/fold1/table.parquet", {"image": RECIPE})
    for folds, tested in ((), [0, 0]), ("all", [0, 1]):
        settings = replaced(config(), "datasets.one.split", {"folds": 2})
        settings = replaced(settings, "grid.folds", folds)
        [pair] = run(tmp_path, settings)["pairs"]
        assert pair["tested"] == tested


def test_datasets_that_share_nothing_give_no_warning(tmp_path):
    write(tmp_path / "data/one", noise(1))
    write(tmp_path / "data/other", noise(2), RECIPE | {"size": 64})
    assert run(tmp_path, config())["warnings"] == []


def test_recipes_that_hide_a_copy_are_said(tmp_path):
    write(tmp_path / "data/one", noise(1))
    write(tmp_path / "data/other", noise(2), RECIPE | {"resize": "crop"})
    [warning] = run(tmp_path, config())["warnings"]
    assert "other image recipes" in warning


def test_known_overlaps_are_said_of_real_data_only(monkeypatch):
    monkeypatch.setattr(overlap, "KNOWN", [("kermany", "nih", "they share a few")])
    found = overlap.known(Grid(config("nih", "kermany")))
    assert len(found) == 1 and found[0].startswith("other and one are known to share images: they")
    assert overlap.known(Grid(config("nih", "kermany", phantom={}))) == []
    assert overlap.known(Grid(config("nih", "folder"))) == []


def test_known_overlaps_name_each_pair_of_adapters_once():
    pairs = [frozenset(entry[:2]) for entry in overlap.KNOWN]
    assert len(set(pairs)) == len(pairs) and all(len(pair) == 2 for pair in pairs)
    published = {"covid_radiography", "kermany", "nih", "padchest", "rsna", "siim"}
    assert set().union(*pairs) <= published | set(modules(ADAPTERS))


STANFORD = ("chexpert", "chexpert_plus", "chexpert_test")


@pytest.mark.parametrize("pair", [*combinations(STANFORD, 2), ("chexpert", "nih")])
def test_releases_of_one_publisher_number_their_patients_alike(pair):
    datasets = {name: {"adapter": name, "root": f"at/{name}"} for name in pair}
    grid = Grid(config() | {"datasets": config()["datasets"] | datasets})
    one, other = (overlap.people(name, grid) for name in pair)
    assert (one == other) == (set(pair) <= set(STANFORD))


def test_a_start_that_knows_test_patients_by_another_dataset_is_named(tmp_path):
    datasets = {n: {"adapter": n, "root": n, "labels": ["Edema"]} for n in STANFORD[:2]}
    settings = config() | {
        "datasets": datasets,
        "weights": {"pretrained": {"dataset": "chexpert_plus"}, "again": {"dataset": "chexpert"}},
    }
    settings["weights"]["again"] |= {"init": "pretrained"}
    axes = {"datasets": ["chexpert"], "backbones": ["resnet18"], "inits": ["scratch", "again"]}
    for number, name in enumerate(datasets):
        write(tmp_path / "data" / name, noise(number), first=10 * number)
    warnings = run(tmp_path, settings | {"grid": axes})["warnings"]
    assert [text.split(",")[0] for text in warnings if "test images" in text] == [
        "pretrained: 6 test images of chexpert are like images of chexpert_plus",
        "again: 6 test images of chexpert are like images of chexpert_plus",
    ]
    assert run(tmp_path, settings | {"grid": axes | {"inits": ["scratch"]}})["warnings"] == []


@pytest.mark.parametrize("lost", ["hashes.npy", "rows"])
def test_files_that_do_not_fit_are_refused(tmp_path, lost):
    for name in ("one", "other"):
        write(tmp_path / "data" / name, noise(1))
    path = tmp_path / "data/one/hashes.npy"
    path.unlink() if lost == "hashes.npy" else np.save(path, np.load(path)[:9])
    with pytest.raises(UserError, match=r"hashes\.npy"):
        run(tmp_path, config())


def test_a_start_that_was_trained_on_the_tested_data_is_named():
    config = replaced(DEMO, "weights.pretrained", {"file": "w.pth", "trained_on": ["nih"]})
    (said,) = overlap.seen_in_training(Grid(config))
    assert said.startswith("pretrained: its weights were trained on images of nih, as ward is")
    assert overlap.seen_in_training(Grid(DEMO)) == []
