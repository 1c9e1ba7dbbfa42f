"""Cost of a small cell in cxrgrid, timm's train.py and a plain training loop.

Draws phantoms into a temporary folder (two classes; PNG of 1024 x 1024, or JPEG of 224 x 224), then
trains one backbone on them with each loop, as processes of their own, in turn: same images, size,
batch, optimiser, precision, layout and threads, no augmentation, validation after each epoch. Each
loop runs with few and with more epochs: the difference is what an epoch costs, the rest start-up.
cxrgrid decodes once, before: that is shown apart. Then steady throughput against the same model on
images already in memory, start-up against importing torch and timm alone, and two cells at once.

timm's train.py is not part of its package: save it from timm's repository and name it with --timm.

Example:
  OMP_NUM_THREADS=1 python benchmarks/train.py --timm train.py --kinds png jpg --rounds 3
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("clear", "cardiomegaly")


def draw(folder: Path, kind: str, counts: dict[str, int]) -> None:
    """Images as ImageFolder wants them: {train,val}/{class}/{n}.{kind}."""
    from cxrgrid.phantom import radiograph

    for split, count in counts.items():
        for number in range(count):
            which = number % 2
            row = {"build": number, "film": hash_of(split, number), "view": "PA", "sex": "M"}
            findings = {"Cardiomegaly": 1.0} if which else {}
            film = Image.fromarray(radiograph({**row, "age": 50, "findings": findings}, 1024))
            film = film if kind == "png" else film.resize((224, 224))
            path = folder / split / CLASSES[which] / f"{number}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            film.save(path, quality=95) if kind == "jpg" else film.save(path)


def hash_of(split: str, number: int) -> int:
    """Another film for each image."""
    return number + (100_000 if split == "val" else 0)


def prepare(folder: Path, size: int, threads: int) -> float:
    """Prepare a dataset (table.parquet and pixels.npy) and return the CPU-seconds."""
    from cxrgrid import pixels
    from cxrgrid.io.parquet import read_parquet, write_parquet

    started = cpu(resource.RUSAGE_SELF)
    files = sorted(path.relative_to(folder) for path in folder.glob("*/*/*.*"))
    write_parquet(
        {"image": [str(f) for f in files]}, folder / "index.parquet", {"root": str(folder)}
    )
    settings = json.dumps({"size": size, "resize": "squash", "unreadable": 0})
    paths = {"index": "index.parquet", "out": "pixels.npy", "files": "pixels.parquet"}
    options = [f"--{name}={folder / path}" for name, path in paths.items()]
    pixels.main([settings, *options, f"--threads={threads}"])
    rows = read_parquet(folder / "pixels.parquet")[0]["row"].to_pylist()
    # The validation images are the test images too: every loop answers for them at the end.
    table = [(str(f), row, f.parts[0], f.parts[1]) for f, row in zip(files, rows, strict=True)]
    table += [(image, row, "test", name) for image, row, split, name in table if split == "val"]
    image, row, split, name = zip(*table, strict=True)
    columns = {"image": image, "patient": image, "split": split, "row": np.array(row)}
    columns |= {label: np.array([float(n == label) for n in name]) for label in CLASSES}
    facts = {"task": "multiclass", "labels": list(CLASSES), "split": "given", "split_hash": "-"}
    write_parquet(columns, folder / "table.parquet", {**facts, "image": {"size": size}})
    return cpu(resource.RUSAGE_SELF) - started


def cpu(who: int) -> float:
    """CPU-seconds, user and system, of this process or of its children that have ended."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


# ------------------------------------------------------------------ the loops


def ours(folder: Path, out: Path, epochs: int, args: argparse.Namespace) -> list[str]:
    """cxrgrid's command."""
    cell = {"study": "b", "dataset": "b", "backbone": args.backbone, "init": "scratch"}
    cell |= {"recipe": "default", "seed": 0, "weights": "", "epochs": epochs, "lr": args.lr}
    cell |= {"batch_size": args.batch_size, "channels": 3, "optimizer": "momentum"}
    cell |= {"schedule": "constant", "weight_decay": 0}
    cell |= {"amp": args.fast, "channels_last": args.fast}
    call = [sys.executable, "-m", "cxrgrid.train", json.dumps(cell), "--data", str(folder)]
    return [*call, "--out", str(out), "--threads", str(args.threads), "--device", args.device]


