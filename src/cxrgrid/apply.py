"""Predict new images with a trained cell: probabilities, decisions and, if asked for, heat maps.

IMAGES are files or folders, which are searched to any depth: PNG, JPEG, TIFF, BMP, DICOM. They are
decoded as the images were on which the cell was trained. Each file is a row; one that cannot be
read says why. Columns: image, reason (null where it was read), note, rule, and for each label
p:<label> (probability), threshold:<label> and decision:<label> (1: present). --threshold is youden,
a number, sensitivity=0.9 or specificity=0.9, fitted on the cell's own validation images; where
classes compete the highest probability decides. For research only: no medical device.

Example:
  python -m cxrgrid.apply --cell results/demo/cells/ward/…/seed0 images/ --out answers.csv \\
      --heatmaps maps/
"""

import json
import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, count, islice, repeat
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from cxrgrid import models
from cxrgrid.config import operating_points
from cxrgrid.config.errors import UserError
from cxrgrid.config.operating_points import rule
from cxrgrid.data import jpeg_damage, walk
from cxrgrid.data.image import Decoded, examined, reason
from cxrgrid.data.split_arrays import Split
from cxrgrid.evaluation import log_odds, thresholds
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.recalibration import recalibrated
from cxrgrid.evaluation.wording import number
from cxrgrid.inference import gradcam
from cxrgrid.inference.heat_layer import NoHeatMap, find_layer
from cxrgrid.inference.trained_cell import Trained, read_trained
from cxrgrid.io import cli
from cxrgrid.io.atomic import make_folder, replacing, write_text
from cxrgrid.io.csv_file import write_csv
from cxrgrid.models.device import add_device, own

BLOCK = 4096  # images in memory at once: 200 MB at 224 pixels
LARGEST = 512  # pixels a side of a heat map's file


# ------------------------------------------------------------------ images


def find(given: list[Path]) -> list[Path]:
    """The files themselves, and the images in folders, sorted; `UserError` for what is neither."""
    found = []
    for path in given:
        if path.is_dir():
            inside = walk.images(path)
            if not inside.images:
                raise UserError(f"{path}: no image in it ({', '.join(walk.SUFFIXES)}, or DICOM)")
            for note in inside.notes():
                logging.warning(f"{path}: {note}")
            found += [path / image for image in inside.images]
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"{path}: no such file or folder")
    return list(dict.fromkeys(found))


def read(path: Path, trained: Trained) -> Decoded | str:
    """The image as the network takes it, and what is odd, or why it cannot be read."""
    try:
        return examined(path, trained.recipe, trained.frame)
    except Exception as error:  # a broken file may raise anything
        return reason(error, path)


def blocks(paths: list[Path], trained: Trained) -> Iterator[tuple[list[Path], list]]:
    """Files with what `read` makes of them, some at a time."""
    with ThreadPoolExecutor() as pool:
        paths = iter(tqdm(paths, unit="image", disable=None))
        while some := list(islice(paths, BLOCK)):
            yield some, list(pool.map(partial(read, trained=trained), some))


# ------------------------------------------------------------------ answers


