"""Cells on other datasets: who is asked, which images are left out, and what stands in the rows."""

import json

import msgspec
import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

from cxrgrid import score
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.transfers import taught
from cxrgrid.evaluation import transfer_predictions
from cxrgrid.io.parquet import read_parquet, write_parquet

BLANK = {"adapter": "nih", "image": {"size": 32}}
CONFIG = {
    "study": "tiny",
    "datasets": {
        "ward": BLANK | {"root": "nowhere", "labels": ["Effusion", "Mass", "Nodule"]},
        "clinic": BLANK | {"root": "elsewhere", "labels": ["Nodule", "Hernia", "Effusion"]},
        "far": BLANK | {"root": "far", "labels": ["Effusion"]},
        "children": {"adapter": "kermany", "root": "nowhere"},
    },
    "weights": {"pretrained": {"dataset": "far"}},
    "grid": {"datasets": ["ward"], "backbones": ["resnet18"], "inits": ["scratch", "pretrained"]},
    "report": {"resamples": 100},
}


def asked(transfer, **datasets):
    return Grid(CONFIG | {"transfer": transfer, "datasets": CONFIG["datasets"] | datasets})


def test_all_is_every_dataset_with_a_shared_label_and_none_is_none():
    assert asked("none").transfers == {}
    found = asked("all")
    assert found.transfers == {"ward": ["clinic", "far"], "far": ["ward", "clinic"]}
    assert found.tested() == ["ward", "far", "clinic"]
    assert asked(["clinic"]).transfers == {"far": ["clinic"], "ward": ["clinic"]}
    assert Grid(CONFIG).tested() == Grid(CONFIG).targets()


def test_asking_changes_no_cell():
    assert asked("all").cells == Grid(CONFIG).cells


@pytest.mark.parametrize(
    ("wanted", "change", "words"),
    [
        (["clinc"], {}, "no dataset 'clinc'; did you mean 'clinic'"),
        (["children"], {}, "shares a label with 'children'"),
        ("some", {}, "transfer"),
        ("all", {"clinic": {"adapter": "folder", "root": "x"}}, "datasets.clinic.labels: name"),
    ],
)
def test_what_cannot_be_tested_stops_before_any_job(wanted, change, words):
    with pytest.raises(UserError, match=words) as error:
        asked(wanted, **change)
    assert "\n" not in str(error.value)


def test_a_cell_has_learned_from_all_in_whose_line_it_stands():
    by_init = {cell.init: cell for cell in Grid(CONFIG).cells if cell.dataset == "ward"}
    grid = Grid(CONFIG)
    assert taught(grid, by_init["scratch"]) == ["ward"]
    assert taught(grid, by_init["pretrained"]) == ["ward", "far"]


# ------------------------------------------------------------------ scored

IMAGES = [f"{n:02}.png" for n in range(60)]
KNOWN = {"ward": {"00.png", "01.png"}, "far": {"02.png"}}


def write(path, cell, target, labels, seed):
    rng = np.random.default_rng(seed)
    truth = (np.random.default_rng(len(target)).random((60, len(labels))) < 0.4).astype(float)
    truth[:2] = 1  # so that leaving these out is felt
    scores = 1 / (1 + np.exp(-rng.normal(truth, 1)))
    columns = {"image": IMAGES, "patient": [f"p{n // 2}" for n in range(60)]}
    columns |= {f"y:{label}": truth[:, at] for at, label in enumerate(labels)}
    columns |= {f"p:{label}": scores[:, at] for at, label in enumerate(labels)}
    facts = cell.axes()
    facts |= {"target": target, "task": "multilabel", "labels": labels}
    write_parquet(columns, path, facts | {"split": "patient", "split_hash": target})


@pytest.fixture
def study(tmp_path):
    """A study of which every cell is done, and has predicted clinic."""
    path = tmp_path / "results/tiny/study.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(CONFIG | {"transfer": ["clinic"]}))
    for number, cell in enumerate(Grid(CONFIG).cells):
        own = list(CONFIG["datasets"][cell.dataset]["labels"])
        below = path.parent / "cells" / cell.path()
        for name in ("val", cell.dataset):
            write(below / f"predictions/{name}.parquet", cell, cell.dataset, own, number)
        labels = [label for label in ("Nodule", "Hernia", "Effusion") if label in own]
        write(below / "transfer/clinic.parquet", cell, "clinic", labels, 10 + number)
        (below / "cell.json").write_bytes(msgspec.json.encode(cell))
    rows = [(source, image) for source in KNOWN for image in sorted(KNOWN[source])]
    seen = {"source": [s for s, _ in rows], "target": ["clinic"] * 3}
    seen |= {"image": [image for _, image in rows], "reason": ["near-identical image"] * 3}
    write_parquet(seen, path.parent / "overlap.parquet", {})
    return path


