"""Predict a cell's test images under stated changes; measure how far images are from training.

Changes such as noise, blur or rotation, each in three strengths (`config/shifts.csv`), are made of
the arrays that the network sees; their chance follows from the image's name, so that every cell
meets the same images. Each makes a predictions file, {change}-{strength}.parquet, which `compare`
takes beside the cell's own predictions. The distance of an image from the training images, in the
network's features, stands in its column `distance`; that of the unchanged test images, and of
other datasets' test images, in distances.parquet, which is written last. Files that are there
already, of the same network, images and change, are kept.

Example:
  python -m cxrgrid.shift results/demo/cells/ward/…/seed0 --data results/data/ward \\
      --shifts noise blur --others results/data/clinic --out results/demo/cells/ward/…/seed0/shift
"""

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from cxrgrid import models
from cxrgrid.config.cell import Cell, read_cell
from cxrgrid.config.shifted_cells import WHOLE, parts
from cxrgrid.config.shifts import CHANGES
from cxrgrid.data.shifts import ShiftedPixels, names_of
from cxrgrid.data.split_arrays import Split, load_split, load_training, read_part
from cxrgrid.evaluation import log_odds, predictions
from cxrgrid.inference.familiar import MOST, Familiar, chosen, learn
from cxrgrid.inference.features import logits_and_features
from cxrgrid.inference.trained_cell import add_image, batch, image_there, load
from cxrgrid.io import cli
from cxrgrid.io.parquet import facts_of, write_parquet
from cxrgrid.models.device import add_device, own
from cxrgrid.training.step import failures_explained

METHOD = "Mahalanobis distance of features, covariance by Ledoit and Wolf"
MADE_BY = 1  # raise it where the same network and change give other files


@dataclass(frozen=True)
class Subject:
    """A trained network and how it is asked. size: images at once; facts: of its test images;
    familiar: where its training images lie, None where that is not known."""

    cell: Cell
    model: nn.Module
    size: int
    facts: dict
    familiar: Familiar | None

    def distance(self, features: np.ndarray | None, images: int) -> np.ndarray:
        """Distance of each image from the training images [N]; NaN where it is not known."""
        if features is None or self.familiar is None:
            return np.full(images, np.nan)
        return self.familiar.distance(features)


def learnt(model: nn.Module, args: argparse.Namespace, cell: Cell, size: int) -> Familiar | None:
    """Position of the cell's training images in its features."""
    split, _ = load_training(args.data, cell, args.pool)
    at = chosen(len(split.rows), MOST)
    names = ([each[row] for row in at] for each in (split.image, split.patient))
    image, patient = names
    some = Split(split.pixels, split.rows[at], split.labels[at], image, patient)
    found = learn(logits_and_features(model, some, size)[1])
    if found is None:
        logging.warning("no distance from the training images: no features, or too few images")
    return found


def under(subject: Subject, test: Split, part: dict) -> tuple[dict, dict]:
    """Columns and facts of the predictions under one change; part: its facts."""
    names = names_of(test.rows, test.image)
    pixels = ShiftedPixels(test.pixels, names, part["change"], part["amount"])
    changed = replace(test, pixels=pixels)
    logits, features = logits_and_features(subject.model, changed, subject.size)
    task, labels = subject.facts["task"], subject.facts["labels"]
    answers = models.probabilities(logits, task), log_odds.of_logits(logits.numpy(), task)
    rows = {"image": test.image, "patient": test.patient}
    columns = predictions.columns(rows, labels, test.labels, *answers)
    columns["distance"] = subject.distance(features, len(test.rows))
    made = predictions.facts(subject.cell, subject.cell.dataset, "test", subject.facts)
    return columns, made | part


def from_training(subject: Subject, split: Split, dataset: str) -> dict[str, list]:
    """Columns of distances.parquet: images of one dataset, unchanged."""
    features = logits_and_features(subject.model, split, subject.size)[1]
    found = subject.distance(features, len(split.rows)).tolist()
    names = {"image": split.image, "patient": split.patient}
    return {"dataset": [dataset] * len(found)} | names | {"distance": found}


def shift(args: argparse.Namespace) -> None:
    """Write the predictions under each change, then the distances."""
    cell = read_cell(str(args.cell / "cell.json"))
    test, facts = load_split(args.data[0], "test", cell.image)
    size = batch(args.cell, cell)
    model = load(args.cell, cell, len(facts["labels"]), test.pixels.shape[-2:])
    subject = Subject(cell, model, size, facts, learnt(model, args, cell, size))
    same = {"network": models.checksum(args.cell / "model.safetensors"), "made_by": MADE_BY}
    same |= {"split_hash": facts["split_hash"], "image_recipe": facts.get("image")}
    for name, strength in parts(args.shifts):
        path = args.out / f"{name}-{strength}.parquet"
        part = {"change": name, "strength": strength, "amount": CHANGES[name].amounts[strength]}
        if (part | same).items() <= facts_of(path).items():
            logging.info(f"{path}: kept")
            continue
        columns, made = under(subject, test, part | same)
        write_parquet(columns, path, made)
    rows = [from_training(subject, test, cell.dataset)]
    for folder in args.others:
        _, theirs = read_part(folder, "test")
        split, _ = load_split(folder, "test", image_there(args.cell, cell, theirs, args.image))
        rows.append(from_training(subject, split, theirs["dataset"]))
    columns = {name: [value for row in rows for value in row[name]] for name in rows[0]}
    about = cell.axes() | {"shifts": args.shifts} | same
    if familiar := subject.familiar:
        about |= {"method": METHOD, "images": familiar.images, "shrinkage": familiar.shrinkage}
        about |= {"features": int(familiar.kept.sum())}
    write_parquet(columns, args.out / WHOLE, about)


def main(argv: list[str] | None) -> None:
    """Predict one cell's test images under changes."""
    parser = cli.parser("shift", __doc__)
    parser.add_argument("cell", type=Path, help="the folder of a finished cell")
    cli.add_data(parser)
    parser.add_argument(
        "--shifts", nargs="+", choices=CHANGES, default=list(CHANGES), help="changes; default: all"
    )
    parser.add_argument(
        "--others", type=Path, nargs="+", default=[], help="results/data/{dataset} of others"
    )
    add_image(parser)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    add_device(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    short = failures_explained(read_cell(f"{args.cell}/cell.json"))
    with own(args), threadpool_limits(args.threads), short:
        shift(args)


if __name__ == "__main__":
    cli.run(main)
