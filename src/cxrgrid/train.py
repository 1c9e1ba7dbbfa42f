"""Train one cell, then predict its own validation and test images.

Example (any `train` command that Snakemake prints can be pasted and run like this one):
  python -m cxrgrid.train CELL_JSON --data results/data/ward --out results/demo/cells/ward/…/seed0

CELL_JSON is the cell's settings as JSON, or the path of a cell.json. The folder --out receives
cell.json, model.safetensors (the best epoch), history.parquet, predictions/val.parquet and
predictions/{dataset}.parquet. After each epoch the run's state is saved there too: started again,
a stopped run goes on from it and ends with the same bits as if it had never stopped.
"""

import math
import platform
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from cxrgrid import command, metrics, models
from cxrgrid.augment import augment
from cxrgrid.config import UserError
from cxrgrid.data import Split, load_split, write_parquet
from cxrgrid.objective import make_loss, make_optimizer, set_rate
from cxrgrid.settings import Cell
from cxrgrid.state import Run, resume, save_state, state_key

STATE = "state.pt"


def train(cell: Cell, folder: Path, out: Path) -> tuple[Run, dict]:
    """Train `cell` on the dataset in `folder`; its state goes to `out`. The run, and its facts."""
    train_split, facts = load_split(folder, "train")
    val_split, _ = load_split(folder, "val")
    key = state_key(cell, facts)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(cell.seed)

    model = models.build(cell, len(facts["labels"]), train_split.pixels.shape[-1])
    if cell.weights:
        models.start_from(model, cell.weights)
    layout = torch.channels_last if cell.channels_last else torch.contiguous_format
    model.to(device, memory_format=layout)
    run = Run(model, make_optimizer(cell, model))
    loss = make_loss(cell, facts["task"], train_split.labels, device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=cell.amp)
    resume(run, out / STATE, key)

    targets = torch.from_numpy(train_split.labels).to(device)
    steps = math.ceil(len(train_split.rows) / cell.batch_size)
    bar = tqdm(total=cell.epochs * len(train_split.rows), unit="img", disable=None)
    bar.update(len(run.history) * len(train_split.rows))
    for epoch in range(len(run.history) + 1, cell.epochs + 1):
        if stop_early(run.history, cell.patience):
            break
        started = time.perf_counter()
        # All chance of an epoch follows from (seed, epoch): nothing else of it needs saving.
        torch.manual_seed(hash_seed(cell.seed, epoch))
        rng = np.random.default_rng([cell.seed, epoch])
        total = torch.zeros((), device=device)
        model.train()
        for step, batch in enumerate(np.array_split(rng.permutation(len(train_split.rows)), steps)):
            rate = set_rate(run.optimizer, cell, (epoch - 1) * steps + step, steps)
            images = fetch(train_split, batch, device)
            images = models.normalise(augment(images, cell, rng), model)
            with autocast:
                value = loss(model(images.contiguous(memory_format=layout)), targets[batch])
            value.backward()
            run.optimizer.step()
            run.optimizer.zero_grad(set_to_none=True)
            total += value.detach() * len(batch)
            bar.update(len(batch))
        train_loss = total.item() / len(train_split.rows)
        seconds = time.perf_counter() - started
        close_epoch(run, cell, train_loss, judge(model, val_split, loss, cell), rate, seconds)
        run.history[-1]["images_per_second"] = len(train_split.rows) / seconds
        tqdm.write(epoch_line(run.history[-1], cell.epochs), file=sys.stderr)
        save_state(run, out / STATE, key)
    bar.close()
    return run, run_facts(cell, model, facts, device, train_split, val_split)


def fetch(split: Split, batch: np.ndarray, device: torch.device) -> Tensor:
    """Images of a batch, uint8 until they are on the device: float [N, 1, H, W], 0 to 1."""
    images = torch.from_numpy(split.pixels[split.rows[batch]])
    return images.to(device).unsqueeze(1).float() / 255


def hash_seed(seed: int, epoch: int) -> int:
    """A torch seed of its own for each epoch of each seed."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])


def judge(model: nn.Module, split: Split, loss, cell: Cell) -> dict[str, float]:
    """Loss and mean AUROC on the validation split, whole images, no augmentation."""
    answers = models.logits(model, split, cell.batch_size)
    device = model.mean.device
    value = loss(answers.to(device), torch.from_numpy(split.labels).to(device))
    auroc = metrics.mean_auroc(split.labels, answers.double().numpy())
    return {"val_loss": value.item(), "val_auroc": float(auroc)}


def close_epoch(
    run: Run, cell: Cell, train_loss: float, judged: dict[str, float], rate: float, seconds: float
) -> None:
    """Write the epoch's row, and keep a copy of the weights if it is the best so far."""
    epoch = len(run.history) + 1
    if not math.isfinite(train_loss + judged["val_loss"]):
        raise UserError(
            f"cell {cell.path()}: the loss is not finite in epoch {epoch} "
            f"(training {train_loss}, validation {judged['val_loss']}); try an lr below {cell.lr}"
        )
    better = is_better(judged, run.history, cell.monitor)
    if better:
        run.best = {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in run.model.state_dict().items()
        }
        for row in run.history:
            row["best"] = False
    row = {"epoch": epoch, "train_loss": train_loss, **judged, "lr": rate, "seconds": seconds}
    run.history.append({**row, "best": better})


