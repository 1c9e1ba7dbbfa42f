"""Starts: any usual file, layout, prefix and size, one line on what fitted, one on what did not."""

import argparse
import json
import pickle
import re
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import timm
import torch
from safetensors.torch import save_file

from cxrgrid import models
from cxrgrid.config.check_starts import check_checkpoint, check_start, weights_file
from cxrgrid.config.errors import UserError
from cxrgrid.io.parquet import write_parquet
from cxrgrid.models import checkpoint_file
from cxrgrid.models.beside import resize_note
from long_tests import by_turns
from test_train import make_cell


def network(backbone="test_resnet", size=64, labels=3, seed=1, **cell):
    torch.manual_seed(seed)
    return models.build(make_cell(backbone=backbone, **cell), labels, size).eval()


def outcome(model, size):
    with torch.inference_mode():
        return model.forward_features(torch.linspace(0, 1, size * size).view(1, 1, size, size))


def same(one, other):
    """The two networks agree but for their classifiers."""
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for (n, a), b in pairs if not models.in_classifier(one, n))


@pytest.mark.parametrize("ending", [".safetensors", ".pth", ".pt", ".pth.tar", ".bin", ".ckpt"])
def test_every_ending_is_read(tmp_path, ending):
    source, model = network(seed=0), network()
    path = tmp_path / f"w{ending}"
    write = save_file if ending == ".safetensors" else torch.save
    write(source.state_dict(), path)
    models.start_from(model, path)
    assert same(source, model)


WRAPPED = {
    "lightning": lambda w: {"state_dict": {f"model.{n}": t for n, t in w.items()}, "epoch": 3},
    "data parallel": lambda w: {"net": {f"module.{n}": t for n, t in w.items()}},
    "mae": lambda w: {"model": w, "args": argparse.Namespace(lr=0.1)},
    "dino": lambda w: {
        "student": {f"module.backbone.{n}": torch.zeros_like(t) for n, t in w.items()},
        "teacher": {f"backbone.{n}": t for n, t in w.items()},
    },
    "dinov2": lambda w: (
        {f"teacher.backbone.{n}": t for n, t in w.items()}
        | {f"student.backbone.{n}": torch.zeros_like(t) for n, t in w.items()}
    ),
    "open_clip": lambda w: (
        {f"visual.trunk.{n}": t for n, t in w.items()}
        | {"logit_scale": torch.zeros(1), "text.proj.weight": torch.zeros(4, 4)}
    ),
    "segmentation": lambda w: (
        {f"encoder.{n}": t for n, t in w.items()}
        | {f"decoder.{n}.weight": torch.zeros(2) for n in range(5)}
    ),
}


@pytest.mark.parametrize("wrapped", WRAPPED)
@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_prefixes_and_places_are_found(tmp_path, wrapped, backbone):
    source, model = network(backbone, seed=0), network(backbone)
    torch.save(WRAPPED[wrapped](source.state_dict()), tmp_path / "w.pth")
    line = models.start_from(model, tmp_path / "w.pth")
    assert same(source, model)
    assert re.match(r"matched \d+ of \d+ tensors; new: (fc|head)\.\*", line)
    if wrapped == "segmentation":
        assert "decoder.* (5)" in line


def test_the_line_counts(tmp_path):
    source = network(seed=0)
    weights = source.state_dict()
    save_file(
        weights | {f"decoder.{n}": torch.zeros(1) for n in range(48)}, tmp_path / "w.safetensors"
    )
    line = models.start_from(network(), tmp_path / "w.safetensors")
    count = len(weights)
    assert line == f"matched {count - 2} of {count} tensors; new: fc.*; left out: decoder.* (48)"


@pytest.mark.parametrize(("had", "has"), [(160, 64), (64, 160)])
def test_another_size_resamples_positions(tmp_path, had, has):
    source = network("test_vit", had, seed=0)
    with torch.no_grad():
        source.pos_embed.copy_(
            torch.linspace(0, 1, source.pos_embed.numel()).view_as(source.pos_embed)
        )
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    model = network("test_vit", has)
    models.start_from(model, tmp_path / "w.safetensors")
    assert torch.equal(model.blocks[0].attn.qkv.weight, source.blocks[0].attn.qkv.weight)
    assert torch.equal(model.pos_embed[:, 0], source.pos_embed[:, 0]), (
        "the class token has no place"
    )
    middle = [net.pos_embed[:, 1:].mean().item() for net in (model, source)]
    assert middle[0] == pytest.approx(middle[1], abs=0.02)


