"""`explain`: heat lies on the evidence, boxes follow the pixels, and no pixel leaves unasked."""

import io
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from cxrgrid import explain, phantom
from cxrgrid.config import operating_points, preparation
from cxrgrid.config.errors import UserError
from cxrgrid.config.explained_cells import Explained
from cxrgrid.config.grid import Grid
from cxrgrid.data.image import decode, middle, part
from cxrgrid.datasets import nih
from cxrgrid.evaluation import thresholds
from cxrgrid.inference import embedding, gallery_choice, gradcam, heat_layer, pointing_game
from cxrgrid.io.parquet import read_parquet, write_parquet
from demo_config import replaced
from small_cell import FRAME, RECIPE, write_cell
from test_workflow import TINY

NAMES = ("gallery", "pointing", "embedding")


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    return write_cell(tmp_path_factory.mktemp("explain") / "results", epochs=30)


@pytest.fixture(scope="module")
def data(cell):
    return cell.parents[6] / "data/toy"


def run(cell, data, out, *options):
    """The three tables, each with its facts."""
    explain.main([str(cell), "--data", str(data), "--out", str(out), *options])
    read = {name: read_parquet(out / f"{name}.parquet") for name in NAMES}
    return {name: (table.to_pandas(), facts) for name, (table, facts) in read.items()}


def copied(data, folder, **facts):
    """The dataset with other facts."""
    shutil.copytree(data, folder)
    table, old = read_parquet(folder / "table.parquet")
    write_parquet(table, folder / "table.parquet", old | facts)
    return folder


# ------------------------------------------------------------------ the gallery


@pytest.mark.parametrize("point", ["youden", "sensitivity=0.9"])
def test_the_gallery_agrees_with_the_cells_predictions(cell, data, tmp_path, point):
    rows, facts = run(cell, data, tmp_path, "--show-credentialed", "--threshold", point)["gallery"]
    test = read_parquet(cell / "predictions/toy.parquet")[0].to_pandas().set_index("image")
    val = read_parquet(cell / "predictions/val.parquet")[0].to_pandas()
    assert facts["rule"] == point.replace("=", " ") and len(rows) > 6
    for row in rows.itertuples():
        truth, score = test.loc[row.image, [f"y:{row.label}", f"p:{row.label}"]]
        cut = thresholds.threshold(
            val[f"y:{row.label}"].to_numpy(), val[f"p:{row.label}"].to_numpy(),
            operating_points.parse(point),
        )  # fmt: skip
        assert row.threshold == cut and row.probability == score
        right = "true" if (score >= cut) == (truth == 1) else "false"
        assert row.outcome == f"{right} {'positive' if score >= cut else 'negative'}"
        same = (test[f"y:{row.label}"] == truth) & (
            (test[f"p:{row.label}"] >= cut) == (score >= cut)
        )
        far = (test.loc[same, f"p:{row.label}"] - cut).abs()
        ends = {"most": far.max(), "least": far.min(), "only": far.max()}
        assert abs(score - cut) == ends[row.sure] and (row.sure == "only") == (len(far) == 1)


def test_unknown_truth_is_in_no_outcome_and_few_labels_are_shown():
    rng = np.random.default_rng(0)
    truth, scores = (rng.random((40, 10)) < 0.5).astype(float), rng.random((40, 10))
    truth[:, 3], truth[1:, 7] = np.nan, 0
    labels = [f"L{at}" for at in range(10)]
    rows = gallery_choice.choose(truth, scores, np.full(10, 0.5), labels)
    assert set(rows["label"]) == set(labels) - {"L3", "L7"}


def test_where_classes_compete_sure_is_the_distance_from_the_next():
    truth = np.eye(3)[[0, 0, 0, 1]]
    scores = np.array([[0.9, 0.1, 0], [0.5, 0.1, 0.4], [0.6, 0.3, 0.1], [0.55, 0.45, 0]])
    rows = gallery_choice.choose(truth, scores, np.full(3, np.nan), ["A", "B", "C"])
    of_a = rows[rows["label"] == "A"].set_index(["outcome", "sure"])["row"]
    assert of_a["true positive", "most"] == 0 and of_a["true positive", "least"] == 1
    assert of_a["false positive", "only"] == 3


def test_a_picture_is_the_image_and_at_its_right_the_overlay(cell, data, tmp_path):
    rows, _ = run(cell, data, tmp_path, "--show-credentialed")["gallery"]
    table = read_parquet(data / "table.parquet")[0].to_pandas().set_index("image")
    pixels = np.load(data / "pixels.npy")
    for row in rows.itertuples():
        shown = np.asarray(Image.open(io.BytesIO(row.picture)).convert("RGB")).astype(int)
        assert shown.shape == (32, 64, 3)
        apart = shown[:, :32].mean(axis=2) - pixels[table.loc[row.image, "row"]]
        assert np.abs(apart).mean() < 8, "as far as WebP keeps it"


