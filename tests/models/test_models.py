"""Networks by timm's name, and how they start from other weights."""

import hashlib

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from cxrgrid import models
from cxrgrid.config import checks
from cxrgrid.config.errors import UserError
from cxrgrid.data.split_arrays import Split
from cxrgrid.io.parquet import write_parquet
from cxrgrid.training.loss import make_optimizer
from test_train import make_cell


def test_names_in_the_config_are_timms_own():
    """Read from timm's sources without importing it: no name too many, hardly a tag too few."""
    names = checks.backbones()
    assert {name for name in names if "." not in name} == set(timm.list_models())
    assert len(set(timm.list_pretrained()) - names) < 0.03 * len(timm.list_pretrained())
    for name in timm.list_pretrained()[::100]:
        checks.check_backbone(name, names, "grid.backbones")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_vit"])
def test_weights_carry_over_but_the_classifier_is_fresh(tmp_path, backbone, channels):
    torch.manual_seed(0)
    source = models.build(make_cell(backbone=backbone, channels=channels), 14, 160)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    torch.manual_seed(1)
    model = models.build(make_cell(backbone=backbone, channels=channels), 3, 160)
    head = {
        k: v.clone()
        for k, v in model.state_dict().items()
        if k.startswith(("head.", "fc.", "classifier."))
    }
    models.start_from(model, tmp_path / "w.safetensors")
    for name, tensor in model.state_dict().items():
        expected = head.get(name, source.state_dict().get(name))
        assert torch.equal(tensor, expected), name


def test_a_cell_that_is_a_start_has_the_size_and_checksum_that_its_training_wrote(tmp_path):
    path = tmp_path / "model.safetensors"
    model = models.build(make_cell(), 2, 32)
    save_file(model.state_dict(), path)
    facts = {"model": models.size_and_checksum(path)}
    write_parquet({"epoch": [1]}, tmp_path / "history.parquet", facts)
    models.start_from(model, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UserError, match=r"model.safetensors: damaged, or of another training"):
        models.start_from(model, path)


@pytest.mark.parametrize(("had", "has"), [(3, 1), (1, 3)])
def test_another_number_of_channels_gives_the_same_answers_to_grey_images(tmp_path, had, has):
    """A first convolution summed over channels, or spread, sees a grey image as before."""
    torch.manual_seed(0)
    source = models.build(make_cell(channels=had), 2, 32).eval()
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    model = models.build(make_cell(channels=has), 2, 32).eval()
    models.start_from(model, tmp_path / "w.safetensors")
    grey = torch.rand(2, 1, 32, 32)
    before = source.forward_features(grey.expand(-1, had, -1, -1))
    assert torch.allclose(model.forward_features(grey.expand(-1, has, -1, -1)), before, atol=1e-5)


def test_weights_of_another_backbone_are_refused_by_name(tmp_path):
    other = models.build(make_cell(backbone="test_efficientnet"), 2, 32)
    save_file(other.state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"w\.safetensors: holds no conv1\.\S*weight"):
        models.start_from(models.build(make_cell(), 2, 32), tmp_path / "w.safetensors")


def test_weights_of_another_shape_are_refused_by_name(tmp_path):
    model = models.build(make_cell(), 2, 32)
    weights = model.state_dict()
    weights["layer1.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"layer1\.0\.conv1\.weight does not fit"):
        models.start_from(model, tmp_path / "w.safetensors")


def test_a_file_with_another_checksum_is_refused(tmp_path):
    model = models.build(make_cell(), 2, 32)
    path = tmp_path / "w.safetensors"
    save_file(model.state_dict(), path)
    models.start_from(model, path, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(UserError, match=r"w\.safetensors: its SHA-256 is [0-9a-f]{64}, not 00"):
        models.start_from(model, path, "0" * 64)


def test_what_is_not_safetensors_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\x80\x04 a pickle, perhaps")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        models.read_weights(tmp_path / "w.safetensors")


def test_answers_do_not_depend_on_the_batch_size():
    torch.manual_seed(0)
    model = models.build(make_cell(), 2, 32)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 32, 32), dtype=np.uint8)
    rows = np.array([3, 1, 4, 15, 9, 2, 6])
    split = Split(pixels, rows, np.zeros((7, 2), np.float32), [""] * 7, [""] * 7)
    one = models.logits(model, split, 1)
    assert torch.allclose(one, models.logits(model, split, 7), atol=1e-5)
    swapped = Split(pixels, rows[::-1].copy(), split.labels, split.image, split.patient)
    assert torch.allclose(models.logits(model, swapped, 3), one.flip(0), atol=1e-5)


def test_answers_are_kept_where_a_graph_writes_them_over(monkeypatch):
    """As CUDA graphs do: each run answers in the same memory."""
    model = models.build(make_cell(backbone="test_vit"), 3, 32)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 32, 32), dtype=np.uint8)
    split = Split(pixels, np.arange(6), np.zeros((6, 3), np.float32), [""] * 6, [""] * 6)
    expected, memory = models.logits(model, split, 2), torch.empty(2, 3)
    monkeypatch.setattr(models, "compiled", lambda *_: lambda x: memory.copy_(model(x)))
    assert models.logits(model, split, 2).equal(expected)


def test_probabilities_of_classes_add_up_to_one():
    answers = torch.randn(5, 3)
    assert models.probabilities(answers, "multiclass").sum(axis=1) == pytest.approx(1)
    assert models.probabilities(torch.zeros(1, 2), "multilabel") == pytest.approx(0.5)


def test_fixed_size_backbones_take_the_datasets_size():
    model = models.build(make_cell(backbone="test_vit"), 2, 64)
    assert model(torch.zeros(1, 1, 64, 64)).shape == (1, 2)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_vit"])
@pytest.mark.parametrize(
    ("settings", "first"), [({"train": "head"}, 99), ({"freeze_epochs": 2}, 3)]
)
def test_what_is_frozen_keeps_its_bits_until_its_epoch(backbone, settings, first):
    torch.manual_seed(0)
    cell = make_cell(backbone=backbone, weight_decay=0.1, **settings)
    model = models.build(cell, 2, 32)
    optimizer = make_optimizer(cell, model)
    for epoch in range(1, 5):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        models.set_trainable(model, cell, epoch)
        for _ in range(2):
            model(torch.rand(4, 1, 32, 32)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
        rest = {name for name in before if not models.in_classifier(model, name)}
        assert changed - rest, "the classifier learns in every epoch"
        assert bool(changed & rest) == (epoch >= first)
        if epoch >= first and backbone != "test_vit":
            assert any("running_mean" in name for name in changed)


def test_a_frozen_network_still_drops_out_before_its_classifier():
    model = models.build(make_cell(dropout=0.9), 2, 32)
    models.set_trainable(model, make_cell(train="head"), 1)
    images = torch.rand(2, 1, 32, 32)
    assert not torch.equal(model(images), model(images))
