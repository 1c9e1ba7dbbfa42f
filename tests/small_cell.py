"""A finished cell over image files, small enough to train in a test."""

from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from cxrgrid import train
from cxrgrid.config import preparation
from cxrgrid.config.cell import Cell
from cxrgrid.data.image import decode
from cxrgrid.io.parquet import write_parquet

RECIPE = preparation.Image(size=32, resize="fit", crop_to="median", equalize="clahe")
FRAME = (44, 40)
SPLITS = ["train"] * 24 + ["val"] * 12 + ["test"] * 13


def write_cell(
    results: Path, task: str = "multilabel", size: int | str = RECIPE.size, **options
) -> Path:
    """results/data/toy with its files, and a trained cell; the cell's folder.

    A bright square at the left is label A, one at the right B; the last image is no square shape.
    """
    rng, image = np.random.default_rng(0), msgspec.structs.replace(RECIPE, size=size)
    labels = rng.integers(0, 2, (len(SPLITS), 2)).astype(float)
    if task == "multiclass":
        labels[:, 1] = 1 - labels[:, 0]
    root, data = results / "files", results / "data/toy"
    root.mkdir(parents=True)
    data.mkdir(parents=True)
    names = [f"{number:02}.png" for number in range(len(SPLITS))]
    for number, name in enumerate(names):
        pixels = rng.integers(0, 90, (40, 60 if number == len(names) - 1 else 44), dtype=np.uint8)
        pixels[10:20, 5:15] += np.uint8(120 * labels[number, 0])
        pixels[10:20, 27:37] += np.uint8(120 * labels[number, 1])
        Image.fromarray(pixels).save(root / name)
    np.save(data / "pixels.npy", np.stack([decode(root / name, image, FRAME) for name in names]))
    columns = {"image": names, "patient": names, "row": np.arange(len(names)), "split": SPLITS}
    columns |= {"view": ["PA"] * len(names), "A": labels[:, 0], "B": labels[:, 1]}
    recipe = msgspec.structs.asdict(image) | {"cropped_to": FRAME}
    facts = {"task": task, "labels": ["A", "B"], "split": "patient", "split_hash": "abc"}
    facts |= {"dataset": "toy", "terms": "For research only.", "source": "Drawn for a test."}
    facts |= {"image": recipe, "notes": [], "adapter": "folder", "root": str(root)}
    write_parquet(columns, data / "table.parquet", facts)
    cell = {"study": "t", "dataset": "toy", "backbone": "test_resnet", "init": "scratch"}
    cell |= {"recipe": "default", "seed": 0, "weights": "", "epochs": 8, "batch_size": 8}
    cell = msgspec.convert({**cell, "channels": 1, "lr": 0.003, **options}, Cell)
    out = results / "t/cells" / cell.path()
    train.main([msgspec.json.encode(cell).decode(), "--data", str(data), "--out", str(out)])
    return out
