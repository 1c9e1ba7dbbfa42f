"""Published weights: fetched once, and a clear way out where there is no network."""

import pytest
import timm
import torch
from safetensors.torch import load_file

from cxrgrid import weights
from cxrgrid.config import UserError


def test_without_a_network_it_says_where_to_put_the_file(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
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
