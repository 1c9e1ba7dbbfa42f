"""Backbones of a hub or a folder: one name in the config, one that a path can hold."""

import json

import pytest
import timm
from timm.models import save_for_hf

from cxrgrid import models
from cxrgrid.config.backbone_names import path_name, timm_name
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.models import trials
from demo_config import DEMO, replaced
from test_train import make_cell


@pytest.mark.parametrize(
    "name", ["hf-hub:timm/resnet18.a1_in1k", "local-dir:nets/mine", "resnet18"]
)
def test_a_name_comes_back_from_its_path(name):
    assert timm_name(path_name(name)) == name
    assert not set(path_name(name)) & set(":/")


def axes(**grid):
    return replaced(DEMO, "grid", {"datasets": ["ward"], "inits": ["scratch"], **grid})


def test_a_hub_is_a_backbone_with_a_folder_of_its_own():
    for name in ("hf-hub:timm/resnet18.a1_in1k", "hf_hub:timm/resnet18.a1_in1k"):
        cell = Grid(axes(backbones=[name])).cells[0]
        assert cell.backbone == "hf-hub--timm--resnet18.a1_in1k"
        assert cell.path().startswith("ward/hf-hub--timm--resnet18.a1_in1k/scratch/")
    with pytest.raises(UserError, match="write hf-hub:owner/name"):
        Grid(axes(backbones=["hf-hub:resnet18"]))


def test_a_folder_is_a_backbone_built_for_the_size(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"nets/mine/config\.json cannot be read"):
        Grid(axes(backbones=["local-dir:nets/mine"]))
    network = timm.create_model("test_vit", num_classes=7)
    save_for_hf(network, tmp_path / "nets/mine", safe_serialization=True)
    cell = Grid(axes(backbones=["local-dir:nets/mine"])).cells[0]
    assert trials.refusal(cell.backbone, 96, 1) == ""
    model = models.build(make_cell(backbone=cell.backbone), 3, 96)
    assert type(model) is type(network) and not models.is_own(cell.backbone)
    (tmp_path / "nets/mine/config.json").write_text(json.dumps({"model_type": "dinov2"}))
    with pytest.raises(UserError, match="names no `architecture`"):
        Grid(axes(backbones=["local-dir:nets/mine"]))


@pytest.mark.parametrize("name", ["local-dir:/nets/mine", "local-dir:nets--mine", "local-dir:n/"])
def test_a_folder_that_could_not_be_a_folder_of_results_is_refused(name):
    with pytest.raises(UserError, match="a folder below this one, without"):
        Grid(axes(backbones=[name]))
