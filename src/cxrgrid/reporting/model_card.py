"""The model card of an exported cell: data, performance, intended use and limits."""

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
    "For research only. This is not a medical device and must not inform any decision on a "
    "patient.",
    "Its performance is known only for images like its training images, in view, age and scanner; "
    "elsewhere its probabilities and thresholds must be validated first.",
    "It cannot find a label that it was not trained on; a low probability does not rule out "
    "disease.",
)
USE = """```python
import timm{own}
model = timm.create_model("local-dir:{folder}", pretrained=True).eval()
```
"""


def card(trained: Trained, config: dict, run: dict, scores: list[dict], onnx: float | None) -> str:
    """Text of README.md.

    config: the content of config.json; run: facts of the history; onnx: largest difference of its
    logits from torch's, None without an ONNX file.
    """
    cell = trained.cell
    head = {"library_name": "timm", "pipeline_tag": "image-classification"}
    head |= {"tags": ["chest-x-ray", "cxrgrid", "research-only"], "license": "other"}
    head |= {"license_name": "terms-of-the-training-data"}
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        f"# {cell.backbone} on {cell.dataset}",
        f"Study `{cell.study}`, cell `{cell.path()}`: {task(trained)}.",
        "## Limits",
        *[f"- {text}" for text in NOT_FOR],
        "## Use",
        use(trained, config, onnx),
        "## Data",
        data(trained, run),
        "## Performance",
        results(trained, scores),
        "## Training",
        training(cell, run),
        "## Licence",
        f"The terms of the training data apply to the model. {cell.dataset}: "
        + (trained.dataset.get("terms") or "not stated; ask its publisher."),
    ]
    return "\n\n".join(parts).replace(".\n\n- ", ".\n- ") + "\n"


def task(trained: Trained) -> str:
    """Description of the outputs."""
    names = ", ".join(trained.labels)
    if trained.task == "multiclass":
        return f"multi-class (softmax): {names}"
    return f"multi-label (sigmoid): {names}"


def use(trained: Trained, config: dict, onnx: float | None) -> str:
    """Section on use: code, input, output and thresholds."""
    image, cfg = trained.dataset["image"], config["pretrained_cfg"]
    shape = ", ".join(map(str, (trained.cell.channels, *trained.recipe.shape)))
    steps = [f"{name} {value}" for name, value in image.items() if value not in ("none", 0, None)]
    own = (
        "\nimport cxrgrid.models  # registers the network"
        if models.is_own(trained.cell.backbone)
        else ""
    )
    lines = [
        USE.format(folder="FOLDER", own=own).rstrip(),
        f"- Input: float [N, {shape}], grey levels 0 to 1 with bone bright, then minus "
        f"{rounded(cfg['mean'])}, divided by {rounded(cfg['std'])}.",
        f"- Image recipe: {', '.join(steps)}. `python -m cxrgrid.apply` applies it exactly.",
        "- Output: logits in the order of `label_names` in config.json.",
    ]
    if trained.task == "multilabel":
        pairs = config["cxrgrid"]["thresholds"].items()
        cuts = ", ".join(f"{label} {number(at)}" for label, at in pairs)
        lines.append(f"- Thresholds by Youden's index on its own validation images: {cuts}.")
    if onnx is not None:
        lines.append(f"- model.onnx: logits within {onnx:.1g} of torch's on random images.")
    return "\n".join(lines)


def rounded(values: list[float]) -> str:
    """The channels' numbers as text; one number if all are equal."""
    return ", ".join(dict.fromkeys(f"{value:.4g}" for value in values))


def data(trained: Trained, run: dict) -> str:
    """Section on the data: images, labels and split."""
    facts = trained.dataset
    sizes = ", ".join(f"{count:,} {part}" for part, count in run.get("images", {}).items())
    lines = [
        f"- Dataset `{trained.cell.dataset}`, read as `{facts.get('adapter', 'unknown')}`"
        + (f"; images: {sizes}." if sizes else "."),
        f"- Split `{facts['split']}`, hash `{facts['split_hash']}`.",
        *(pooled(name, part, trained.labels) for name, part in run.get("pool", {}).items()),
    ]
    if Path(facts.get("root", "")).name == "phantom":
        lines.append("- **Phantoms: schematic images drawn by cxrgrid, not images of people.**")
    if facts.get("leakage"):
        lines.append("- **Patients are in two splits: the results below are too optimistic.**")
    notes = facts.get("notes", []) + facts.get("policy", {}).get("notes", [])
    return "\n".join([*lines, *(f"- {note}" for note in dict.fromkeys(notes))])


def pooled(name: str, part: dict, labels: list[str]) -> str:
    """Line on one of several datasets that the cell was trained on, whose terms apply too."""
    masked = [label for label in labels if label not in part["labels"]]
    unknown = f", not for {', '.join(masked)}" if masked else ""
    return f"- Trained on {part['images']:,} images of `{name}`{unknown}; its terms apply as well."


def results(trained: Trained, scores: list[dict]) -> str:
    """Table of the cell's scores on its own test images, with 95 % intervals over patients."""
    rules = (None, "", RULE, "argmax")
    kept = {
        (row["label"], row["metric"]): row
        for row in scores
        if row["subset"] == "all"
        and row["target"] == trained.cell.dataset
        and row["threshold_rule"] in rules
    }
    if not kept:
        return "Not scored: the cell has no scores."
    lines = ["| label | n (positive) | " + " | ".join(NAMES.get(m, m) for m in SHOWN) + " |"]
    lines += ["| --- | ---: |" + " ---: |" * len(SHOWN)]
    for label in [*trained.labels, "macro"]:
        row = kept.get((label, "auroc"))
        if row:
            numbers = [shown(kept.get((label, metric))) for metric in SHOWN]
            count = f"{row['n']:,} ({row['positives']:,})"
            lines.append(f"| {label} | {count} | " + " | ".join(numbers) + " |")
    note = "Test images of its own dataset; 95 % intervals over patients; one seed. "
    note += "macro: mean over the labels with at least `report.minimum` images of both classes."
    return "\n".join([*lines, "", note])


def shown(row: dict | None) -> str:
    """A score with its interval, as text."""
    nan = math.nan
    values = [nan if row is None or row[k] is None else row[k] for k in ("value", "low", "high")]
    return number(*values)


def training(cell: Cell, run: dict) -> str:
    """Section on training: settings that differ from the defaults, hardware and versions."""
    given = msgspec.to_builtins(cell)
    defaults = {f.name: f.default for f in msgspec.structs.fields(Cell) if not f.required}
    names = [n for n in ("epochs", "batch_size", "lr", "optimizer") if n in given]
    names += [n for n in defaults if n in given and n not in names and given[n] != defaults[n]]
    settings = ", ".join(
        f"{name} {given[name]}" for name in names if not name.startswith("weights")
    )
    fold = f"fold {cell.fold}, " if cell.fold else ""
    start = f"from `{cell.weights}`" if cell.weights else "from scratch"
    lines = [f"- {start[0].upper()}{start[1:]}, recipe `{cell.recipe}`, {fold}seed {cell.seed}."]
    lines.append(f"- Settings: {settings}.")
    if run.get("start"):
        lines.append(f"- Initial weights: {run['start']}.")
    if run:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        lines.append(f"- Trained on {run['hardware']}; {versions}.")
        lines.append(f"- {run['parameters']:,} parameters.")
    return "\n".join(lines)
