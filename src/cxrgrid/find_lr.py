"""Find a learning rate: train for some steps with a growing rate, and find the steepest loss.

Example:
  python -m cxrgrid.find_lr results/demo/cells/ward/…/seed0/cell.json \\
      --data results/data/ward --out lr.csv --figure lr.svg

The range test of Smith (2015, arXiv 1506.01186), with an exponential ramp. The cell's own schedule
and epochs play no part; its weights, loss, optimiser, sampling and augmentation do. --out receives
one line per step: lr, loss, smoothed. Nothing of the network is kept.
"""

import csv
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from cxrgrid import models
from cxrgrid.config.cell import Cell, read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split, load_training
from cxrgrid.io import cli
from cxrgrid.io.atomic import replacing
from cxrgrid.models.device import add_device, own, pick_device
from cxrgrid.reporting import figure_style
from cxrgrid.training.augment import augment, mix
from cxrgrid.training.loss import make_loss
from cxrgrid.training.sampling import batches
from cxrgrid.training.step import Step, failures_explained, make_run

SMOOTHING = 0.9  # share of the past in the smoothed loss
LOOK = 10  # steps between two looks at the losses: a GPU is waited for
DIVERGED = 4  # times the smallest loss so far


def ramp(low: float, high: float, steps: int) -> np.ndarray:
    """Learning rates from low to high, each larger by the same factor."""
    return np.geomspace(low, high, steps)


def smooth(losses: list[float]) -> np.ndarray:
    """Exponential moving average, corrected for its start (as in Adam)."""
    average, found = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        found.append(average / (1 - SMOOTHING**step))
    return np.array(found)


def suggest(rates: np.ndarray, smoothed: np.ndarray) -> tuple[float, float]:
    """Rate of the steepest smoothed loss over log(lr), and a tenth of the rate of its minimum.

    `UserError` where it never falls.
    """
    lowest = int(np.argmin(smoothed))
    if lowest < 2:
        raise UserError("find_lr: the loss never falls; try a smaller --low, or more --steps")
    slope = np.gradient(smoothed[: lowest + 1], np.log(rates[: lowest + 1]))
    return float(rates[np.argmin(slope)]), float(rates[lowest] / 10)


def range_test(cell: Cell, split: Split, facts: dict, rates: np.ndarray) -> list[float]:
    """The training loss of a step at each rate, until it diverges; facts: of the dataset."""
    device = pick_device()
    run = make_run(cell, len(facts["labels"]), split.pixels.shape[-2:], device)
    step = Step(run, cell, make_loss(cell, facts["task"], split.labels, device))
    models.set_trainable(run.model, cell, 1)
    rng, losses, unread = np.random.default_rng(cell.seed), [], []
    order = list(islice(stream(split, cell, run.least), len(rates)))
    bar = tqdm(rates, unit="step", disable=None)
    for rate, (images, labels) in zip(bar, Feed(split, device)(order), strict=True):
        for group in run.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        seen = augment(images.float() / 255, cell, rng)
        unread.append(step(*mix(seen, labels, cell, rng)))
        run.step += 1
        if run.step % LOOK == 0 or run.step == len(rates):
            known, unread = [*losses, *torch.stack(unread).tolist()], []
            losses = known[: sound(known, len(losses))]
            if len(losses) < len(known):
                break
    return losses


def sound(losses: list[float], known: int) -> int:
    """Number of steps before a loss that is not finite or has diverged; the first `known` are."""
    for done in range(known, len(losses)):
        if not np.isfinite(losses[done]) or diverged(losses[: done + 1]):
            return done
    return len(losses)


def stream(split: Split, cell: Cell, least: int):
    """The rows of one step after the other, over as many epochs as are asked for."""
    epoch = 1
    while True:
        yield from batches(split.labels, cell, epoch, least, split.dataset)
        epoch += 1


def diverged(losses: list[float]) -> bool:
    """True if the smoothed loss is far above its minimum."""
    smoothed = smooth(losses)
    return bool(smoothed[-1] > DIVERGED * smoothed.min())


def draw(rates: np.ndarray, losses: list[float], suggested: tuple[float, float]) -> Figure:
    """Loss over the learning rate, with the suggestions marked."""
    figure, axes = figure_style.panels(1, 1, 5.2, 3.2)
    axes = axes[0, 0]
    axes.plot(rates, losses, color=figure_style.QUIET, alpha=0.5, linewidth=1, label="each step")
    smoothed = smooth(losses)
    axes.plot(rates, smoothed, color=figure_style.SPLITS["train"], linewidth=1.8, label="smoothed")
    names = ("steepest", "a tenth of the lowest")
    for value, name, line in zip(suggested, names, ("-", "--"), strict=True):
        axes.axvline(value, color="#d1660c", linestyle=line, label=f"{name}: {value:.1e}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    axes.set_ylim(0, 1.2 * smoothed.max())  # a step that explodes must not flatten the rest
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


def write_csv(rates: np.ndarray, losses: list[float], path: Path) -> None:
    """Write one line per step."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["lr", "loss", "smoothed"])
        columns = zip(rates, losses, smooth(losses), strict=True)
        rows.writerows([f"{value:.6g}" for value in row] for row in columns)


def main(argv: list[str] | None) -> None:
    """Run the test, write the curve, print the suggestion."""
    parser = cli.parser("find_lr", __doc__)
    parser.add_argument("cell", help="the cell's settings as JSON, or the path of a cell.json")
    cli.add_data(parser)
    parser.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    parser.add_argument("--figure", type=Path, help="an SVG file of the curve")
    parser.add_argument("--low", type=float, default=1e-6, help="the first learning rate (1e-6)")
    parser.add_argument("--high", type=float, default=1.0, help="the last learning rate (1)")
    parser.add_argument("--steps", type=int, default=200, help="steps from low to high (200)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    add_device(parser)
    args = parser.parse_args(argv)
    if not 0 < args.low < args.high or args.steps < 10:
        raise UserError("find_lr: 0 < --low < --high and ten --steps or more, please")
    torch.set_num_threads(args.threads)
    rates = ramp(args.low, args.high, args.steps)
    cell = read_cell(args.cell).starting_at(args.weights)
    with own(args), failures_explained(cell):
        losses = range_test(cell, *load_training(args.data, cell, args.pool), rates)
    rates = rates[: len(losses)]
    write_csv(rates, losses, args.out)
    if len(losses) < 3:
        raise UserError(f"find_lr: the loss diverges at once; try a --low below {args.low:g}")
    suggested = suggest(rates, smooth(losses))
    if args.figure:
        with figure_style.applied():
            metadata = {"Date": None, "Creator": None}
            with replacing(args.figure) as partial:
                draw(rates, losses, suggested).savefig(partial, format="svg", metadata=metadata)
    if len(losses) < args.steps:
        tqdm.write(f"the loss diverges at lr {rates[-1]:.1e}", file=sys.stderr)
    print(f"steepest slope: lr {suggested[0]:.1e}; a tenth of the minimum: lr {suggested[1]:.1e}")


if __name__ == "__main__":
    cli.run(main)