@pytest.mark.parametrize(
    ("facts", "options", "shown"),
    [
        ({"credentialed": True}, [], False),
        ({}, [], False),  # data that do not say
        ({"credentialed": False}, [], True),
        ({"credentialed": True}, ["--show-credentialed"], True),
    ],
)
def test_credentialed_pixels_are_never_written_unasked(
    cell, data, tmp_path, facts, options, shown, monkeypatch
):
    made = []
    monkeypatch.setattr(explain, "picture", lambda *pair: made.append(pair) or b"picture")
    folder = copied(data, tmp_path / "toy", **facts)
    rows, said = run(cell, folder, tmp_path / "out", *options)["gallery"]
    assert len(rows) and bool(made) == shown and said["hidden"] != shown
    assert rows["picture"].isna().all() != shown


def test_heat_lies_on_the_patch_that_makes_the_label(cell, data):
    """The cell has learnt that label A is a bright square at the left, and B one at the right."""
    subject = explain.read(cell, data)
    model = subject.trained.network()
    shares = []
    layer = explain.layer_of(model, subject)
    for at in range(2):
        rows = np.flatnonzero(subject.split.labels[:, at] == 1)
        for of_image in explain.heat(model, subject, rows, np.full(len(rows), at), layer):
            left, right = of_image[:, :16].sum(), of_image[:, 16:].sum()
            shares.append((right if at else left) / max(left + right, 1e-9))
    assert np.mean(shares) > 0.55  # 0.5 by chance; the bits, and so this, differ between CPUs


# ------------------------------------------------------------------ the pointing game


@pytest.mark.parametrize("resize", ["squash", "fit", "crop"])
@pytest.mark.parametrize("frame", [None, (60, 90), (50, 50), (200, 200)])
@pytest.mark.parametrize("whole", [(100, 100), (120, 80), (90, 130)])
@pytest.mark.parametrize("size", [64, "72x48"])
def test_a_box_lies_where_its_pixels_come_to_lie(tmp_path, resize, frame, whole, size):
    """The reference: a white rectangle, decoded as any image."""
    recipe = preparation.Image(size=size, resize=resize)
    left, top, right, bottom = 42, 40, 58, 52
    pixels = np.zeros(whole[::-1], np.uint8)
    pixels[top:bottom, left:right] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    bright = decode(tmp_path / "a.png", recipe, frame) > 127
    rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    seen = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    used = part(tmp_path / "a.png", recipe, frame)
    placed = pointing_game.place((left, top, right, bottom), used, recipe)
    assert np.abs(np.subtract(placed, seen)).max() <= 1


def test_a_box_that_is_cut_away_is_none():
    recipe = preparation.Image(size=64, resize="crop")
    assert pointing_game.place((0, 0, 20, 20), (0, 0, 100, 50), recipe) is None
    assert pointing_game.place((20, 0, 40, 20), (0, 0, 100, 50), recipe)[0] == 0


def test_hits_and_margin_by_hand():
    wanted = pointing_game.inside((100, 100), [(20.0, 30.0, 40.0, 50.0)])
    # The margin of 3 pixels; a pixel counts by its centre.
    assert wanted.sum() == 26 * 26 and wanted[27, 17] and not wanted[26, 17]
    heat = np.zeros((100, 100))
    assert not pointing_game.hit(heat, np.ones((100, 100), bool)), "an empty map points nowhere"
    heat[52, 42], heat[90, 90] = 1, 0.9
    assert pointing_game.hit(heat, wanted)
    heat[90, 90] = 2
    assert not pointing_game.hit(heat, wanted)
    heat[:] = 0
    heat[20:61, 0:61] = 1  # a plateau: its middle is at 40, 30
    assert pointing_game.hit(heat, wanted)
    heat[20:61, 0:61] = 0
    heat[20:61, 0:21] = 1  # at 40, 10
    assert not pointing_game.hit(heat, wanted)


def test_the_margin_is_of_each_side_of_an_image_that_is_not_square():
    wanted = pointing_game.inside((100, 200), [(20.0, 30.0, 40.0, 50.0)])
    assert wanted.shape == (100, 200) and wanted.sum() == 26 * 32
    assert wanted[27, 14] and not wanted[26, 14] and not wanted[27, 13]


def test_wilsons_interval_is_that_of_the_book():
    """Altman et al. 2000, Statistics with Confidence: 81 of 263 is 0.2553 to 0.3662."""
    assert pointing_game.interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert np.isnan(pointing_game.interval(0, 0)).all()


