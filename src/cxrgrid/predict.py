"""Predict another dataset's test images with a trained cell, for the labels that both have.

Labels are the same if their names are, if publishers call them so (config/label_names.csv), or if
--same says so. The images are prepared as the other dataset's own, at the cell's size, with its
recipe's `image`. With --tta, each image is seen so many times in the cell's own augmentation, and
the probabilities are averaged.

Example:
  python -m cxrgrid.predict results/demo/cells/ward/…/seed0 --data results/data/clinic \\
      --out results/demo/cells/ward/…/seed0/transfer/clinic.parquet
  python -m cxrgrid.predict results/demo/cells/ward/…/seed0 --data results/data/ward --tta 8 \\
      --out tta.parquet
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from cxrgrid import models
from cxrgrid.config.cell import Cell, read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.label_names import published, renamed
from cxrgrid.data.split_arrays import Split, load_split, read_part
from cxrgrid.evaluation import log_odds, predictions
from cxrgrid.inference.trained_cell import add_image, batch, image_there, load
from cxrgrid.io import cli
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.models.device import add_device, own
from cxrgrid.training.augment import augment
from cxrgrid.training.step import failures_explained


def augmented(cell: Cell, draw: int) -> Callable[[Tensor, int], Tensor]:
    """The cell's augmentation for `models.logits`; all its chance follows from (seed, draw)."""

    def change(images: Tensor, batch: int) -> Tensor:
        # In training the second number is the epoch, from 1.
        return augment(images, cell, np.random.default_rng([cell.seed, 0, draw, batch + 1]))

    return change


def answer(
    model: nn.Module, split: Split, cell: Cell, task: str, size: int, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of all images, and their log odds: float32 [N, L] each.

    size: images at once; draws: the probabilities are the mean over so many augmented draws.
    """
    if not draws:
        logits = models.logits(model, split, size)
        return models.probabilities(logits, task), log_odds.of_logits(logits.numpy(), task)
    total, odds = np.zeros((len(split.rows), 1)), []
    for draw in range(1, draws + 1):
        logits = models.logits(model, split, size, change=augmented(cell, draw))
        total = total + models.probabilities(logits, task)
        odds.append(log_odds.of_logits(logits.numpy(), task).astype(float))
    return (total / draws).astype(np.float32), log_odds.of_mean(odds).astype(np.float32)


def common(
    ours: dict, theirs: dict, where: str, given: dict[str, str] | None = None
) -> tuple[dict[str, str], str]:
    """{label of the target: the cell's name of it}, and the task in which they are judged.

    Classes compete where they do on both sides and are the same; else each label stands alone.
    given: the same mapping, instead of that by equal names and those of publishers.
    """
    same = known_names(ours["labels"], theirs["labels"]) if given is None else given
    labels = {label: same[label] for label in theirs["labels"] if same.get(label) in ours["labels"]}
    if not labels:
        raise UserError(f"{where}: shares no label with the cell's {', '.join(ours['labels'])}")
    tasks = {ours["task"], theirs["task"]}
    equal = len(labels) == len(ours["labels"]) == len(theirs["labels"])
    return labels, "multiclass" if tasks == {"multiclass"} and equal else "multilabel"


def known_names(ours: list[str], theirs: list[str]) -> dict[str, str]:
    """{label of the target: the cell's name of it}: the same name, or a publisher's other one."""
    by_name = {published().get(label, label): label for label in ours}
    other = {label: by_name.get(published().get(label, label), "") for label in theirs}
    return {label: label if label in ours else name for label, name in other.items() if name}


def check_augments(cell: Cell) -> None:
    """`UserError` where every draw would be the same."""
    image = torch.linspace(0, 1, 64 * 64).view(1, 1, 64, 64)
    rng = np.random.default_rng(0)
    if all(torch.equal(augment(image, cell, rng), image) for _ in range(20)):
        raise UserError(f"--tta: cell {cell.path()} has no augmentation to draw from")


def predict(args) -> None:
    """Read a cell and a dataset, write what the one says of the other."""
    cell = read_cell(str(args.cell / "cell.json"))
    if args.tta:
        check_augments(cell)
    _, ours = read_parquet(args.cell / "predictions/val.parquet")
    _, facts = read_part(args.data, args.part)
    image = image_there(args.cell, cell, facts, args.image)
    split, theirs = load_split(args.data, args.part, image)
    same, task = common(ours, theirs, str(args.data), args.same)
    model = load(args.cell, cell, len(ours["labels"]), split.pixels.shape[-2:])
    answers = answer(model, split, cell, ours["task"], batch(args.cell, cell), args.tta)
    truth = split.labels[:, [theirs["labels"].index(label) for label in same]]
    known = [ours["labels"].index(name) for name in same.values()]
    scores, odds = (each[:, known] for each in answers)
    target = theirs.get("dataset", args.data.name)
    about = theirs | {"task": task, "labels": list(same)}
    made = predictions.facts(cell, target, args.part, about) | {"tta": args.tta}
    made |= {"same": renamed(same)} if renamed(same) else {}
    rows = {"image": split.image, "patient": split.patient}
    table = predictions.columns(rows, list(same), truth, scores, odds)
    write_parquet(table, args.out, made)


def names(text: str) -> dict[str, str]:
    """{label of the target: the cell's name of it}, from the command line."""
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        raise argparse.ArgumentTypeError('labels as JSON, {"there": "here"}, please') from None


def draws(text: str) -> int:
    """Number of augmented draws, 0 or more, from the command line."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError("a whole number, 0 or more, please")
    return int(text)


def main(argv: list[str] | None) -> None:
    """Predict one dataset with one cell."""
    parser = cli.parser("predict", __doc__)
    parser.add_argument("cell", type=Path, help="the folder of a finished cell")
    parser.add_argument("--data", type=Path, required=True, help="results/data/{dataset}")
    parser.add_argument(
        "--part", choices=("test", "val"), default="test", help="split of the images"
    )
    parser.add_argument(
        "--same",
        type=names,
        help="shared labels as JSON, {there: here}; else by equal names and by publishers' names",
    )
    add_image(parser)
    parser.add_argument("--tta", type=draws, default=0, help="augmented draws per image (0: none)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    add_device(parser)
    parser.add_argument("--out", type=Path, required=True, help="a predictions file, .parquet")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    with own(args), failures_explained(read_cell(f"{args.cell}/cell.json")):
        predict(args)


if __name__ == "__main__":
    cli.run(main)
