"""Explain a trained cell: heat maps by outcome, the pointing game, an embedding of its features.

Writes three tables to --out. gallery.parquet: for each label and outcome the test images of which
the cell is most and least sure, as pictures, the image beside itself under its heat map (Grad-CAM,
or occlusion where the network has no layer for it); no picture of data that may not be
redistributed, unless --show-credentialed. pointing.parquet: for each image and label with a box of
NIH's readers, whether the map points into it. embedding.parquet: test images on a plane, near each
other where the network's features are (t-SNE).

Example:
  python -m cxrgrid.explain results/demo/cells/ward/…/seed0 --data results/data/ward \\
      --out results/demo/cells/ward/…/seed0/explain
"""

import dataclasses
import importlib
import io
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from threadpoolctl import threadpool_limits
from torch import nn

from cxrgrid.config import operating_points
from cxrgrid.config.errors import UserError
from cxrgrid.data import image
from cxrgrid.data.lungs import Box
from cxrgrid.data.split_arrays import Split, load_split
from cxrgrid.evaluation import thresholds
from cxrgrid.evaluation.predictions import Predictions, read_predictions
from cxrgrid.evaluation.recalibration import recalibrated
from cxrgrid.inference import embedding, gallery_choice, gradcam, occlusion, pointing_game
from cxrgrid.inference.heat_layer import Layer, NoHeatMap, find_layer
from cxrgrid.inference.trained_cell import Trained, read_trained
from cxrgrid.io import cli
from cxrgrid.io.atomic import make_folder
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.models.device import add_device, own

SIDE = 160  # pixels of a picture's image: no more than it has on a page
QUALITY = 75  # of WebP, 0 to 100: two images of 160 pixels take about 6 kB


@dataclass(frozen=True)
class Subject:
    """A cell, its test images and what it said of them; facts: of the dataset's table."""

    trained: Trained
    split: Split
    made: Predictions
    facts: dict

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """Some test images: uint8 [N, H, W]."""
        return self.split.pixels[self.split.rows[rows]]


def read(folder: Path, data: Path) -> Subject:
    """The cell to explain, with its data; `UserError` if it was tested on other images."""
    trained = read_trained(folder, data)
    split, facts = load_split(data, "test", trained.cell.image)
    path = folder / f"predictions/{trained.cell.dataset}.parquet"
    made = read_predictions(path, trained.cell)
    if made.image != split.image or made.facts["labels"] != trained.labels:
        raise UserError(f"{path}: is of other test images or labels than {data}; train anew")
    return Subject(trained, split, made, facts)


def heat(
    model: nn.Module, subject: Subject, rows: np.ndarray, labels: np.ndarray, layer: Layer | None
) -> list[np.ndarray]:
    """A map float32 [H, W] for each pair of a test image and a label; layer: None for occlusion."""
    batch, maps = subject.trained.batch, []
    for start in range(0, len(rows), batch):
        some = slice(start, start + batch)
        pixels, asked = subject.pixels(rows[some]), labels[some]
        if layer:
            maps += list(gradcam.heat(model, layer, pixels, asked))
        else:
            maps += list(occlusion.heat(model, pixels, asked))
    return maps


def layer_of(model: nn.Module, subject: Subject) -> Layer | None:
    """The layer for Grad-CAM; None, with a line in the log, where the network has none."""
    try:
        return find_layer(model, subject.split.pixels.shape[-2:])
    except NoHeatMap as error:
        logging.warning(f"{error}; occlusion instead")
        return None


# ------------------------------------------------------------------ the gallery


def gallery(
    model: nn.Module, subject: Subject, layer: Layer | None, point, calibrate: str, show: bool
) -> tuple:
    """The rows of gallery.parquet, and its facts; without a picture where none may be shown."""
    facts = subject.trained.val.facts
    fit = thresholds.fit(subject.trained.val, facts, (point,), calibrate)
    scores = recalibrated(subject.made, fit.by).scores
    rule, cut = next(iter(fit.thresholds.items()))
    frame = gallery_choice.choose(subject.made.labels, scores, cut, subject.trained.labels)
    rows = frame["row"].to_numpy(int)
    hidden = subject.facts.get("credentialed", True) and not show
    pictures = [None] * len(frame)
    if not hidden and len(frame):
        maps = heat(model, subject, rows, frame["at"].to_numpy(int), layer)
        pairs = zip(subject.pixels(rows), maps, strict=True)
        pictures = [picture(pixels, of_image) for pixels, of_image in pairs]
    columns = {"image": [subject.made.image[row] for row in rows]}
    columns |= {name: frame[name].to_numpy() for name in gallery_choice.COLUMNS[2:]}
    made = pd.DataFrame(columns | {"picture": pd.Series(pictures, dtype=object)})
    of_maps = "Grad-CAM" if layer else "occlusion"
    return made, {
        "rule": rule,
        "hidden": hidden,
        "images": len(subject.made.image),
        "method": of_maps,
    }


def picture(pixels: np.ndarray, of_image: np.ndarray) -> bytes:
    """The image, and at its right itself under the map, as WebP."""
    plain = gradcam.overlay(pixels, np.zeros_like(of_image), SIDE)
    both = Image.new("RGB", (2 * plain.width, plain.height))
    both.paste(plain, (0, 0))
    both.paste(gradcam.overlay(pixels, of_image, SIDE), (plain.width, 0))
    file = io.BytesIO()
    both.save(file, format="webp", quality=QUALITY)
    return file.getvalue()