BOXES = """Image Index,Finding Label,Bbox [x,y,w,h],,,
36.png,A,119.2,256.0,232.7,256.0,,,
36.png,B,628.4,256.0,232.7,256.0,,,
40.png,Infiltrate,1.0,2.0,3.0,4.0,,,
00.png,A,0.0,0.0,1024.0,1024.0,,,
"""


def test_the_list_of_boxes_is_read_as_nih_ships_it(tmp_path):
    assert nih.boxes(tmp_path) is None
    (tmp_path / nih.BOXES).write_text(BOXES)
    found = nih.boxes(tmp_path)
    assert found["label"].tolist() == ["A", "B", "Infiltration", "A"]
    assert found.loc[0, ["left", "bottom"]].tolist() == pytest.approx([119.2 / 1024, 0.5])
    (tmp_path / nih.BOXES).write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not the list of boxes"):
        nih.boxes(tmp_path)


def test_phantoms_in_nihs_layout_have_boxes_where_their_findings_are(tmp_path):
    """The reference: the same film without the finding, which differs inside of the box."""
    plan = {"findings": {"Nodule": 0.5, "Effusion": 0.5}, "ages": [20, 90], "views": {"PA": 1.0}}
    cohort = phantom.make_cohort(preparation.Phantom(patients=40), plan | {"images": 1})
    shares = []
    for row in [row for row in cohort if row["labels"]]:
        for label, box in phantom.boxes(row, ["Nodule", "Effusion"]).items():
            rest = {name: how for name, how in row["findings"].items() if name != label}
            films = [
                phantom.radiograph(row | {"findings": f}, 128) for f in (row["findings"], rest)
            ]
            change = np.abs(np.subtract(*films, dtype=float)) ** 2
            left, top, right, bottom = (round(128 * edge) for edge in box)
            shares.append(change[top:bottom, left:right].sum() / change.sum())
    assert len(shares) > 20 and np.median(shares) > 0.8
    arguments = '{"adapter": "nih", "patients": 12, "size": 64}'
    phantom.main([arguments, "--out", str(tmp_path / "nih")])
    listed, found = nih.read(tmp_path / "nih", {}), nih.boxes(tmp_path / "nih")
    labels = listed.set_index(listed["image"].str.split("/").str[-1])
    assert len(found) and all(
        labels.loc[row.name_, row.label] == 1
        for row in found.rename(columns={"name": "name_"}).itertuples()
    )
    assert (found[["left", "top"]] >= 0).all(axis=None) and (found["right"] <= 1).all()


def test_the_game_is_played_on_test_images_with_a_box(cell, data, tmp_path):
    """Square files of 40 pixels beside a hand-made list of boxes."""
    root = tmp_path / "files"
    root.mkdir()
    for path in (cell.parents[6] / "files").iterdir():
        Image.open(path).resize((40, 40)).save(root / path.name)
    (root / nih.BOXES).write_text(BOXES)
    folder = copied(data, tmp_path / "toy", adapter="nih", root=str(root))
    rows, facts = run(cell, folder, tmp_path / "out")["pointing"]
    assert list(rows[["image", "label"]].itertuples(index=False, name=None)) == [
        ("36.png", "A"), ("36.png", "B"),
    ]  # fmt: skip
    subject = explain.read(cell, folder)
    model = subject.trained.network()
    layer = heat_layer.find_layer(model, 32)
    for at, row in enumerate(rows.itertuples()):
        heat = gradcam.heat(model, layer, subject.pixels(np.array([0])), np.array([at]))[0]
        highest = np.argwhere(heat > heat.max() - 1e-6)
        centre = np.abs(highest - highest.mean(axis=0)).sum(axis=1).argmin()
        y, x = highest[centre]
        # The recipe pads nothing of a square of 40 pixels in a frame of 44 by 40.
        (left, top, right, bottom), margin = pointing_game.place(
            tuple((np.array([119.2, 256, 351.9, 512]) + [509.2 * at, 0, 509.2 * at, 0]) / 25.6),
            middle((40, 40), FRAME), RECIPE,
        ), 0.03 * 32  # fmt: skip
        inside = left - margin <= x + 0.5 <= right + margin
        inside &= top - margin <= y + 0.5 <= bottom + margin
        assert row.hit == (inside and heat.max() > 0)
        assert row.chance == pytest.approx((right - left) * (bottom - top) / 32**2, rel=0.6)
    assert facts["margin"] == 0.03 and facts["reason"] == ""


def test_without_boxes_it_says_so(cell, data, tmp_path):
    rows, facts = run(cell, data, tmp_path)["pointing"]
    assert rows.empty and facts["reason"] == "the dataset has no readers' boxes"


# ------------------------------------------------------------------ the embedding


