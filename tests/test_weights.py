"""Published weights: fetched once, and a clear way out where there is no network."""

import hashlib
from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from cxrgrid import weights
from cxrgrid.config.errors import UserError
from cxrgrid.models import hub, sizes


def test_without_a_network_it_says_where_to_put_the_file(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
    no_hub(monkeypatch)
    out = tmp_path / "resnet18.a1_in1k.safetensors"
    with pytest.raises(UserError) as error:
        weights.fetch("resnet18.a1_in1k", out)
    assert "huggingface.co/timm/resnet18.a1_in1k" in str(error.value)
    assert str(out) in str(error.value) and "\n" not in str(error.value)
    assert not out.exists()


def test_a_backbone_without_published_weights_is_refused(tmp_path):
    with pytest.raises(UserError, match="timm publishes no weights for eva_x_tiny.*use the init"):
        weights.fetch("eva_x_tiny_patch16_224", tmp_path / "x.safetensors")


def test_writes_the_whole_state_dict(tmp_path, monkeypatch):
    """The download itself is timm's; what is written is what timm gives."""
    torch.manual_seed(0)
    model = timm.create_model("test_resnet")
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: model)
    weights.main(["test_resnet.r160_in1k", "--out", str(tmp_path / "sub/w.safetensors")])
    written = load_file(tmp_path / "sub/w.safetensors")
    assert written.keys() == model.state_dict().keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in model.state_dict().items())
    line = (tmp_path / "sub/w.safetensors.sha256").read_text()
    hashed = hashlib.sha256((tmp_path / "sub/w.safetensors").read_bytes()).hexdigest()
    assert line == f"{hashed}  w.safetensors\n"


@pytest.mark.parametrize("name", ["test_resnet.r160_in1k", "model"])
def test_takes_the_file_that_was_put_there(tmp_path, name, capsys):
    torch.manual_seed(0)
    model = timm.create_model("test_resnet")
    save_file(model.state_dict(), tmp_path / f"{name}.safetensors")
    out = tmp_path / "out/w.safetensors"
    weights.main(["test_resnet.r160_in1k", "--from", str(tmp_path), "--out", str(out)])
    written = load_file(out)
    assert all(torch.equal(written[name], tensor) for name, tensor in model.state_dict().items())
    assert hashlib.sha256(out.read_bytes()).hexdigest() in capsys.readouterr().out


def no_hub(monkeypatch):
    """A hub that gives no answer; how often it was asked."""
    asked = []

    def head(*_, **__):
        asked.append(0)
        raise OSError("no route to host")

    monkeypatch.setattr(hub, "get_session", lambda: SimpleNamespace(head=head))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "PAUSE", 0)
    hub.unreachable.cache_clear()
    return asked


def test_without_a_network_it_takes_what_the_cache_holds(tmp_path, monkeypatch):
    asked = no_hub(monkeypatch)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    model, kept = timm.create_model("test_resnet"), tmp_path / "models--timm--test_resnet.r160_in1k"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs/main").write_text("abc")
    (kept / "snapshots/abc").mkdir(parents=True)
    save_file(model.state_dict(), kept / "snapshots/abc/model.safetensors")
    weights.fetch("test_resnet.r160_in1k", tmp_path / "w.safetensors")
    written = load_file(tmp_path / "w.safetensors")
    assert all(torch.equal(written[name], tensor) for name, tensor in model.state_dict().items())
    assert len(asked) == 2


@pytest.mark.parametrize("backbone", ["test_resnet.r160_in1k", "hf-hub--owner--name"])
def test_a_hub_that_does_not_answer_is_one_line_soon(tmp_path, monkeypatch, backbone):
    asked = no_hub(monkeypatch)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="huggingface.co cannot be reached: OSError") as error:
        weights.fetch(backbone, tmp_path / "w.safetensors")
    assert "Without a network: save" in str(error.value) and "\n" not in str(error.value)
    assert len(asked) == 2


def test_what_is_not_timms_says_what_to_do_instead(tmp_path, monkeypatch):
    no_hub(monkeypatch)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    kept = tmp_path / "models--owner--name"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs/main").write_text("abc")
    (kept / "snapshots/abc").mkdir(parents=True)
    (kept / "snapshots/abc/config.json").write_text('{"architectures": ["Dinov2Model"]}')
    assert "name the weights' file under weights:" in sizes.not_there("hf-hub--owner--name")
    assert "has none of this name" in sizes.not_there("resnet18x")
    assert not sizes.not_there("eva_x_tiny_patch16_224")


def test_a_folder_without_the_file_or_with_another_is_one_line(tmp_path):
    out, path = tmp_path / "out.safetensors", tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="holds none of test_resnet.r160_in1k.safetensors"):
        weights.fetch("test_resnet.r160_in1k", out, tmp_path)
    save_file(timm.create_model("test_vit").state_dict(), path)
    for folder in (tmp_path, path):  # a folder that holds it, or the file
        with pytest.raises(UserError, match="not the published weights of test_resnet") as error:
            weights.fetch("test_resnet.r160_in1k", out, folder)
        assert "\n" not in str(error.value) and not out.exists()
    path.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UserError, match="is a Git LFS pointer"):
        weights.fetch("test_resnet.r160_in1k", out, tmp_path)
