"""Images a second on a GPU: timm's train.py, a plain loop, the synthetic limit, and cxrgrid.

The same images, network, batch and precision (bfloat16 and channels_last) for all, each loop as a
process of its own; an epoch's time is the difference between a long and a short training, so that
no start-up counts. The limit is the same step again and again on one batch that lies on the card.
timm's train.py is not part of its package: save it from timm's repository and name it with --timm.

Example:
  python benchmarks/gpu.py --timm train.py --backbones resnet50 vit_small_patch16_224
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import torch
import train


def arguments() -> argparse.Namespace:
    """Options, and those of the loops as they are on a GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--timm", type=Path, help="timm's train.py, if it is to run too")
    parser.add_argument("--backbones", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--train", type=int, default=4096, help="training images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--workers", type=int, default=8, help="of timm's and the plain loop")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: a trial")
    given = vars(parser.parse_args()) | {"fast": True, "epochs": [1, 3], "lr": 0.01}
    return argparse.Namespace(**given, val=given["train"] // 8)


def measure(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """Images a second of each loop, and the limit."""
    found = {
        name: statistics.median(args.train / row["epoch_wall"] for row in rows)
        for name, rows in train.race(folder, args).items()
    }
    rate, limit = train.steady(folder, args)
    return found | {"cxrgrid, training alone": rate, "synthetic limit": limit}


def main() -> None:
    """Draw the images once, then one line for each backbone and loop."""
    args = arguments()
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no GPU that torch can use; --device cpu tries the benchmark itself")
    card = torch.cuda.get_device_name() if args.device == "cuda" else "CPU"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        train.draw(folder, "jpg", {"train": args.train, "val": args.val})
        train.prepare(folder, args.size, args.threads)
        print(f"{card}, torch {torch.__version__}, {args.size} px, batches of {args.batch_size}")
        print(f"{'backbone':24} {'loop':24} images/s  share of the limit")
        for backbone in args.backbones:
            args.backbone = backbone
            found = measure(folder, args)
            for name, rate in found.items():
                share = rate / found["synthetic limit"]
                print(f"{backbone:24} {name:24} {rate:8.0f}  {share:6.2f}")


if __name__ == "__main__":
    main()