RESAMPLED = ["pit_ti_224", "swin_tiny_patch4_window7_224", "toh_xvt", "visformer_tiny"]


@pytest.mark.parametrize("backbone", [*RESAMPLED, "gcvit_xxtiny"])
def test_positions_of_other_shapes_are_resampled_too(tmp_path, backbone):
    save_file(network(backbone, 224, seed=0).state_dict(), tmp_path / "w.safetensors")
    models.start_from(network(backbone, 96), tmp_path / "w.safetensors")


def refused(tmp_path, name="w.pth", **cell):
    with pytest.raises(UserError) as error:
        models.start_from(network(**cell), tmp_path / name)
    assert "\n" not in str(error.value) and name in str(error.value)
    return str(error.value)


class Network:
    """An object that runs code when it is unpickled."""

    def __reduce__(self):
        return (print, ("this would have run",))


def test_a_pickled_network_runs_nothing_and_is_refused_with_the_command(tmp_path, capsys):
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Network()))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    for name in ("w.pth", "whole.pt"):
        assert "Where you trust its publisher, convert it: python -c" in refused(tmp_path, name)
    assert "this would have run" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("beside", by_turns([True, False], 1))
def test_the_command_converts(tmp_path, beside):
    """A pickled network, and weights beside something that is no tensor."""
    source = network(seed=0)
    torch.save(
        {"state_dict": source.state_dict(), "at": tmp_path} if beside else source, tmp_path / "w.pt"
    )
    command = (
        refused(tmp_path, "w.pt").split("convert it: ")[1].replace("python", sys.executable, 1)
    )
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    model = network()
    models.start_from(model, tmp_path / "w.safetensors")
    assert same(source, model)


