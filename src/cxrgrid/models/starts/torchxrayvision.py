"""torchxrayvision's DenseNet and ResNet: torchvision's names, and grey levels from −1024 to 1024.

Names: mlmed/torchxrayvision, torchxrayvision/models.py (DenseNet, whose published files hold a
pickled network, and ResNet, whose network is its part `model`); both have one input channel and
one output for each of 18 findings. Their `op_threshs` is set after the weights are read, so that
published files lack it. Grey levels: torchxrayvision/utils.py, `normalize`.
"""

from torch import Tensor

# (x − 0.5) · 2048 of grey levels from 0 to 1.
INPUT = {"mean": [0.5], "std": [1 / 2048]}
# The first convolution and the classifier, of each network.
ENDS = [("features.conv0.weight", "classifier.weight"), ("conv1.weight", "fc.weight")]
FINDINGS = 18


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout, with one channel and 18 findings."""
    if {"op_threshs", "features.conv0.weight"} <= weights.keys():
        return True
    pairs = [(weights[a].shape[1:2], weights[b].shape[:1]) for a, b in ENDS if {a, b} <= {*weights}]
    return ((1,), (FINDINGS,)) in pairs


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights, whose names are timm's."""
    return weights