def timms(folder: Path, out: Path, epochs: int, args: argparse.Namespace) -> list[str]:
    """timm's train.py: no augmentation, one process, no loader workers beside the threads."""
    options = {"data-dir": folder, "train-split": "train", "val-split": "val"}
    options |= {"model": args.backbone, "num-classes": len(CLASSES), "img-size": args.size}
    options |= {"batch-size": args.batch_size, "opt": "momentum", "lr": args.lr, "epochs": epochs}
    options |= {"weight-decay": 0, "sched": "step", "decay-epochs": 999, "warmup-epochs": 0}
    options |= {"workers": args.workers, "device": args.device}
    options |= {"output": out, "log-interval": 10_000}
    flat = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    fast = ["--amp", "--amp-dtype", "bfloat16", "--channels-last"] if args.fast else []
    return [sys.executable, str(args.timm), *flat, "--no-aug", *fast]


def plain(folder: Path, out: Path, epochs: int, args: argparse.Namespace) -> list[str]:
    """The loop that everyone writes: ImageFolder, DataLoader, model, predictions to CSV."""
    call = [sys.executable, __file__, "--plain", str(folder), "--out", str(out)]
    call += ["--epochs", str(epochs), "--backbone", args.backbone, "--size", str(args.size)]
    call += ["--batch-size", str(args.batch_size), "--lr", str(args.lr)]
    call += ["--device", args.device, "--workers", str(args.workers)]
    return [*call, "--threads", str(args.threads), *(["--fast"] if args.fast else [])]


def train_plainly(args: argparse.Namespace) -> None:
    """The plain loop itself."""
    import timm
    import torch
    from torchvision import datasets, transforms

    torch.set_num_threads(args.threads)
    steps = [transforms.Resize((args.size, args.size)), transforms.ToTensor()]
    steps += [transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    loaders = {}
    for split in ("train", "val"):
        images = datasets.ImageFolder(args.plain / split, transforms.Compose(steps))
        ways = {"shuffle": split == "train", "num_workers": args.workers}
        ways["pin_memory"] = args.device != "cpu"
        loaders[split] = torch.utils.data.DataLoader(images, args.batch_size, **ways)
    model = timm.create_model(args.backbone, num_classes=len(CLASSES))
    layout, autocast = speed(args)
    model.to(args.device, memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), args.lr, momentum=0.9)
    for _ in range(args.epochs):
        model.train()
        for images, labels in loaders["train"]:
            images, labels = images.to(args.device), labels.to(args.device)
            optimizer.zero_grad()
            with autocast:
                answers = model(images.contiguous(memory_format=layout))
            torch.nn.functional.cross_entropy(answers.float(), labels).backward()
            optimizer.step()
        answers = answer(model, loaders["val"])
    args.out.mkdir(parents=True)
    np.savetxt(args.out / "predictions.csv", answers.softmax(1).numpy(), delimiter=",")
    torch.save(model.state_dict(), args.out / "model.pt")


def speed(args: argparse.Namespace):
    """Memory layout and autocast, as asked."""
    import torch

    layout = torch.channels_last if args.fast else torch.contiguous_format
    return layout, torch.autocast(args.device, torch.bfloat16, enabled=args.fast)


def answer(model, loader):
    """The model's answers to the images of a loader."""
    import torch

    model.eval()
    with torch.inference_mode():
        device = next(model.parameters()).device
        return torch.cat([model(images.to(device)).cpu() for images, _ in loader])


# ------------------------------------------------------------------ measuring


