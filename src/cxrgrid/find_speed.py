"""Find the fastest way to run a cell on this machine: bfloat16, channels_last, both or neither.

Example:
  python -m cxrgrid.find_speed results/demo/cells/ward/…/seed0/cell.json --data results/data/ward

Some networks gain by them and others lose, on one machine and not on the next. Each way takes the
same steps of the cell, in turn, so that other work on the machine falls on all alike. Printed are
images a second, medians over --rounds, and what to set in the recipe. Nothing of the network is
kept. Both change results in their last bits, bfloat16 in more than those: one grid, one choice.
"""

import statistics
import time
from itertools import cycle, islice

import msgspec
import numpy as np
import torch
from tqdm import tqdm

from cxrgrid import models
from cxrgrid.config.cell import Cell, read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split, load_training
from cxrgrid.io import cli
from cxrgrid.models.device import add_device, own, pick_device
from cxrgrid.training.augment import augment, mix
from cxrgrid.training.loss import make_loss
from cxrgrid.training.sampling import batches
from cxrgrid.training.step import Step, failures_explained, make_run

# From what changes least to what changes most.
WAYS = [{"amp": amp, "channels_last": layout} for amp in (False, True) for layout in (False, True)]
GAIN = 1.05  # times as quick as the least way, or it is not worth the change


def measure(cell: Cell, split: Split, facts: dict, steps: int, rounds: int) -> list[float]:
    """Images a second of each of `WAYS`: medians over rounds of so many steps."""
    device = pick_device()
    feed, loss = Feed(split, device), make_loss(cell, facts["task"], split.labels, device)
    taken = []
    for way in WAYS:
        own = msgspec.structs.replace(cell, **way)
        run = make_run(own, len(facts["labels"]), split.pixels.shape[-2:], device)
        models.set_trainable(run.model, own, 1)
        taken.append(Step(run, own, loss))
    order = list(
        islice(cycle(batches(split.labels, cell, 1, taken[0].run.least, split.dataset)), steps)
    )
    rates: list[list[float]] = [[] for _ in WAYS]
    for number in tqdm(range(1 + rounds), unit="round", disable=None):
        for step, found in zip(taken, rates, strict=True):
            rate = images_per_second(step, feed, order)
            if number:  # the first round warms up
                found.append(rate)
    return [statistics.median(found) for found in rates]


def images_per_second(step: Step, feed: Feed, order: list[np.ndarray]) -> float:
    """Of these steps, from the feed to new weights."""
    rng, started = np.random.default_rng(0), time.perf_counter()
    for images, labels in feed(order):
        seen = augment(images.float() / 255, step.cell, rng)
        value = step(*mix(seen, labels, step.cell, rng))
    value.item()  # a device has then done what it was asked to
    return sum(len(batch) for batch in order) / (time.perf_counter() - started)


def choose(rates: list[float]) -> int:
    """The least change that comes within `GAIN` of the quickest."""
    return next(at for at, rate in enumerate(rates) if rate * GAIN >= max(rates))


def table(rates: list[float]) -> str:
    """Table with one line per way, and the settings to choose."""
    lines = ["amp    channels_last  images/s  against neither"]
    for way, rate in zip(WAYS, rates, strict=True):
        on = [str(value).lower() for value in way.values()]
        lines.append(f"{on[0]:6} {on[1]:13}  {rate:8.1f}  {rate / rates[0]:.2f}")
    best = WAYS[choose(rates)]
    chosen = ", ".join(f"{name}: {str(value).lower()}" for name, value in best.items())
    return "\n".join([*lines, f"in the recipe: {chosen}"])


def main(argv: list[str] | None) -> None:
    """Measure, and say what to set."""
    parser = cli.parser("find_speed", __doc__)
    parser.add_argument("cell", help="the cell's settings as JSON, or the path of a cell.json")
    cli.add_data(parser)
    parser.add_argument("--steps", type=int, default=10, help="of each way, each round (10)")
    parser.add_argument("--rounds", type=int, default=5, help="that are counted (5)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    add_device(parser)
    args = parser.parse_args(argv)
    if args.steps < 1 or args.rounds < 1:
        raise UserError("find_speed: one or more --steps and --rounds, please")
    torch.set_num_threads(args.threads)
    cell = read_cell(args.cell).starting_at(args.weights)
    with own(args), failures_explained(cell):
        print(
            table(
                measure(cell, *load_training(args.data, cell, args.pool), args.steps, args.rounds)
            )
        )


if __name__ == "__main__":
    cli.run(main)
