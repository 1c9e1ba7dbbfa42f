"""Train one cell, then predict its own validation and test images.

Example (any `train` command that Snakemake prints can be pasted and run like this one):
  python -m cxrgrid.train CELL_JSON --data results/data/ward --out results/demo/cells/ward/…/seed0

CELL_JSON is the cell's coordinates in the grid and the settings that differ from their defaults, as
JSON, or the path of a cell.json, which holds them all. The folder --out receives cell.json,
model.safetensors (the best epoch), history.parquet, predictions/val.parquet and
predictions/{dataset}.parquet. The run's state is saved there too, every few minutes or more often
if that is cheap, and on SIGTERM, SIGINT and SIGUSR1, which end the run with status 128 + signal.
Started again, an interrupted run resumes from it, with the same results as if it had never stopped.
A cell that trains on several datasets is given the folder of each, its own first, and --pool.
"""

import os
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from cxrgrid import models
from cxrgrid.cluster import training_progress
from cxrgrid.config.cell import Cell, read_cell
from cxrgrid.config.identity import RESULTS
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split, load_split, load_training, load_validation
from cxrgrid.data.taught_start import check_start
from cxrgrid.evaluation import log_odds, predictions
from cxrgrid.io import cli, locks
from cxrgrid.io.atomic import replacing, write_bytes
from cxrgrid.io.parquet import write_parquet
from cxrgrid.io.signals import Stop, Stopped
from cxrgrid.models import device as device_use
from cxrgrid.models.input import metadata
from cxrgrid.training import answers, fitted_head, history, monitor
from cxrgrid.training.augment import augment, mix
from cxrgrid.training.checkpoint import Checkpointer, Run
from cxrgrid.training.cost import count
from cxrgrid.training.features import Images, set_up
from cxrgrid.training.loss import Loss, make_loss
from cxrgrid.training.sampling import batches
from cxrgrid.training.schedule import set_lr
from cxrgrid.training.step import Step, failures_explained, make_run

STATE = "state.pt"


def train(
    cell: Cell, folders: list[Path], out: Path, stop: Stop, how: Namespace
) -> tuple[Checkpointer, Images, dict]:
    """Train `cell` on the datasets in `folders`, its own first; its state is saved in `out`.

    Returns the checkpointer, which holds the run, how the network sees a split, and the run's
    facts. how: `save_minutes`, at most between two saves, `pool`, and `cells_per_gpu`.
    `Stopped` if `stop` has caught a signal.
    """
    train_split, facts = load_training(folders, cell, how.pool)
    val_split = load_validation(folders, cell, how.pool)
    device = device_use.pick_device()
    size = train_split.pixels.shape[-2:]
    run = make_run(cell, len(facts["labels"]), size, device, facts.get("image", {}))
    if run.start:
        tqdm.write(f"start: {run.start}", file=sys.stderr)
    # Before training: nothing that could fail stands between the last epoch and its results.
    counts = count(run.model, cell, size)
    warnings = history.warnings(facts["labels"], train_split.labels)
    for line in warnings:
        tqdm.write(f"warning: {line}", file=sys.stderr)
    seen = set_up(run, cell, size)
    checkpointer = Checkpointer(run, out / STATE, cell, facts | seen.key(), stop, how.save_minutes)
    amp = device_use.bfloat16(cell.amp, device)
    train_split, val_split = seen(train_split, stop, amp), seen(val_split, stop)
    if said := seen.line():
        tqdm.write(said, file=sys.stderr)
    loss = make_loss(cell, facts["task"], train_split.labels, device)
    parts = Parts(train_split, val_split, loss, facts["task"], max(1, how.cells_per_gpu))
    if cell.head == "linear":
        checkpointer.resume()
        way = train_epochs(checkpointer, parts, cell)
    else:
        way = fit_head(checkpointer, parts, cell, seen)
    images = {"train": len(train_split.rows), "val": len(val_split.rows)}
    more = {"feed": way, "warnings": warnings, "image": facts.get("image"), **counts}
    more |= device_use.used(cell, device) | {"eval_batch": eval_batch_size(run, cell)}
    more |= {name: facts[name] for name in ("pool", "held_out") if name in facts}
    more |= {"start": run.start} if run.start else {}
    return checkpointer, seen, history.run_facts(run, cell, facts, images, more)


