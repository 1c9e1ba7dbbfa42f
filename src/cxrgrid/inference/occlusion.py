"""Occlusion (Zeiler and Fergus 2014): how much an answer falls where a tile of the image is hidden.

It asks nothing of a network but its answers, and so stands in where Grad-CAM finds no layer; one
picture costs `TILES` × `TILES` passes.
"""

import cv2
import numpy as np
import torch
from torch import nn

from cxrgrid import models
from cxrgrid.data.loader import send
from cxrgrid.inference.gradcam import rescaled

TILES = 8  # a side


@torch.inference_mode()
def heat(model: nn.Module, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fall of each image's asked logit: float32 [N, H, W], 0 to 1 within each image.

    pixels: uint8 [N, H, W]; labels: int [N]. A hidden tile has the image's mean grey. An image
    whose logit falls nowhere is 0.
    """
    images = send(torch.from_numpy(pixels), model.mean.device).unsqueeze(1).float() / 255
    asked = send(torch.tensor(labels, dtype=torch.int64), images.device).unsqueeze(1)

    def answer(shown: torch.Tensor) -> torch.Tensor:
        return model.eval()(models.normalise(shown, model)).gather(1, asked)[:, 0]

    height, width = pixels.shape[1:]
    whole, grey = answer(images), images.mean(dim=(2, 3))[:, :, None, None]
    falls = torch.zeros(len(images), TILES, TILES, device=images.device)
    for row, column in np.ndindex(TILES, TILES):
        hidden = images.clone()
        top, bottom = row * height // TILES, (row + 1) * height // TILES
        left, right = column * width // TILES, (column + 1) * width // TILES
        hidden[:, :, top:bottom, left:right] = grey
        falls[:, row, column] = whole - answer(hidden)
    evidence = falls.clamp(min=0).cpu().numpy()
    return np.stack([rescaled(cv2.resize(rescaled(one), (width, height))) for one in evidence])