def run(command: list[str], args: argparse.Namespace) -> dict[str, float]:
    """Wall and CPU-seconds of a process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    started, used = time.perf_counter(), cpu(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])} failed:\n{done.stderr[-2000:]}")
    spent = cpu(resource.RUSAGE_CHILDREN) - used
    return {"wall": time.perf_counter() - started, "cpu": spent}


def race(folder: Path, args: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Each loop with few and with more epochs, in turn: start-up, an epoch's cost, the whole."""
    loops = {"cxrgrid": ours, "plain loop": plain} | ({"timm": timms} if args.timm else {})
    found: dict[str, list[dict[str, float]]] = {name: [] for name in loops}
    few, more = args.epochs
    for number in range(args.rounds):
        for name, loop in loops.items():
            with tempfile.TemporaryDirectory() as temporary:
                short, long = (
                    run(loop(folder, Path(temporary) / str(n), n, args), args) for n in (few, more)
                )
            epoch = (long["cpu"] - short["cpu"]) / (more - few)
            row = {"epoch": epoch, "start": short["cpu"] - few * epoch}
            row["epoch_wall"] = (long["wall"] - short["wall"]) / (more - few)
            found[name].append(row | {"wall": long["wall"], "cpu": long["cpu"]})
            print(f"round {number + 1} {name}: {found[name][-1]}", file=sys.stderr)
    return found


def report(kind: str, found: dict, prepared: float, args: argparse.Namespace) -> None:
    """Medians, and ratios to cxrgrid's."""
    print(f"\n{kind}, {args.backbone} at {args.size} px, batches of {args.batch_size}, ", end="")
    precision = "bfloat16 and channels_last" if args.fast else "float32"
    print(
        f"{args.train} + {args.val} images, {precision}, {args.threads} threads, n = {args.rounds}"
    )
    print(f"cxrgrid decoded them once before, in {prepared:.1f} CPU-s, for all of its cells")
    middle = {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for name, rows in found.items()
    }
    mine = middle["cxrgrid"]
    for name, row in middle.items():
        ratios = ", ".join(f"{key} {row[key] / mine[key]:.2f}" for key in row)
        image = 1000 * row["epoch"] / args.train
        print(
            f"  {name:10} CPU-ms a training image {image:6.1f}; "
            f"start-up {row['start']:5.1f} CPU-s; {args.epochs[1]} epochs "
            f"{row['wall']:6.1f} s wall, {row['cpu']:6.1f} CPU-s; this / cxrgrid: {ratios}"
        )


