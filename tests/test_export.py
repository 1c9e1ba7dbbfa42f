"""The exported model is the cell's: timm, ONNX and the cell give the same logits."""

import importlib.util
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from cxrgrid import apply, export, models
from cxrgrid.config.errors import UserError
from cxrgrid.data.split_arrays import load_split
from cxrgrid.evaluation.score_columns import SCORES, schema
from cxrgrid.inference.trained_cell import read_trained
from cxrgrid.io.parquet import read_parquet, write_parquet
from small_cell import FRAME, write_cell

ONNX = all(importlib.util.find_spec(name) for name in export.EXTRA)
KINDS = [
    ("test_resnet", 1, "multilabel", 32),
    ("test_resnet", 3, "multiclass", 32),
    ("test_vit", 3, "multilabel", 32),
    ("test_vit", 1, "multilabel", "48x32"),
    ("au_cnn3", 1, "multilabel", 32),
    ("au_cnn3", 1, "multilabel", "40x32"),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join(map(str, kind)))
def exported(request, tmp_path_factory):
    """A cell's folder and what is exported of it."""
    backbone, channels, task, size = request.param
    folder = tmp_path_factory.mktemp("export")
    options = {"backbone": backbone, "channels": channels, "epochs": 2, "channels_last": True}
    cell = write_cell(folder / "results", task=task, size=size, **options)
    export.main(["--cell", str(cell), "--out", str(folder / "out")])
    return cell, folder / "out"


def test_timm_loads_the_folder_and_gives_the_same_logits(exported):
    cell, out = exported
    trained = read_trained(cell)
    split, _ = load_split(cell.parents[6] / "data/toy", "test")
    own = models.logits(trained.network(), split, 8)
    theirs = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    cfg = theirs.pretrained_cfg
    images = torch.from_numpy(split.pixels[split.rows]).unsqueeze(1).float() / 255
    mean, std = (torch.tensor(cfg[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        said = theirs((images - mean) / std)
    assert torch.allclose(said, own, atol=1e-5)
    assert theirs.num_classes == 2
    assert tuple(cfg["input_size"]) == (trained.cell.channels, *trained.recipe.shape)


def test_every_file_may_be_read_by_others(exported):
    modes = {path.name: path.stat().st_mode & 0o777 for path in exported[1].iterdir()}
    assert len(set(modes.values())) == 1, modes


def test_the_config_says_labels_thresholds_and_how_to_decode(exported):
    cell, out = exported
    config = json.loads((out / "config.json").read_text())
    trained = read_trained(cell)
    assert config["label_names"] == ["A", "B"] and config["architecture"] == trained.cell.backbone
    assert tuple(config["cxrgrid"]["image"]["cropped_to"]) == FRAME
    decided = trained.task == "multilabel"
    assert all((at is not None) == decided for at in config["cxrgrid"]["thresholds"].values())
    assert config["pretrained_cfg"].get("license") == "other"


def test_the_weights_are_those_of_the_cell(exported):
    cell, out = exported
    own, theirs = (load_file(folder / "model.safetensors") for folder in (cell, out))
    assert own.keys() == theirs.keys() and all(torch.equal(own[n], theirs[n]) for n in own)


def test_weights_of_two_names_are_written_under_both(tmp_path):
    """Layers that are one (coat's) are refused by safetensors as they are."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    with pytest.raises(RuntimeError, match="share memory"):
        save_file(model.state_dict(), tmp_path / "w.safetensors")
    model.register_state_dict_post_hook(export.separate)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    assert load_file(tmp_path / "w.safetensors").keys() == model.state_dict().keys()


def test_no_image_and_no_patient_is_named(exported):
    _, out = exported
    for name in ("config.json", "README.md"):
        assert "00.png" not in (out / name).read_text()


def test_the_card_says_what_must_be_said(exported):
    _, out = exported
    text = (out / "README.md").read_text()
    for words in ("For research only", "hash `abc`", "For research only.", "seed 0", "Not scored"):
        assert words in text
    assert ("import cxrgrid.models" in text) == ("# au_cnn3" in text)


def test_the_card_shows_the_cells_scores_with_intervals(tmp_path):
    cell = write_cell(tmp_path / "results", epochs=1)
    row = {"dataset": "toy", "backbone": "test_resnet", "init": "scratch", "recipe": "default"}
    row |= {"target": "toy", "subset": "all", "metric": "auroc", "threshold_rule": ""}
    row |= {"n": 13, "positives": 6, "patients": 13, "low": 0.5, "high": 0.9, "label": "A"}
    row |= {"fold": 0}
    rows = [row | {"seed": 0, "value": 0.75}, row | {"seed": 1, "value": 0.12}]
    table = pa.Table.from_pylist(rows, schema=schema(SCORES))
    write_parquet(table, tmp_path / "results/t/scores/toy.parquet", {})
    export.main(["--cell", str(cell), "--out", str(tmp_path / "out")])
    text = (tmp_path / "out/README.md").read_text()
    assert "| A | 13 (6) | 0.750 (0.500–0.900) |" in text and "0.120" not in text


@pytest.mark.slow
@pytest.mark.skipif(not ONNX, reason="the extra `onnx` is not installed")
@pytest.mark.parametrize(
    "backbone", ["test_resnet", pytest.param("test_vit", marks=pytest.mark.long)]
)
def test_onnx_gives_the_logits_for_any_number_of_images(tmp_path, backbone):
    import onnxruntime

    cell = write_cell(tmp_path / "results", backbone=backbone, epochs=1)
    export.main(["--cell", str(cell), "--out", str(tmp_path / "out"), "--onnx"])
    session = onnxruntime.InferenceSession(tmp_path / "out/model.onnx")
    model = read_trained(cell).network()
    for count in (1, 5):
        images = torch.rand(count, 1, 32, 32)
        with torch.inference_mode():
            own = model(images).numpy()
        assert np.allclose(session.run(None, {"images": images.numpy()})[0], own, atol=1e-4)


def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch):
    cell = write_cell(tmp_path / "results", epochs=1)
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnx" else 1)
    with pytest.raises(UserError, match="--onnx needs onnx: pip install onnx"):
        export.main(["--cell", str(cell), "--out", str(tmp_path / "out"), "--onnx"])


def test_a_knn_head_judges_new_images_and_is_not_exported(tmp_path):
    out = write_cell(tmp_path, train="head", head="knn", backbone="test_vit")
    arguments = ["--cell", str(out), "--out", str(tmp_path / "answers.csv")]
    apply.main([str(tmp_path / "files"), *arguments, "--heatmaps", str(tmp_path / "maps")])
    assert len(list((tmp_path / "maps").iterdir())) >= 49
    judged = pd.read_csv(tmp_path / "answers.csv")["p:A"].tail(13)
    known = read_parquet(out / "predictions/toy.parquet")[0]["p:A"].to_numpy()
    assert judged.to_numpy() == pytest.approx(known, abs=1e-5)
    with pytest.raises(UserError, match="head: knn is no layer that timm knows"):
        export.main(["--cell", str(out), "--out", str(tmp_path / "x")])