BROKEN = {
    "empty": (b"", "is empty"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    "page": (b"\n<!doctype html><html>", "is a web page"),
    "text": (b"404: Not Found", "is no checkpoint of torch"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_checkpoint_is_one_line(tmp_path, kind):
    content, words = BROKEN[kind]
    (tmp_path / "w.pth").write_bytes(content)
    assert words in refused(tmp_path)


def test_a_folder_and_a_file_cut_short_are_one_line(tmp_path):
    (tmp_path / "folder.pth").mkdir()
    assert "is a folder" in refused(tmp_path, "folder.pth")
    assert "cannot be read" in refused(tmp_path, "nowhere.pth")
    torch.save(network().state_dict(), tmp_path / "whole.pth")
    save_file(network().state_dict(), tmp_path / "whole.safetensors")
    for ending in ("pth", "safetensors"):
        whole = (tmp_path / f"whole.{ending}").read_bytes()
        (tmp_path / f"w.{ending}").write_bytes(whole[: len(whole) // 2])
        refused(tmp_path, f"w.{ending}")
    assert "cut short" in refused(tmp_path, "w.pth")


def test_a_program_and_weights_that_are_no_numbers_are_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("w/constants.pkl", "")
    assert "is a TorchScript program" in refused(tmp_path)
    weights = network().state_dict()
    weights["layer1.0.conv1.weight"][0] = torch.nan
    torch.save(weights, tmp_path / "w.pth")
    assert "layer1.0.conv1.weight holds values that are not finite" in refused(tmp_path)


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_a_file_cut_short_stops_at_the_plan(tmp_path, ending):
    path = tmp_path / f"w.{ending}"
    (save_file if ending == "safetensors" else torch.save)(network().state_dict(), path)
    check_checkpoint(str(path), "weights.x")
    whole = path.read_bytes()
    path.write_text("<!doctype html>")
    with pytest.raises(UserError, match=r"weights.x: .* is a web page, not the weights; take the"):
        check_checkpoint(str(path), "weights.x")
    path.write_bytes(whole)
    for length in (5, path.stat().st_size // 2, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:length] if length > 5 else b"PK\x03\x04x")
        with pytest.raises(UserError, match=r"weights.x: .* bytes\); fetch it again"):
            check_checkpoint(str(path), "weights.x")


def test_another_architecture_and_too_few_weights_are_refused(tmp_path):
    torch.save(timm.create_model("test_efficientnet").state_dict(), tmp_path / "w.pth")
    assert re.search(r"fills \d+% of the backbone \(95% is the least\)", refused(tmp_path))
    weights = network(seed=0).state_dict()
    for name in ("layer4.0.conv2.weight", "layer4.0.conv1.weight"):
        del weights[name]
    torch.save(weights, tmp_path / "w.pth")
    assert "holds no layer4.0.conv1.weight" in refused(tmp_path)
    weights = network(seed=0).state_dict()
    del weights["bn1.running_mean"]
    torch.save(weights, tmp_path / "w.pth")
    assert "holds no bn1.running_mean" in refused(tmp_path)


SMALL = {"depth": 2, "embed_dim": 32, "num_heads": 2, "in_chans": 1, "img_size": 64}
KINDS = {
    "deeper": ({"depth": 3}, "holds a weight blocks.2.norm1.weight"),
    "with a norm before": ({"pre_norm": True}, "holds a weight norm_pre.weight"),
    "with norms of keys": ({"qk_norm": True}, "holds a weight blocks.0.attn.q_norm.weight"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_a_network_that_holds_more_in_its_blocks_are_refused(tmp_path, kind):
    """All that the backbone asks for is there, and it would be another network all the same."""
    more, words = KINDS[kind]
    plain, other = (
        timm.create_model("vit_tiny_patch16_224", **SMALL | options) for options in ({}, more)
    )
    torch.save(other.state_dict(), tmp_path / "w.pth")
    with pytest.raises(UserError, match=f"{words}, and the backbone is of the other kind"):
        models.start_from(plain, tmp_path / "w.pth")
    if kind != "deeper":  # then too few are filled
        torch.save(plain.state_dict(), tmp_path / "w.pth")
        with pytest.raises(UserError, match=words.replace("holds a", "has no")):
            models.start_from(other, tmp_path / "w.pth")


def test_a_network_with_other_tokens_is_refused_in_one_line(tmp_path):
    """At another size its positions would have no grid."""
    tokens = {"reg_tokens": 4, "no_embed_class": True}
    made = [SMALL | {"img_size": 96}, SMALL | tokens]
    plain, other = (timm.create_model("vit_tiny_patch16_224", **options) for options in made)
    for source, model, words in ((other, plain, "holds a"), (plain, other, "has no")):
        torch.save(source.state_dict(), tmp_path / "w.pth")
        with pytest.raises(UserError, match=f"{words} weight reg_token"):
            models.start_from(model, tmp_path / "w.pth")


def test_numbers_of_numpy_are_read_and_whole_numbers_are_no_weights(tmp_path):
    weights = network(seed=0).state_dict()
    torch.save({"state_dict": weights, "best": np.float64(0.9)}, tmp_path / "w.pth")
    model = network()
    models.start_from(model, tmp_path / "w.pth")
    assert same(model, network(seed=0))
    torch.save({name: value.numpy() for name, value in weights.items()}, tmp_path / "w.pth")
    model = network()
    models.start_from(model, tmp_path / "w.pth")
    assert same(model, network(seed=0))
    torch.save({n: value.to(torch.int8) for n, value in weights.items()}, tmp_path / "w.pth")
    assert "holds int8 values" in refused(tmp_path)


def test_other_classes_start_with_a_classifier_of_their_own(tmp_path):
    save_file(network(labels=1000, seed=0).state_dict(), tmp_path / "w.safetensors")
    model = network(labels=3)
    before = model.fc.weight.clone()
    models.start_from(model, tmp_path / "w.safetensors")
    assert torch.equal(model.fc.weight, before)


def test_the_input_of_a_hugging_face_folder_is_the_starts(tmp_path):
    """RAD-DINO's keys are DINOv2's; its own mean and deviation stand beside its weights."""
    save_file(network(seed=0).state_dict(), tmp_path / "model.safetensors")
    beside = tmp_path / "preprocessor_config.json"
    beside.write_text(
        '{"image_mean": [0.5307, 0.5307, 0.5307], "image_std": [0.2583, 0.2583, 0.2583]}'
    )
    for channels in (1, 3):
        model = network(channels=channels)
        models.start_from(model, tmp_path / "model.safetensors")
        assert model.mean.flatten().tolist() == pytest.approx([0.5307] * channels)
        assert model.std.flatten().tolist() == pytest.approx([0.2583] * channels)
    usual = network().mean
    for text in ("{", "[]", '{"image_mean": 3}', '{"image_mean": [0.5], "image_std": [0]}'):
        beside.write_text(text)
        model = network()
        models.start_from(model, tmp_path / "model.safetensors")
        assert torch.equal(model.mean, usual)


def test_the_input_beside_an_open_clip_checkpoint_is_the_starts(tmp_path):
    """BiomedCLIP's tower is timm's vit_base_patch16_224, whose own mean and deviation are 0.5."""
    weights = {f"visual.trunk.{n}": t for n, t in network(seed=0).state_dict().items()}
    torch.save(weights | {"logit_scale": torch.zeros(1)}, tmp_path / "w.bin")
    levels = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
    text = json.dumps({"model_cfg": {}, "preprocess_cfg": levels})
    (tmp_path / "open_clip_config.json").write_text(text)
    model = network()
    models.start_from(model, tmp_path / "w.bin")
    assert model.mean.item() == pytest.approx(0.45) and model.std.item() == pytest.approx(0.27)
    note = resize_note(tmp_path / "w.bin", {}, {})
    assert note == "; trained on images resized by bicubic, here by area (image.interpolation)"
    assert resize_note(tmp_path / "w.bin", {}, {"interpolation": "bicubic"}) == ""
    (tmp_path / "preprocessor_config.json").write_text('{"resample": 2, "rescale_factor": 1}')
    assert "resized by bilinear" in resize_note(tmp_path / "w.bin", {}, {})
    timms = {"interpolation": "bicubic"}
    assert "by bicubic" in resize_note("results/weights/resnet18.safetensors", timms, {})
    assert resize_note("results/t/cells/x/model.safetensors", timms, {}) == ""


@pytest.mark.parametrize(("theirs", "own"), [("bicubic", "area"), ("area", "lanczos")])
def test_a_start_from_a_cell_whose_images_were_resized_otherwise_says_so(tmp_path, theirs, own):
    image = {} if theirs == "area" else {"interpolation": theirs}
    write_parquet(pa.table({"epoch": [1]}), tmp_path / "history.parquet", {"image": image})
    note = resize_note(tmp_path / "model.safetensors", {}, {"interpolation": own})
    assert f"resized by {theirs}, here by {own}" in note
    assert resize_note(tmp_path / "model.safetensors", {}, {"interpolation": theirs}) == ""


def test_a_start_brings_its_own_input_and_its_cells_keep_it(tmp_path):
    """torchxrayvision's networks see −1024 to 1024; what starts from such a cell does as well."""
    weights = network("densenet121", seed=0).state_dict()
    torch.save(weights | {"op_threshs": torch.zeros(18)}, tmp_path / "xrv.pt")
    for channels in (1, 3):
        model = network("densenet121", channels=channels)
        line = models.start_from(model, tmp_path / "xrv.pt")
        assert line.endswith("left out: op_threshs")
        ends = models.normalise(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), model)
        assert ends.flatten().tolist() == [-1024.0] * channels + [1024.0] * channels
    cell = make_cell(backbone="densenet121")
    model = network("densenet121")
    assert models.input.metadata(model, cell) is None
    models.start_from(model, tmp_path / "xrv.pt")
    save_file(model.state_dict(), tmp_path / "m.safetensors", models.input.metadata(model, cell))
    assert checkpoint_file.metadata(tmp_path / "m.safetensors") == {
        "mean": [0.5],
        "std": [1 / 2048],
    }
    other = network("densenet121")
    models.start_from(other, tmp_path / "m.safetensors")
    assert other.std.item() == 1 / 2048
    kept = network("densenet121", weights_mean=(0.4,), weights_std=(0.2,))
    models.start_from(kept, tmp_path / "xrv.pt", own_input=True)
    assert np.allclose([kept.mean.item(), kept.std.item()], [0.4, 0.2])


def test_a_start_that_is_not_there_or_of_another_kind_stops_at_the_plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(network().state_dict(), "w.xyz")
    torch.save(network().state_dict(), "resnet18.a1_in1k.pth")
    save_file(network().state_dict(), "resnet18.a1_in1k.safetensors")
    (tmp_path / "text.pth").write_text("404: Not Found")
    said = {
        "w.xyz": "'w.xyz' has none of the endings .safetensors, .pth",
        "resnet18.pth": "no file 'resnet18.pth'; did you mean 'resnet18.a1_in1k.pth'",
        ".": "did you mean 'resnet18.a1_in1k.safetensors'",
        "elsewhere": "no file 'elsewhere/resnet18.safetensors'",
        "text.pth": "text.pth is no checkpoint of torch",
    }
    for file, words in said.items():
        with pytest.raises(UserError, match=re.escape(words)) as error:
            check_start(weights_file(file, "resnet18"), "weights.x")
        assert "\n" not in str(error.value)
    check_start("resnet18.a1_in1k.pth", "weights.x")