def steady(folder: Path, args: argparse.Namespace) -> tuple[float, float]:
    """Images a second of cxrgrid's epochs and of the same model on images in memory, in turn."""
    with tempfile.TemporaryDirectory() as temporary:
        cell = ours(folder, Path(temporary), 1 + 2 * args.rounds, args)[3:]
        command = [sys.executable, __file__, "--steady", json.dumps(cell)]
        command += ["--backbone", args.backbone, "--size", str(args.size)]
        command += ["--batch-size", str(args.batch_size), "--train", str(args.train)]
        command += ["--device", args.device, *(["--fast"] if args.fast else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    pairs = json.loads(done.stdout)[1:]  # the first epoch warms both up
    rate, limit = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours / limit for ours, limit in pairs)
    print(f"steady, images/s: {rate:.1f}; the same model on images in memory {limit:.1f}; ", end="")
    print(f"cxrgrid / this: {rate / limit:.2f}, median of {len(pairs)} pairs of epochs {ratio:.2f}")
    return rate, limit


def train_beside(args: argparse.Namespace) -> None:
    """A cell, with an epoch of `synthetic` before each of its own. Prints images a second."""
    from cxrgrid import train
    from cxrgrid.io.parquet import read_parquet

    epoch, limits, batches = synthetic(args), [], train.batches
    # Called before the clock of an epoch starts.
    train.batches = lambda *given: limits.append(next(epoch)) or batches(*given)
    call = json.loads(args.steady)
    train.main(call)
    out = Path(call[call.index("--out") + 1])
    rates = read_parquet(out / "history.parquet")[0]["images_per_second"].to_pylist()
    print(json.dumps(list(zip(rates, limits, strict=True))))


def side_by_side(folder: Path, args: argparse.Namespace) -> None:
    """Two cells at once beside one alone: each with its threads, and with those of all cores."""
    ways = {"one": (1, args.threads), "two": (2, args.threads), "all cores": (2, os.cpu_count())}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(args.rounds):
        for way, (cells, threads) in ways.items():
            own = argparse.Namespace(**{**vars(args), "threads": threads})
            with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(cells) as pool:
                outs = [Path(temporary) / str(number) for number in range(cells)]
                calls = [ours(folder, out, args.epochs[1], own) for out in outs]
                ran = list(pool.map(run, calls, [own] * cells))
            seconds[way].append(max(each["wall"] for each in ran))
    one, two, fighting = (statistics.median(walls) for walls in seconds.values())
    print(f"one cell {one:.1f} s wall; two at once {two:.1f} s; ", end="")
    print(f"two that each take all {os.cpu_count()} cores {fighting:.1f} s")


def synthetic(args: argparse.Namespace) -> Iterator[float]:
    """The limit: the same steps on one batch that is already in memory, images a second."""
    import timm
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    layout, autocast = speed(args)
    model = timm.create_model(args.backbone, num_classes=len(CLASSES)).train()
    model.to(args.device, memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images = torch.randn(args.batch_size, 3, args.size, args.size, device=args.device)
    images = images.contiguous(memory_format=layout)
    labels = torch.randint(len(CLASSES), (args.batch_size,), device=args.device)
    steps = args.train // args.batch_size
    while True:
        started = time.perf_counter()
        for _ in range(steps):
            with autocast:
                answers = model(images)
            torch.nn.functional.cross_entropy(answers.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        answers.sum().item()  # a GPU may still be at work
        yield steps * args.batch_size / (time.perf_counter() - started)


FIRST_STEP = """
import os, sys
sys.argv[0] = "-m"  # as it is while `python -m cxrgrid.train` finds its module
from cxrgrid import train
from cxrgrid.io import cli
from cxrgrid.training.step import Step
Step.__call__ = lambda *batch: os._exit(0)
cli.run(train.main)
"""
IMPORTS = "import os, torch, timm; os._exit(0)"


def start(folder: Path, args: argparse.Namespace) -> None:
    """Cost of a training process until its first step, beside importing torch and timm alone.

    Both end at once, as every command of cxrgrid does: taking down what was imported costs more.
    """
    with tempfile.TemporaryDirectory() as temporary:
        first = [sys.executable, "-c", FIRST_STEP, *ours(folder, Path(temporary), 1, args)[3:]]
        wanted = {"torch, timm": [sys.executable, "-c", IMPORTS], "first step": first}
        found: dict[str, list[float]] = {name: [] for name in wanted}
        for _ in range(max(5, args.rounds)):
            for name, command in wanted.items():
                found[name].append(run(command, args)["cpu"])
    middle = {name: statistics.median(values) for name, values in found.items()}
    share = middle["first step"] / middle["torch, timm"]
    print(f"start-up, CPU-s: {middle}; until the first step / torch and timm = {share:.2f}")


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--timm", type=Path, help="timm's train.py, if it is to run too")
    parser.add_argument("--kinds", nargs="+", default=["png"], choices=["png", "jpg"])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--train", type=int, default=384, help="training images")
    parser.add_argument("--val", type=int, default=128, help="validation images")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 3], help="few and more")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--workers", type=int, default=0, help="of timm's and the plain loop")
    parser.add_argument("--fast", action="store_true", help="bfloat16 and channels_last, for all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--steady", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Draw, race, report."""
    args = arguments().parse_args()
    if args.steady:
        return train_beside(args)
    if args.plain:
        args.epochs = args.epochs[0]
        return train_plainly(args)
    for kind in args.kinds:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            draw(folder, kind, {"train": args.train, "val": args.val})
            prepared = prepare(folder, args.size, args.threads)
            report(kind, race(folder, args), prepared, args)
            steady(folder, args)
            start(folder, args)
            side_by_side(folder, args)
    return None


if __name__ == "__main__":
    main()