class Parts(NamedTuple):
    """Images that a training learns from and is chosen by, its loss, and who shares its device."""

    train: Split
    val: Split
    loss: Loss
    task: str
    sharing: int  # processes


def train_epochs(checkpointer: Checkpointer, parts: Parts, cell: Cell) -> str:
    """Train until the last epoch or early stopping; the way in which batches came (`Feed.way`)."""
    run, split = checkpointer.run, parts.train
    step = Step(run, cell, parts.loss, parts.task)
    feed = Feed(split, run.model.mean.device, sharing=parts.sharing)
    while not history.finished(run.history, cell):
        order = batches(split.labels, cell, run.epoch, run.least, split.dataset)
        sizes = [len(batch) for batch in order]
        checkpointer.begin_epoch(len(order))
        bar = tqdm(total=sum(sizes), initial=sum(sizes[: run.step]), unit="img", disable=None)
        models.set_trainable(run.model, cell, run.epoch)
        for images, labels in feed(order[run.step :]):
            # All chance of a step follows from (seed, epoch, step): nothing of it needs saving.
            # Steps count from 1: [seed, epoch] and [seed, epoch, 0] are the same seed to numpy.
            rng = np.random.default_rng([cell.seed, run.epoch, run.step + 1])
            done = (run.epoch - 1) * len(order) + run.step
            run.lr = set_lr(run.optimizer, cell, done, len(order), run.history)
            seen = augment(models.grey(images), cell, rng)
            checkpointer.after_step(step(*mix(seen, labels, cell, rng)))
            bar.update(len(images))
        bar.close()
        trained = checkpointer.trained(sizes, parts.task)
        close_epoch(checkpointer, parts, cell, trained, sum(sizes))
        checkpointer.end_epoch()
    return feed.way


def fit_head(checkpointer: Checkpointer, parts: Parts, cell: Cell, seen: Images) -> str:
    """Fit a classifier to the features of all training images: one epoch, with its own name."""
    run, began = checkpointer.run, time.perf_counter()
    fitted_head.fit(run.model, seen, parts.train, cell, parts.task)
    run.lr, run.seconds = 0.0, time.perf_counter() - began
    logits, labels = fitted_head.answers(run.model, parts.train)
    run.losses = parts.loss(logits, labels).reshape(1)
    scores = answers.scores(answers.counter(parts.task, cell)(logits, labels), parts.task)
    trained = {"train_loss": run.losses.item(), **scores}
    close_epoch(checkpointer, parts, cell, trained, len(parts.train.rows))
    return "fitted"


def close_epoch(
    checkpointer: Checkpointer, parts: Parts, cell: Cell, trained: dict[str, float], images: int
) -> None:
    """Validate, and put the epoch into the history; trained: its columns of training images."""
    run = checkpointer.run
    logits, scores = validate(checkpointer, parts.val, parts.loss, cell, parts.task)
    history.close_epoch(run, cell, trained, scores, images)
    if run.history[-1]["best"]:
        run.val_logits = logits
    epochs = cell.epochs if cell.head == "linear" else 1
    tqdm.write(history.epoch_line(run.history[-1], epochs), file=sys.stderr)


def validate(
    checkpointer: Checkpointer, split: Split, loss: Loss, cell: Cell, task: str
) -> tuple[Tensor, dict[str, float]]:
    """Logits and metrics of the validation split: whole images, no augmentation.

    Returns logits (float32 [N, L], on the CPU), and their loss, mean AUROC and monitor.
    """
    run = checkpointer.run
    logits = models.logits(run.eval_model, split, eval_batch_size(run, cell), checkpointer.pause)
    device = run.model.mean.device
    value = loss(logits.to(device), torch.from_numpy(split.labels).to(device)).item()
    scores = monitor.validation_metrics(split.labels, logits, task, cell.monitor)
    return logits, {"val_loss": value, **scores}