# ------------------------------------------------------------------ the pointing game


def boxes(subject: Subject) -> tuple[pd.DataFrame, str]:
    """Test images and labels with their boxes in the array; and why some or all are left out.

    Columns: row, at (of the label), boxes (list of `lungs.Box`).
    """
    empty = pd.DataFrame(columns=["row", "at", "boxes"])
    adapter = importlib.import_module(f"cxrgrid.datasets.{subject.facts.get('adapter')}")
    root = Path(subject.facts.get("root", ""))
    marked = adapter.boxes(root) if hasattr(adapter, "boxes") else None
    if marked is None:
        return empty, "the dataset has no readers' boxes"
    names = {Path(name).name: row for row, name in enumerate(subject.made.image)}
    known = marked["name"].isin(names) & marked["label"].isin(subject.trained.labels)
    found: dict[tuple, list] = {}
    left_out = 0
    for (name, label), part in marked[known].groupby(["name", "label"], sort=True):
        row, at = names[name], subject.trained.labels.index(label)
        placed = configuration(root / subject.made.image[row], part, subject.trained)
        left_out += not placed
        found |= {(row, at): placed} if placed else {}
    rows = pd.DataFrame([(*pair, placed) for pair, placed in found.items()], columns=empty.columns)
    return rows, f"{left_out} boxes cannot be followed through the image recipe" * bool(left_out)


def configuration(path: Path, part: pd.DataFrame, trained: Trained) -> list[Box]:
    """The boxes of an image and label in the array; none of an image file that is no square.

    The boxes' own images are squares: another shape was cut or squashed by someone else.
    """
    width, height = image.sides(path)
    if width != height:
        return []
    used = image.part(path, trained.recipe, trained.frame)
    shares = part[["left", "top", "right", "bottom"]].to_numpy() * width
    placed = [pointing_game.place(tuple(box), used, trained.recipe) for box in shares.tolist()]
    return [box for box in placed if box]


def game(model: nn.Module, subject: Subject, layer: Layer | None) -> tuple[pd.DataFrame, dict]:
    """The rows of pointing.parquet, and its facts; chance: how much of the image is a hit."""
    rows, reason = boxes(subject)
    if not layer:
        rows, reason = rows[:0], "the network has no Grad-CAM map"
    pairs = rows["row"].to_numpy(int), rows["at"].to_numpy(int)
    maps = heat(model, subject, *pairs, layer) if len(rows) else []
    shape = subject.split.pixels.shape[-2:]
    wanted = [pointing_game.inside(shape, placed) for placed in rows["boxes"]]
    frame = pd.DataFrame(
        {
            "image": [subject.made.image[row] for row in pairs[0]],
            "label": [subject.trained.labels[at] for at in pairs[1]],
            "hit": [pointing_game.hit(*pair) for pair in zip(maps, wanted, strict=True)],
            "chance": [float(one.mean()) for one in wanted],
        }
    ).astype({"image": str, "label": str, "hit": bool, "chance": float})
    return frame, {"margin": pointing_game.MARGIN, "reason": reason}


# ------------------------------------------------------------------ the command


def explain(args) -> None:
    """Read a cell and its dataset, write the three tables."""
    subject = read(args.cell, args.data)
    model = subject.trained.network()
    facts = subject.trained.cell.axes()
    facts |= {"split_hash": subject.facts["split_hash"], "labels": subject.trained.labels}
    point = operating_points.parse(args.threshold, "--threshold")
    layer = layer_of(model, subject)
    rows, more = gallery(model, subject, layer, point, args.calibrate, args.show_credentialed)
    pointed, of_game = game(model, subject, layer)
    table = read_parquet(args.data / "table.parquet")[0].to_pandas()
    of_test = table[table["split"] == "test"]
    try:
        placed = embedding.embed(model, subject.split, of_test, subject.trained)
    except (AttributeError, TypeError, RuntimeError) as error:  # some give no features apart
        logging.warning(f"no embedding of this network ({type(error).__name__}: {error})")
        none = dataclasses.replace(subject.split, image=[])
        placed = embedding.embed(model, none, of_test[:0], subject.trained)
    make_folder(args.out)
    write_parquet(rows, args.out / "gallery.parquet", facts | more)
    write_parquet(pointed, args.out / "pointing.parquet", facts | of_game)
    write_parquet(placed, args.out / "embedding.parquet", facts)


def main(argv: list[str] | None) -> None:
    """Explain one cell."""
    parser = cli.parser("explain", __doc__)
    parser.add_argument("cell", type=Path, help="the folder of a finished cell")
    parser.add_argument("--data", type=Path, required=True, help="results/data/{dataset}")
    parser.add_argument("--threshold", default="youden", help="operating point: youden, 0.2, …")
    cli.add_recalibration(parser)
    parser.add_argument(
        "--show-credentialed", action="store_true", help="pictures also of data under an agreement"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    add_device(parser)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the three tables")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    with own(args), threadpool_limits(args.threads):
        explain(args)


if __name__ == "__main__":
    cli.run(main)
