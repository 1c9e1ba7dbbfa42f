"""torchxrayvision's DenseNet: torchvision's names, and grey levels from −1024 to 1024.

Names: mlmed/torchxrayvision, torchxrayvision/models.py (DenseNet, whose buffer is op_threshs);
grey levels: torchxrayvision/utils.py, `normalize`. Its published files hold a pickled network: they
are read once it has been converted to its state dict.
"""

from torch import Tensor

# (x − 0.5) · 2048 of grey levels from 0 to 1.
INPUT = {"mean": [0.5], "std": [1 / 2048]}


def recognise(names: set[str]) -> bool:
    """True for keys of this layout."""
    return {"op_threshs", "features.conv0.weight"} <= names


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights, whose names are timm's."""
    return weights
