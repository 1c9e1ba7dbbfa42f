"""Published weights: fetched once, and a clear way out where there is no network."""

import hashlib

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from cxrgrid import weights
from cxrgrid.config.errors import UserError


def test_without_a_network_it_says_where_to_put_the_file(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *_: None)
    out = tmp_path / "resnet18.a1_in1k.safetensors"
    with pytest.raises(UserError) as error:
        weights.fetch("resnet18.a1_in1k", out)
    assert "huggingface.co/timm/resnet18.a1_in1k" in str(error.value)
    assert str(out) in str(error.value) and "\n" not in str(error.value)
    assert not out.exists()


def test_a_backbone_without_published_weights_is_refused(tmp_path):
    with pytest.raises(UserError, match="timm publishes no weights for resnet10\\b|use the init"):
        weights.fetch("vit_tiny_patch16_384_no_such", tmp_path / "x.safetensors")


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


def test_without_a_network_it_takes_what_the_cache_holds(tmp_path, monkeypatch):
    model = timm.create_model("test_resnet")
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    create = timm.create_model

    def offline(name, pretrained, **more):
        if not more:
            raise OSError("no route to host")
        return create(name, pretrained=pretrained, **more)

    monkeypatch.setattr(timm, "create_model", offline)
    cached = str(tmp_path / "model.safetensors")
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *_: cached)
    weights.fetch("test_resnet.r160_in1k", tmp_path / "w.safetensors")
    written = load_file(tmp_path / "w.safetensors")
    assert all(torch.equal(written[name], tensor) for name, tensor in model.state_dict().items())


def test_a_folder_without_the_file_or_with_another_is_one_line(tmp_path):
    out = tmp_path / "out.safetensors"
    with pytest.raises(UserError, match="holds neither test_resnet.r160_in1k.safetensors"):
        weights.fetch("test_resnet.r160_in1k", out, tmp_path)
    other = timm.create_model("test_vit")
    save_file(other.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="not the published weights of test_resnet") as error:
        weights.fetch("test_resnet.r160_in1k", out, tmp_path)
    assert "\n" not in str(error.value) and not out.exists()