def test_the_embedding_repeats_and_has_every_test_image(cell, data, tmp_path):
    first, second = (run(cell, data, tmp_path / name)["embedding"][0] for name in "ab")
    pd.testing.assert_frame_equal(first, second)
    table = read_parquet(data / "table.parquet")[0].to_pandas().query("split == 'test'")
    assert first["image"].tolist() == table["image"].tolist()
    names = {(0, 0): "none", (1, 0): "A", (0, 1): "B", (1, 1): "several"}
    wanted = [names[pair] for pair in table[["A", "B"]].itertuples(index=False, name=None)]
    assert first["finding"].tolist() == wanted and (first["view"] == "PA").all()
    assert np.isfinite(first[["x", "y"]]).all(axis=None)


def test_images_that_are_alike_come_to_lie_together():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 30)
    seen = rng.normal(size=(60, 20)).astype(np.float32) + 20 * groups[:, None]
    places = embedding.plane(seen)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(60, np.inf))
    assert (groups[apart.argmin(axis=1)] == groups).all()


def test_images_that_are_all_the_same_have_a_place():
    assert (embedding.plane(np.ones((8, 5), np.float32)) == 0).all()


def test_what_the_classifier_sees_gives_its_answers(cell, data):
    subject = explain.read(cell, data)
    model = subject.trained.network()
    rows = np.arange(len(subject.split.image))
    seen = embedding.features(model, subject.split, rows, subject.trained.batch)
    with torch.inference_mode():
        answers = model.get_classifier()(torch.from_numpy(seen)).sigmoid().numpy()
    np.testing.assert_allclose(answers, subject.made.scores, atol=1e-5)


def test_truth_that_is_not_known_is_no_finding():
    assert embedding.finding(np.array([0, np.nan]), ["A", "B"]) is None
    assert embedding.finding(np.array([1, np.nan]), ["A", "B"]) == "A"


# ------------------------------------------------------------------ which cells


def paths(**report):
    config = replaced(TINY, "grid.seeds", [1, 0])
    return [cell.path() for cell in Explained(Grid(config | {"report": report})).cells]


def test_the_first_seed_of_each_place_is_explained_or_all_or_none():
    """None of the dataset that is a start for the others only."""
    assert paths(explain="none") == [] and len(paths(explain="all")) == 4
    first = paths()
    assert first == [path for path in paths(explain="all") if path in first]
    assert sorted(first) == [
        "near/test_resnet/pretrained/default/seed1",
        "near/test_resnet/scratch/default/seed1",
    ]


def test_what_only_lends_weights_is_looked_up_once_for_all_cells(monkeypatch):
    grid, asked, targets = Grid(TINY | {"report": {"explain": "all"}}), [], Grid.targets
    monkeypatch.setattr(Grid, "targets", lambda self: asked.append(self) or targets(self))
    assert len(Explained(grid).cells) > len(asked) == 1


def test_a_study_that_explains_nothing_has_no_empty_figure():
    config = replaced(TINY, "report", {})
    assert "embedding" in Grid(config).figures()
    assert "embedding" not in Grid(replaced(config, "report.explain", "none")).figures()


def test_pixels_are_asked_for_only_of_phantoms_or_by_the_config():
    real = replaced(TINY, "datasets.near", {"adapter": "nih", "root": "no"})
    near, far = (type("", (), {"dataset": name}) for name in ("near", "far"))
    found = Explained(Grid(real))
    assert found.flags(far) == "--threshold youden --show-credentialed"
    assert found.flags(near) == "--threshold youden"
    report = {"operating_points": [{"specificity": 0.95}], "calibrate": "temperature"}
    found = Explained(Grid(real | {"report": report | {"show_credentialed": True}}))
    wanted = "--threshold specificity=0.95 --calibrate --show-credentialed"
    assert found.flags(near) == wanted


def test_other_test_images_than_the_cells_are_refused(cell, data, tmp_path):
    folder = copied(data, tmp_path / "toy")
    table, facts = read_parquet(folder / "table.parquet")
    write_parquet(table.slice(0, table.num_rows - 1), folder / "table.parquet", facts)
    with pytest.raises(UserError, match="other test images"):
        run(cell, folder, tmp_path / "out")


def test_a_network_without_a_map_is_explained_by_occlusion(cell, data, tmp_path, monkeypatch):
    """And an embedding that fails leaves the rest: nothing of it may end a study."""

    def none(*_):
        raise heat_layer.NoHeatMap("no heat map for this network: of this test")

    def fails(*_):
        raise RuntimeError("no features")

    monkeypatch.setattr(explain, "find_layer", none)
    monkeypatch.setattr(embedding, "features", fails)
    found = run(cell, data, tmp_path / "out", "--show-credentialed")
    rows, facts = found["gallery"]
    assert facts["method"] == "occlusion" and len(rows) and rows["picture"].notna().all()
    assert found["pointing"][1]["reason"] == "the network has no Grad-CAM map"
    assert len(found["embedding"][0]) == 0