def test_known_images_are_left_out_and_shared_labels_scored(study, tmp_path):
    out = tmp_path / "clinic.parquet"
    score.main([str(study), "--target", "clinic", "--out", str(out)])
    table, _ = read_parquet(out)
    assert set(table["dataset"].to_pylist()) == {"ward", "far"}
    assert set(table["target"].to_pylist()) == {"clinic"}
    left = {"scratch": 58, "pretrained": 57}  # pretrained has learned from far too
    for init, n in left.items():
        here = (pc.field("init") == init) & (pc.field("dataset") == "ward")
        rows = table.filter(here & (pc.field("metric") == "auroc"))
        assert set(rows["n"].to_pylist()) == {n}
        labels = set(rows["label"].to_pylist()) - {"macro", "micro", "weighted"}
        assert labels == {"Nodule", "Effusion"}
        file = study.parent / f"cells/ward/resnet18/{init}/default/seed0/transfer/clinic.parquet"
        frame = read_parquet(file)[0].to_pandas()
        hidden = KNOWN["ward"] | (KNOWN["far"] if init == "pretrained" else set())
        frame = frame[~frame["image"].isin(hidden)]
        expected = [roc_auc_score(frame[f"y:{x}"], frame[f"p:{x}"]) for x in sorted(labels)]
        [macro] = rows.filter(pc.field("label") == "macro")["value"].to_pylist()
        assert macro == pytest.approx(np.mean(expected), abs=1e-12)


def test_thresholds_are_those_of_the_cell_s_own_validation_images(study, tmp_path):
    cuts = {}
    for target in ("clinic", "ward"):
        out = tmp_path / f"{target}.parquet"
        score.main([str(study), "--target", target, "--out", str(out)])
        chosen = (pc.field("dataset") == "ward") & (pc.field("metric") == "threshold")
        chosen &= (pc.field("label") == "Nodule") & (pc.field("threshold_rule") == "youden")
        chosen &= pc.field("init") == "scratch"
        [cuts[target]] = read_parquet(out)[0].filter(chosen)["value"].to_pylist()
    assert cuts["clinic"] == cuts["ward"]


def test_a_label_of_another_name_has_the_thresholds_of_the_cells_own(study, tmp_path):
    path = study.parent / "cells/ward/resnet18/scratch/default/seed0/transfer/clinic.parquet"
    table, facts = read_parquet(path)
    before = score_of(study, tmp_path, "Nodule")
    names = [name.replace("Nodule", "nodule") for name in table.column_names]
    facts |= {"labels": ["nodule", "Effusion"], "same": {"nodule": "Nodule"}}
    write_parquet(table.rename_columns(names), path, facts)
    assert score_of(study, tmp_path, "nodule") == before


def score_of(study, tmp_path, label):
    out = tmp_path / "scores.parquet"
    score.main([str(study), "--target", "clinic", "--out", str(out)])
    chosen = (pc.field("dataset") == "ward") & (pc.field("init") == "scratch")
    rows = read_parquet(out)[0].filter(chosen & (pc.field("label") == label))
    return rows.drop_columns(["label"]).to_pandas().astype(str).values.tolist()


def test_predictions_of_another_split_are_refused(study, tmp_path):
    table = tmp_path / "results/data/clinic/table.parquet"
    write_parquet({"image": IMAGES}, table, {"split_hash": "another"})
    with pytest.raises(UserError, match="of another split of clinic"):
        score.main([str(study), "--target", "clinic", "--out", str(tmp_path / "x.parquet")])


def test_a_target_that_taught_a_cell_hides_none_of_its_own_images():
    grid = asked("all")
    cell = next(cell for cell in grid.cells if cell.init == "pretrained")
    seen = {"ward": {"a"}, "far": {"b"}}
    assert transfer_predictions.masked(grid, cell, "clinic", seen) == {"a", "b"}
    assert transfer_predictions.masked(grid, cell, "far", seen) == {"a"}


def test_what_a_pooled_training_left_out_is_tested_unless_the_target_came_later():
    recipes = {"default": {}, "joint": {"train_on": ["own", "far"]}}
    axes = CONFIG["grid"] | {"recipes": ["joint"], "inits": ["scratch", "pretrained"]}
    datasets = CONFIG["datasets"] | {"ward": BLANK | {"root": "nowhere", "labels": ["Effusion"]}}
    change = {"recipes": recipes, "grid": axes, "datasets": datasets, "transfer": ["clinic"]}
    weights = {"pretrained": {"dataset": "far"}}
    grid = Grid(CONFIG | change | {"weights": weights})
    cells = {cell.init: cell for cell in grid.cells if cell.dataset == "ward"}
    seen = {"ward": {"a"}, "far": {"b"}}
    masked = transfer_predictions.masked
    assert masked(grid, cells["scratch"], "clinic", seen) == {"a", "b"}
    # Its own validation images chose the epoch, and are not cleared of other datasets' test images.
    assert masked(grid, cells["scratch"], "clinic", seen, ("clinic",)) == {"a"}
    assert masked(grid, cells["scratch"], "clinic", seen, ("other",)) == {"a", "b"}
    # The cell that it started from left nothing out.
    assert masked(grid, cells["pretrained"], "clinic", seen, ("clinic",)) == {"a", "b"}


def test_a_target_of_another_size_is_decoded_at_the_cells_size_and_with_its_image_settings():
    recipes = {"default": {"image": {"equalize": ["none", "clahe"]}}}
    clinic = BLANK | {"root": "elsewhere", "image": {"size": 48}}
    grid = Grid(
        CONFIG
        | {"transfer": ["clinic"], "recipes": recipes}
        | {"datasets": CONFIG["datasets"] | {"clinic": clinic}}
    )
    size = grid.study.datasets["ward"].image.size
    arrays = grid.arrays("clinic")
    assert set(arrays) == {"", f"-size{size}", f"-equalize-clahe-size{size}"}
    assert arrays[""].size == 48 and arrays[f"-size{size}"].size == size