def eval_batch_size(run: Run, cell: Cell) -> int:
    """Batch size for evaluation: the images in the largest part of a training step.

    On a GPU four times as many, since no activations are kept for a gradient.
    """
    return (4 if run.model.mean.is_cuda else 1) * -(-cell.batch_size // run.parts)


def write_predictions(
    checkpointer: Checkpointer, seen: Images, cell: Cell, folder: Path, out: Path
) -> None:
    """Write the best epoch's weights and their predictions of the validation and test images."""
    run = checkpointer.run
    run.model.load_state_dict(run.best)
    with replacing(out / "model.safetensors") as partial:
        save_file(history.copy(seen.network), partial, metadata=metadata(seen.network, cell))
    for part, name in (("val", "val"), ("test", cell.dataset)):
        split, own = load_split(folder, part, cell.image)
        logits = run.val_logits  # the network that is kept has seen the validation images already
        if part == "test" or cell.validate_on != "own":
            shown, size = seen(split, checkpointer.stop), eval_batch_size(run, cell)
            logits = models.logits(run.model, shown, size, checkpointer.pause)
        scores = models.probabilities(logits, own["task"])
        odds = log_odds.of_logits(logits.numpy(), own["task"])
        names = {"image": split.image, "patient": split.patient}
        table = predictions.columns(names, own["labels"], split.labels, scores, odds)
        made = predictions.facts(cell, cell.dataset, part, own)
        write_parquet(table, out / f"predictions/{name}.parquet", made)


def write_history(run: Run, facts: dict, out: Path) -> None:
    """The history; then the state and the progress have done their work."""
    write_parquet(history.columns(run), out / "history.parquet", facts)
    for name in (STATE, training_progress.FILE):
        (out / name).unlink(missing_ok=True)


def allotted(environment: dict[str, str]) -> int:
    """CPU threads where nobody says how many: what Slurm or OpenMP was given, else 1."""
    for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        if environment.get(name, "").isdigit():
            return max(1, int(environment[name]))
    return 1


def main(argv: list[str] | None) -> None:
    """Train one cell."""
    parser = cli.parser("train", __doc__)
    parser.add_argument("cell", help="the cell's settings as JSON, or the path of a cell.json")
    cli.add_data(parser)
    parser.add_argument("--out", type=Path, required=True, help="the cell's folder")
    parser.add_argument(
        "--threads", type=int, help="CPU threads (SLURM_CPUS_PER_TASK, OMP_NUM_THREADS, or 1)"
    )
    device_use.add_device(parser)
    parser.add_argument(
        "--save-minutes", type=float, default=5, help="between two saves, at most (5)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="remove a saved state and start afresh"
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads or allotted(dict(os.environ)))
    with locks.claim(args.out), device_use.own(args):
        run_cell(args)


def run_cell(args) -> None:
    """Train and write the results, or leave a state; `SystemExit` where a signal stopped it."""
    cell = msgspec.structs.replace(read_cell(args.cell), results=RESULTS["train"])
    if args.fresh:
        (args.out / STATE).unlink(missing_ok=True)
    (args.out / training_progress.FILE).unlink(missing_ok=True)  # of an attempt before this one
    begun = cell.starting_at(args.weights)
    check_start(begun, args.data[0])
    write_bytes(args.out / "cell.json", msgspec.json.format(msgspec.json.encode(cell)) + b"\n")
    try:
        with Stop() as stop, failures_explained(cell):
            checkpointer, seen, facts = train(begun, args.data, args.out, stop, args)
            write_predictions(checkpointer, seen, cell, args.data[0], args.out)
            facts |= {"cell": msgspec.to_builtins(cell)}
            facts |= seen.facts() | {"cost": checkpointer.meter.read()}
            facts |= {"model": models.size_and_checksum(args.out / "model.safetensors")}
            training_progress.write_memory(facts["cost"]["peak_host_mb"], args.out)
            write_history(checkpointer.run, facts, args.out)
        print(history.result_line(checkpointer.run.history, cell), file=sys.stderr)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(128 + stopped.signal)


if __name__ == "__main__":
    cli.run(main)
