"""The model card of an exported cell: what it learnt from, how good it is, what it is not for."""

import math
from pathlib import Path

import msgspec
import yaml

from cxrgrid import models
from cxrgrid.config.cell import Cell
from cxrgrid.evaluation.wording import number
from cxrgrid.inference.trained_cell import Trained
from cxrgrid.reporting.results import NAMES

SHOWN = ("auroc", "ap", "sensitivity", "specificity")
RULE = "youden"
NOT_FOR = (
    "For research only. This is no medical device: it must not inform any decision on a patient.",
    "It answers for images like those that it was trained on, in their views, ages and scanners; "
    "elsewhere its probabilities and thresholds mean nothing until they are tested there.",
    "A label that it does not know, it cannot find; a low probability is no clean bill of health.",
)
USE = """```python
import timm{own}
model = timm.create_model("local-dir:{folder}", pretrained=True).eval()
```
"""


def card(trained: Trained, config: dict, run: dict, scores: list[dict], onnx: float | None) -> str:
    """README.md; config: config.json's; run: the history's facts; onnx: distance from torch."""
    cell = trained.cell
    head = {"library_name": "timm", "pipeline_tag": "image-classification"}
    head |= {"tags": ["chest-x-ray", "cxrgrid", "research-only"], "license": "other"}
    head |= {"license_name": "terms-of-the-training-data"}
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        f"# {cell.backbone} on {cell.dataset}",
        f"Study `{cell.study}`, cell `{cell.path()}`: {task(trained)}.",
        "## Not for patients",
        *[f"- {text}" for text in NOT_FOR],
        "## Use",
        use(trained, config, onnx),
        "## Data",
        data(trained, run),
        "## How good it is",
        results(trained, scores),
        "## Training",
        training(cell, run),
        "## Licence",
        f"The terms of the data hold for what was made of them. {cell.dataset}: "
        + (trained.dataset.get("terms") or "not stated; ask who published it."),
    ]
    return "\n\n".join(parts).replace(".\n\n- ", ".\n- ") + "\n"


def task(trained: Trained) -> str:
    """What the outputs are."""
    names = ", ".join(trained.labels)
    if trained.task == "multiclass":
        return f"classes that exclude each other (softmax): {names}"
    return f"findings, each for itself (sigmoid): {names}"


def use(trained: Trained, config: dict, onnx: float | None) -> str:
    """How images go in, and what comes out."""
    image, cfg = trained.dataset["image"], config["pretrained_cfg"]
    steps = [f"{name} {value}" for name, value in image.items() if value not in ("none", 0, None)]
    own = (
        "\nimport cxrgrid.models  # registers the network"
        if models.is_own(trained.cell.backbone)
        else ""
    )
    lines = [
        USE.format(folder="FOLDER", own=own).rstrip(),
        f"- Input: float [N, {trained.cell.channels}, {trained.recipe.size}, "
        f"{trained.recipe.size}], grey levels 0 to 1, bright where the body absorbs, then minus "
        f"{rounded(cfg['mean'])}, divided by {rounded(cfg['std'])}.",
        f"- Image recipe: {', '.join(steps)}. `python -m cxrgrid.apply` follows it to the bit.",
        "- Output: logits in the order of `label_names` in config.json.",
    ]
    if trained.task == "multilabel":
        pairs = config["cxrgrid"]["thresholds"].items()
        cuts = ", ".join(f"{label} {at:.3f}" for label, at in pairs)
        lines.append(f"- Thresholds by Youden's index on its own validation images: {cuts}.")
    if onnx is not None:
        lines.append(f"- model.onnx: logits within {onnx:.1g} of torch's on random images.")
    return "\n".join(lines)


def rounded(values: list[float]) -> str:
    """The numbers of the channels; one for all where they are equal."""
    return ", ".join(dict.fromkeys(f"{value:.4g}" for value in values))


def data(trained: Trained, run: dict) -> str:
    """Which images, labels and split."""
    facts = trained.dataset
    sizes = ", ".join(f"{count:,} {part}" for part, count in run.get("images", {}).items())
    lines = [
        f"- Dataset `{trained.cell.dataset}`, read as `{facts.get('adapter', 'unknown')}`"
        + (f"; images: {sizes}." if sizes else "."),
        f"- Split `{facts['split']}`, hash `{facts['split_hash']}`.",
    ]
    if Path(facts.get("root", "")).name == "phantom":
        lines.append("- **Phantoms that cxrgrid drew, no radiographs of people.**")
    if facts.get("leakage"):
        lines.append("- **Patients stand in two splits: the numbers below are too good.**")
    notes = facts.get("notes", []) + facts.get("policy", {}).get("notes", [])
    return "\n".join([*lines, *(f"- {note}" for note in dict.fromkeys(notes))])


def results(trained: Trained, scores: list[dict]) -> str:
    """A table of the cell's scores on its own test images, 95 % intervals over patients."""
    rules = (None, "", RULE, "argmax")
    kept = {
        (row["label"], row["metric"]): row
        for row in scores
        if row["subset"] == "all"
        and row["target"] == trained.cell.dataset
        and row["threshold_rule"] in rules
    }
    if not kept:
        return "Not scored: no scores lie beside the cell."
    lines = ["| label | n (positive) | " + " | ".join(NAMES.get(m, m) for m in SHOWN) + " |"]
    lines += ["| --- | ---: |" + " ---: |" * len(SHOWN)]
    for label in [*trained.labels, "macro"]:
        row = kept.get((label, "auroc"))
        if row:
            numbers = [shown(kept.get((label, metric))) for metric in SHOWN]
            count = f"{row['n']:,} ({row['positives']:,})"
            lines.append(f"| {label} | {count} | " + " | ".join(numbers) + " |")
    note = "Test images of its own dataset; 95 % intervals over patients; one seed. "
    return "\n".join([*lines, "", note + "macro: mean over the labels that have both classes."])


def shown(row: dict | None) -> str:
    """A score with its interval."""
    nan = math.nan
    values = [nan if row is None or row[k] is None else row[k] for k in ("value", "low", "high")]
    return number(*values)


def training(cell: Cell, run: dict) -> str:
    """The settings that differ from the defaults, and where it ran."""
    given = msgspec.to_builtins(cell)
    defaults = {f.name: f.default for f in msgspec.structs.fields(Cell) if not f.required}
    names = [n for n in ("epochs", "batch_size", "lr", "optimizer") if n in given]
    names += [n for n in defaults if n in given and n not in names and given[n] != defaults[n]]
    settings = ", ".join(
        f"{name} {given[name]}" for name in names if not name.startswith("weights")
    )
    start = f"from `{cell.weights}`" if cell.weights else "from scratch"
    lines = [f"- {start[0].upper()}{start[1:]}, recipe `{cell.recipe}`, seed {cell.seed}."]
    lines.append(f"- Settings: {settings}.")
    if run:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        lines.append(f"- Trained on {run['hardware']}; {versions}.")
        lines.append(f"- {run['parameters']:,} parameters.")
    return "\n".join(lines)