def predict(
    model: nn.Module, trained: Trained, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of uint8 [N, H, W], by the very way of the cell's own, and their log odds.

    float64 [N, L] each.
    """
    names = [""] * len(pixels)
    unknown = np.full((len(pixels), len(trained.labels)), np.nan, np.float32)
    split = Split(pixels, np.arange(len(pixels)), unknown, names, names)
    answers = models.logits(model, split, trained.batch)
    odds = log_odds.of_logits(answers.numpy(), trained.task)
    return models.probabilities(answers, trained.task).astype(float), odds.astype(float)


def answers(
    scores: np.ndarray, odds: np.ndarray, trained: Trained, fit: thresholds.Fit
) -> dict[str, np.ndarray]:
    """Columns p, threshold and decision of each label, from probabilities and log odds [N, L]."""
    made = Predictions([], [], scores, scores, trained.val.facts, log_odds=odds)
    scores = recalibrated(made, fit.by).scores
    cut = next(iter(fit.thresholds.values()))
    decided = thresholds.decide(scores, cut)
    columns = {}
    for at, label in enumerate(trained.labels):
        columns[f"p:{label}"] = scores[:, at]
        columns[f"threshold:{label}"] = np.full(len(scores), cut[at])
        columns[f"decision:{label}"] = decided[:, at].astype(float)
    return columns


def note(path: Path, trained: Trained, image: Decoded | str) -> str | None:
    """Note on an image: oddities, and that the cell was trained on a file of this name."""
    split = trained.learnt.get(path.name)
    odd = image.oddity if isinstance(image, Decoded) else ""
    learnt = f"an image of this name is in the cell's {split} split" if split else ""
    return "; ".join(filter(None, [odd, learnt])) or None


def rows(
    model: nn.Module, trained: Trained, fit: thresholds.Fit, paths: list[Path], maps: Path | None
) -> pd.DataFrame:
    """One row per file, in order; heat maps go to the folder `maps`."""
    frames = []
    names = dict(zip(paths, unique([path.stem for path in paths]), strict=True))
    for some, images in blocks(paths, trained):
        good = [at for at, image in enumerate(images) if not isinstance(image, str)]
        frame = pd.DataFrame({"image": [str(path) for path in some]})
        frame["reason"] = [image if isinstance(image, str) else None for image in images]
        frame["note"] = [note(*each) for each in zip(some, repeat(trained), images, strict=False)]
        frame["rule"] = next(iter(fit.thresholds))
        pixels = (
            np.stack([images[at].pixels for at in good]) if good else np.zeros((0, 1, 1), np.uint8)
        )
        none = np.zeros((2, 0, len(trained.labels)))
        scores, odds = predict(model, trained, pixels) if good else none
        found = pd.DataFrame(answers(scores, odds, trained, fit), index=good)
        frames.append(frame.join(found))
        if maps and good:
            write_maps(model, trained, [names[some[at]] for at in good], pixels, found, maps)
    frame = pd.concat(frames, ignore_index=True)
    return frame.astype({f"decision:{label}": "Int64" for label in trained.labels})


def write_maps(
    model: nn.Module,
    trained: Trained,
    names: list[str],
    pixels: np.ndarray,
    found: pd.DataFrame,
    folder: Path,
) -> None:
    """`folder/<name>.<label>.png` for each label decided present; else for the likeliest."""
    try:
        layer = find_layer(model, pixels.shape[-2:])
    except NoHeatMap as error:
        logging.warning(f"{error}; predictions are not affected")
        return
    make_folder(folder)
    scores = np.stack([found[f"p:{label}"] for label in trained.labels], axis=1)
    present = np.stack([found[f"decision:{label}"] for label in trained.labels], axis=1) == 1
    present[~present.any(axis=1), scores[~present.any(axis=1)].argmax(axis=1)] = True
    asked = np.argwhere(present)
    for start in range(0, len(asked), trained.batch):
        some = asked[start : start + trained.batch]
        heat = gradcam.heat(model, layer, pixels[some[:, 0]], some[:, 1])
        for (row, label), of_image in zip(some, heat, strict=True):
            name = f"{names[row]}.{trained.labels[label].replace('/', '_')}.png"
            with replacing(folder / name) as partial:
                gradcam.overlay(pixels[row], of_image, LARGEST).save(partial, format="png")


def unique(names: list[str]) -> list[str]:
    """The same names; those that were there before with a number behind that makes them new."""
    made: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}-{number}" for number in count(2))
        made[next(one for one in chain([name], numbered) if one not in made)] = None
    return list(made)


# ------------------------------------------------------------------ files


def write(frame: pd.DataFrame, trained: Trained, fit: thresholds.Fit, out: Path) -> None:
    """As CSV, or as JSON with the cell and the rule said once."""
    if out.suffix == ".csv":
        write_csv(frame, out, None)
        return
    cut = next(iter(fit.thresholds.values()))
    labels = zip(trained.labels, cut, strict=True)
    said = {"cell": trained.cell.path(), "study": trained.cell.study, "task": trained.task}
    said |= {"rule": next(iter(fit.thresholds)), "fitted_on": "the cell's own validation images"}
    said["thresholds"] = {label: None if np.isnan(at) else at for label, at in labels}
    for name in ("temperatures", "intercepts"):
        said[name] = dict(zip(trained.labels, getattr(fit.by, name).tolist(), strict=True))
    said["fallbacks"] = fit.by.reasons | {label: why for (_, label), why in fit.reasons.items()}
    keep = [name for name in frame.columns if not name.startswith(("threshold:", "rule"))]
    plain = frame[keep].astype(object).where(frame[keep].notna(), None)
    write_text(out, json.dumps(said | {"images": plain.to_dict("records")}, indent=1) + "\n")


def table(frame: pd.DataFrame, trained: Trained) -> str:
    """For a terminal: the probabilities, a star where the label is decided present."""
    shown = pd.DataFrame({"image": frame["image"]})
    for label in trained.labels:
        pairs = zip(frame[f"p:{label}"], frame[f"decision:{label}"], strict=True)
        shown[label] = ["" if np.isnan(p) else f"{number(p)}{'*' if d else ' '}" for p, d in pairs]
    shown[""] = frame["reason"].fillna(frame["note"]).fillna("")
    return shown.to_string(index=False)


def warn(frame: pd.DataFrame) -> None:
    """Say how many images could not be read, and how many should be looked at."""
    for column, what in (
        ("reason", "could not be read"),
        ("note", "look odd or may have been learnt from"),
    ):
        if count := int(frame[column].notna().sum()):
            logging.warning(f"{count} of {len(frame)} images {what}: see the column {column!r}")


def main(argv: list[str] | None) -> None:
    """Judge some images."""
    parser = cli.parser("apply", __doc__)
    parser.add_argument("images", type=Path, nargs="+", help="files or folders")
    parser.add_argument("--cell", type=Path, required=True, help="the folder of a finished cell")
    parser.add_argument("--data", type=Path, help="results/data/{dataset}, if not above the cell")
    parser.add_argument("--out", type=Path, help="answers.csv or answers.json; else a table here")
    parser.add_argument("--heatmaps", type=Path, help="a folder for Grad-CAM overlays, as PNG")
    parser.add_argument("--threshold", default="youden", help="operating point: youden, 0.2, …")
    cli.add_recalibration(parser)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the network (1)")
    add_device(parser)
    args = parser.parse_args(argv)
    if args.out and args.out.suffix not in (".csv", ".json"):
        raise UserError(f"--out {args.out}: .csv or .json, please")
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    paths = find(args.images)
    trained = read_trained(args.cell, args.data)
    point = operating_points.parse(args.threshold, "--threshold")
    fit = thresholds.fit(trained.val, trained.val.facts, (point,), args.calibrate)
    for (_, label), why in fit.reasons.items():
        logging.warning(f"threshold of {label}: {why}")
    with jpeg_damage.listening(), own(args):
        frame = rows(trained.network(), trained, fit, paths, args.heatmaps)
    warn(frame)
    if args.out:
        write(frame, trained, fit, args.out)
        return
    print(table(frame, trained))
    how = "the highest probability" if rule(point) not in fit.thresholds else f"rule {rule(point)}"
    print(f"* decided present: {how}; thresholds from the cell's validation images")


if __name__ == "__main__":
    cli.run(main)
