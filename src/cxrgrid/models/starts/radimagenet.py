"""RadImageNet's ResNet-50, DenseNet-121 and Inception-v3: the children of a network, numbered.

Names: BMEII-AI/RadImageNet, pytorch_example.ipynb, whose class Backbone is a sequence of the
children of torchvision's network, `backbone.0`, `backbone.1`, …; their own names are those of
pytorch/vision, torchvision/models (resnet.py, densenet.py, inception.py), and of timm. Its images
are scaled to −1 to 1: `(image-127.5)*2 / 255` in the same notebook.
"""

import re

from torch import Tensor

RESNET = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
DENSENET = ["features"]
INCEPTION = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1"]
INCEPTION += ["Conv2d_4a_3x3", "maxpool2", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a"]
INCEPTION += ["Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c"]
AUXILIARY = 15  # number of Inception's auxiliary classifier, where it was kept: before Mixed_7a
INPUT = {"mean": [0.5] * 3, "std": [0.5] * 3}
# By a key that only this network has.
CHILDREN = {"4.0.conv1.weight": RESNET, "0.conv0.weight": DENSENET, "0.conv.weight": INCEPTION}


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return any(key in weights for key in CHILDREN)


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    children = next(names for key, names in CHILDREN.items() if key in weights)
    if f"{AUXILIARY}.conv0.conv.weight" in weights:
        children = [*children[:AUXILIARY], "AuxLogits", *children[AUXILIARY:]]
    return {translate(name, children): tensor for name, tensor in weights.items()}


def translate(name: str, children: list[str]) -> str:
    """Name of one weight in timm."""
    found = re.fullmatch(r"(\d+)\.(.+)", name)
    if found and int(found[1]) < len(children):
        return f"{children[int(found[1])]}.{found[2]}"
    return name
