"""t-SNE of a network's features of the test images."""

import numpy as np
import pandas as pd
import torch
from sklearn.manifold import TSNE
from torch import nn

from cxrgrid import models
from cxrgrid.data.loader import send
from cxrgrid.data.split_arrays import Split
from cxrgrid.inference.trained_cell import Trained

IMAGES = 2000  # at most
FEWEST = 5  # images that a plane is made of
PERPLEXITY = 30  # how many neighbours count as near: the usual value, less for few images
COLUMNS = ["image", "x", "y", "finding", "view", "source"]


def embed(model: nn.Module, split: Split, table: pd.DataFrame, trained: Trained) -> pd.DataFrame:
    """One row per image, `COLUMNS`; empty if there are too few, evenly chosen if too many.

    table: rows of table.parquet of the split's images, in their order. finding: the label of an
    image that has one; else `several`, `none`, or null if that is unknown.
    """
    count = len(split.image)
    rows = np.linspace(0, count - 1, min(IMAGES, count)).astype(int)
    rows = rows if count >= FEWEST else rows[:0]
    configurations = np.zeros((0, 2))
    if len(rows):
        configurations = plane(features(model, split, rows, trained.batch))
    some = table.iloc[rows]
    columns = {
        "image": some["image"].to_numpy(),
        "x": configurations[:, 0],
        "y": configurations[:, 1],
    }
    columns["finding"] = [finding(truth, trained.labels) for truth in split.labels[rows]]
    for name in ("view", "source"):
        columns[name] = some[name].to_numpy() if name in some else [None] * len(some)
    frame = pd.DataFrame(columns, columns=COLUMNS)
    texts = dict.fromkeys(["image", "finding", "view", "source"], "str")
    return frame.astype({"x": "float64", "y": "float64"} | texts)


@torch.inference_mode()
def features(model: nn.Module, split: Split, rows: np.ndarray, batch: int) -> np.ndarray:
    """Features of some images of a split at the classifier's input: float32 [N, D]."""
    found = []
    for part in np.array_split(rows, max(1, -(-len(rows) // batch))):
        pixels = send(torch.from_numpy(split.pixels[split.rows[part]]), model.mean.device)
        seen = models.normalise(pixels.unsqueeze(1).float() / 255, model)
        pooled = model.forward_head(model.forward_features(seen), pre_logits=True)
        found.append(pooled.float().flatten(1))
    return torch.cat(found).cpu().numpy()


def plane(seen: np.ndarray) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton 2008) of features [N, D]: float [N, 2].

    Zeros if all images have the same features.
    """
    seen = seen[:, np.ptp(seen, axis=0) > 0]
    if not seen.shape[1]:
        return np.zeros((len(seen), 2))
    near = min(PERPLEXITY, (len(seen) - 1) / 3)
    start = "pca" if seen.shape[1] > 1 else "random"
    return TSNE(perplexity=near, init=start, random_state=0).fit_transform(seen)


def finding(truth: np.ndarray, labels: list[str]) -> str | None:
    """Finding of an image in a word. truth: [L], 1, 0 or NaN."""
    present = [label for label, value in zip(labels, truth, strict=True) if value == 1]
    if len(present) == 1:
        return present[0]
    return "several" if present else None if np.isnan(truth).any() else "none"