def is_better(judged: dict[str, float], history: list[dict], monitor: str) -> bool:
    """Whether an epoch beats all before it; the first always does, and NaN beats nothing."""
    kept = next((row for row in history if row["best"]), None)
    if kept is None or math.isnan(kept[f"val_{monitor}"]):
        return True
    sign = 1 if monitor == "auroc" else -1
    return sign * judged[f"val_{monitor}"] > sign * kept[f"val_{monitor}"]


def stop_early(history: list[dict], patience: int) -> bool:
    """Whether `patience` epochs have passed since the best one."""
    best = next((row["epoch"] for row in history if row["best"]), 0)
    return patience > 0 and len(history) - best >= patience


def epoch_line(row: dict, epochs: int) -> str:
    """One line of the log."""
    return (
        f"epoch {row['epoch']}/{epochs}  train loss {row['train_loss']:.4f}  "
        f"val loss {row['val_loss']:.4f}  val AUROC {row['val_auroc']:.4f}  lr {row['lr']:.2e}  "
        f"{row['seconds']:.1f} s  {row['images_per_second']:.0f} images/s"
        f"{'  best' if row['best'] else ''}"
    )


def run_facts(
    cell: Cell, model: nn.Module, facts: dict, device: torch.device, *splits: Split
) -> dict:
    """What a reader of the history wants to know besides the curve."""
    parameters = list(model.parameters())
    return {
        "cell": msgspec.to_builtins(cell),
        "parameters": sum(p.numel() for p in parameters),
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
        "hardware": torch.cuda.get_device_name() if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {"timm": timm.__version__, "numpy": np.__version__},
        "split": facts["split"],
        "split_hash": facts["split_hash"],
        "images": {
            name: len(split.rows) for name, split in zip(("train", "val"), splits, strict=True)
        },
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "CPU")


def write_predictions(model: nn.Module, cell: Cell, folder: Path, part: str, path: Path) -> None:
    """`predictions/*.parquet`: each image of a split, what is known and what the model says."""
    split, facts = load_split(folder, part)
    answers = models.probabilities(models.logits(model, split, cell.batch_size), facts["task"])
    columns = {"image": split.image, "patient": split.patient}
    for number, label in enumerate(facts["labels"]):
        columns[f"y:{label}"] = split.labels[:, number]
        columns[f"p:{label}"] = answers[:, number]
    coordinates = {
        name: getattr(cell, name) for name in ("dataset", "backbone", "init", "recipe", "seed")
    }
    kept = {name: facts[name] for name in ("task", "labels", "split", "split_hash")}
    write_parquet(columns, path, {**coordinates, "target": cell.dataset, "part": part, **kept})


def write_results(run: Run, facts: dict, cell: Cell, folder: Path, out: Path) -> None:
    """The best epoch's weights, its predictions, the history; then the state has done its work."""
    save_file(run.best, out / "model.safetensors")
    run.model.load_state_dict(run.best)
    write_predictions(run.model, cell, folder, "val", out / "predictions/val.parquet")
    write_predictions(run.model, cell, folder, "test", out / f"predictions/{cell.dataset}.parquet")
    rows = {name: [row[name] for row in run.history] for name in run.history[0]}
    write_parquet(rows, out / "history.parquet", facts)
    (out / STATE).unlink()


def read_cell(text: str) -> Cell:
    """A cell from its JSON or from the path of a cell.json."""
    try:
        return msgspec.json.decode(
            text if text.startswith("{") else Path(text).read_bytes(), type=Cell
        )
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"not a cell: {error}") from None


def main(argv: list[str] | None) -> None:
    """Train one cell."""
    parser = command.parser("train", __doc__)
    parser.add_argument("cell", help="the cell's settings as JSON, or the path of a cell.json")
    parser.add_argument("--data", type=Path, required=True, help="results/data/{dataset}")
    parser.add_argument("--out", type=Path, required=True, help="the cell's folder")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    cell = read_cell(args.cell)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "cell.json").write_bytes(msgspec.json.format(msgspec.json.encode(cell)) + b"\n")
    run, facts = train(cell, args.data, args.out)
    write_results(run, facts, cell, args.data, args.out)


if __name__ == "__main__":
    command.run(main)
