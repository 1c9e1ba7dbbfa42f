"""timm's families take the images that docs/networks.md says, and a dozen go all the way."""

import importlib.util

import breadth
import pytest
import timm

from cxrgrid import export
from cxrgrid.models import trials

ROWS = {row["backbone"]: row for row in breadth.read()}
QUICK = ["resnet10t", "densenet121", "convnext_atto", "mobilenetv3_small_050", "efficientvit_b0"]
QUICK += ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "vit_small_patch16_dinov3"]
QUICK += ["eva02_tiny_patch14_224", "beit_base_patch16_224", "dla46x_c", "vgg11"]
PARTS = 16
TRAINED = [row["backbone"] for row in ROWS.values() if row["size"]]
# Families whose members all share one network with another family, or have none that classifies.
ABSENT = {"timm.models.test_models"}


def test_the_page_is_the_tables():
    assert breadth.PAGE.read_text() == breadth.page([*ROWS.values()])


def test_every_family_of_timm_is_in_the_table():
    there = {timm.model_entrypoint(name).__module__ for name in ROWS}
    timms = {timm.model_entrypoint(name).__module__ for name in timm.list_models()}
    assert {name for name in timms if name.startswith("timm.")} - there <= ABSENT
    assert len(ROWS) >= 90 and len(TRAINED) >= 12


@pytest.mark.parametrize("part", range(3))
def test_a_dozen_networks_take_the_images_that_they_are_said_to_take(part):
    for backbone in QUICK[part::3]:
        for size, channels in zip(breadth.SIZES, (1, 3, 1), strict=True):
            refused = str(size) in ROWS[backbone]["refused"].split(", ")
            assert bool(breadth.shortly(backbone, size, channels)) == refused, (backbone, size)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_every_network_takes_the_images_that_it_is_said_to_take(part):
    for backbone in [*ROWS][part::PARTS]:
        assert breadth.refused(backbone, breadth.shortly) == ROWS[backbone]["refused"], backbone


@pytest.mark.long
@pytest.mark.parametrize("backbone", [name for name, row in ROWS.items() if row["refused"]])
def test_a_refusal_names_a_way_out(backbone):
    size = int(ROWS[backbone]["refused"].split(",")[0].split()[0])
    line = trials.refusal(backbone, size, 1)
    assert line.startswith(f"backbone {backbone} cannot take ") and "\n" not in line
    assert "set image.size to " in line or "set channels: 3" in line


@pytest.mark.long
@pytest.mark.parametrize("backbone", TRAINED)
def test_a_trained_network_goes_as_far_as_it_is_said_to_go(backbone, tmp_path):
    if any(importlib.util.find_spec(name) is None for name in export.EXTRA):
        pytest.skip("the extra `onnx` is not installed")
    row = ROWS[backbone]
    said = {name: row[name] for name in breadth.LIVED}
    assert breadth.lived(backbone, int(row["size"]), tmp_path) == said
