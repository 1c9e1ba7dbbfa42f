"""Write a trained cell as a folder that timm and the Hugging Face hub understand, with its card.

`timm.create_model("local-dir:FOLDER", pretrained=True)` gives the network with its weights.
--onnx adds model.onnx, checked against the network itself. README.md says what the model was
trained on, how good it is and what it is not for. Nothing of any image or patient is written.

Example:
  python -m cxrgrid.export --cell results/demo/cells/ward/…/seed0 --out resnet10t-ward --onnx
"""

import contextlib
import io
import json
import logging
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import torch
from timm.models import save_for_hf
from torch import nn

from cxrgrid.config.errors import UserError
from cxrgrid.evaluation import thresholds
from cxrgrid.inference.trained_cell import Trained, read_trained
from cxrgrid.io import cli
from cxrgrid.io.atomic import make_folder, refusals_named, replacing, write_text
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting.model_card import card

TOLERANCE = 1e-4  # of the logits, between ONNX and torch
EXTRA = ("onnx", "onnxruntime", "onnxscript")


def write_folder(model: nn.Module, trained: Trained, out: Path) -> None:
    """config.json and model.safetensors, by timm's own writer; each is put in place whole."""
    shape, channels = trained.recipe.shape, trained.cell.channels
    data = {name: getattr(model, name).flatten().tolist() for name in ("mean", "std")}
    data |= {"input_size": (channels, *shape), "crop_pct": 1.0}
    # Of these weights, not of those that timm publishes for the backbone.
    about = {"tag": "", "license": "other", "origin_url": ""}
    config = {"label_names": trained.labels, "cxrgrid": facts(trained), "pretrained_cfg": about}
    arguments = {"in_chans": channels, **model.size_options}
    traits = getattr(model, "_traits", {})  # of timm, which refuses another size than its own
    if "img_size" not in model.size_options:  # the network took the images as they are
        traits["fixed_input_size"] = False
    model.register_state_dict_post_hook(separate)
    partial = out / ".partial"
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    try:
        with refusals_named(out / "model.safetensors", partial):
            save_for_hf(
                model, partial, config, arguments, safe_serialization=True, data_config=data
            )
        for file in sorted(partial.iterdir()):
            with refusals_named(out / file.name, file), replacing(out / file.name) as whole:
                file.rename(whole)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def separate(_: nn.Module, weights: dict[str, torch.Tensor], *__: object) -> None:
    """Copy weights of one tensor under two names (coat), which safetensors does not take."""
    seen: set[int] = set()
    for name, value in weights.items():
        weights[name] = value.clone() if value.data_ptr() in seen else value
        seen.add(value.data_ptr())


def facts(trained: Trained) -> dict:
    """Settings that timm's config lacks: the image recipe and the thresholds."""
    fit = thresholds.fit(trained.val, trained.val.facts, ("youden",), "none")
    (name, cut), *_ = fit.thresholds.items()
    pairs = zip(trained.labels, cut.tolist(), strict=True)
    cuts = {label: None if np.isnan(at) else at for label, at in pairs}
    return {
        "cell": msgspec.to_builtins(trained.cell),
        "task": trained.task,
        "image": trained.dataset["image"],
        "threshold_rule": name,
        "thresholds": cuts,
        **{name: trained.dataset[name] for name in ("split", "split_hash")},
    }


def write_onnx(model: nn.Module, trained: Trained, path: Path) -> float:
    """model.onnx, for any number of images; the largest difference of its logits from torch's.

    `UserError` if that is above `TOLERANCE`, or what this needs is not installed.
    """
    lacking = [name for name in EXTRA if find_spec(name) is None]
    if lacking:
        raise UserError(f"--onnx needs {', '.join(lacking)}: pip install {' '.join(EXTRA)}")
    import onnxruntime

    shape = (trained.cell.channels, *trained.recipe.shape)
    # Two images, not one: the exporter takes a size of 1 for a constant.
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    with quiet():
        torch.onnx.export(
            model,
            (images,),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    some = torch.rand(3, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        difference = np.abs(session.run(None, {"images": some.numpy()})[0] - model(some).numpy())
    if not difference.max() <= TOLERANCE:
        raise UserError(
            f"--onnx: its logits differ by {difference.max():.2g} from torch's, more than "
            f"{TOLERANCE:g}; not written"
        )
    return float(difference.max())


@contextlib.contextmanager
def quiet():
    """Without the exporter's own progress, which is long and says nothing of the result."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def main(argv: list[str] | None) -> None:
    """Write one cell's folder."""
    parser = cli.parser("export", __doc__)
    parser.add_argument("--cell", type=Path, required=True, help="the folder of a finished cell")
    parser.add_argument("--data", type=Path, help="results/data/{dataset}, if not above the cell")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--onnx", action="store_true", help="model.onnx as well")
    args = parser.parse_args(argv)
    trained = read_trained(args.cell, args.data)
    if trained.cell.head == "knn":
        raise UserError(
            f"{args.cell}: head: knn is no layer that timm knows, and it holds features "
            "of the training images; export a cell with head: linear or logistic"
        )
    # Plain memory, as safetensors wants it.
    model = trained.network().to("cpu", memory_format=torch.contiguous_format)
    make_folder(args.out)
    write_folder(model, trained, args.out)
    difference = None
    if args.onnx:
        with replacing(args.out / "model.onnx") as partial:
            difference = write_onnx(model, trained, partial)
    history = args.cell / "history.parquet"
    run = read_parquet(history)[1] if history.is_file() else {}
    rest = json.loads((args.out / "config.json").read_text("utf-8"))
    text = card(trained, rest, run, scores(args.cell, trained), difference)
    write_text(args.out / "README.md", text)
    logging.info(f"{args.out}: " + ", ".join(sorted(path.name for path in args.out.iterdir())))


def scores(folder: Path, trained: Trained) -> list[dict]:
    """The cell's rows of scores/{dataset}.parquet; none where it was not scored or was copied."""
    for parent in folder.resolve().parents:
        path = parent / "scores" / f"{trained.cell.dataset}.parquet"
        if parent.name == trained.cell.study and path.is_file():
            rows = read_parquet(path)[0].to_pylist()
            axes = trained.cell.axes()
            return [r for r in rows if {a: r.get(a, 0) for a in axes} == axes]
    return []


if __name__ == "__main__":
    cli.run(main)
