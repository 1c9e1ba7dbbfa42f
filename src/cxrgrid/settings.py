"""Every setting of a study: its name, type, bounds, default and meaning, once.

`python -m cxrgrid.settings` prints them as the JSON schema from which editors complete, and with
`--manual` as docs/settings.md.
"""

import json
import sys
from typing import Annotated, Any, Literal

import msgspec

from cxrgrid.preparation import Columns, Fraction, Image, Lists, Phantom, Split
from cxrgrid.selection import Sample, Selection, Subset, about


class Dataset(Selection, frozen=True, forbid_unknown_fields=True):
    """One entry under `datasets:`."""

    adapter: Annotated[str, about("a file in src/cxrgrid/datasets: how the folder is laid out")]
    root: Annotated[str, about("the folder that holds the dataset; not used with `phantom`")] = ""
    phantom: Annotated[Phantom | None, about("draw the dataset instead of reading it")] = None
    labels: Annotated[
        tuple[str, ...], about("labels to learn, in this order; empty: all that the adapter knows")
    ] = ()
    task: Annotated[
        Literal["auto", "multilabel", "multiclass"],
        about("auto: as the adapter says; for `csv`: multilabel"),
    ] = "auto"
    patient: Annotated[
        str, about("for `folder`: regular expression; its match in a file's name is the patient")
    ] = ""
    columns: Annotated[Columns, about("for `csv`: the names of its columns")] = Columns()
    image: Annotated[Image, about("how an image becomes pixels")] = Image()
    split: Annotated[Split, about("train, validation and test")] = Split()
    unreadable: Annotated[
        Fraction, about("share of unreadable images above which the run stops; below, set aside")
    ] = 0.01
    allow_leakage: Annotated[bool, about("go on although patients stand in two splits")] = False


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named set of training settings."""

    epochs: Annotated[int, about("passes over the training images", ge=1)] = 20
    batch_size: Annotated[int, about("images in a step", ge=1)] = 32
    channels: Annotated[Literal[1, 3], about("input channels; 3 repeats the grey image")] = 3
    optimizer: Annotated[
        Literal["adam", "adamw", "lamb", "momentum", "nadamw", "radam", "rmsprop", "sgd"],
        about("timm's name: sgd has Nesterov momentum, momentum has plain momentum"),
    ] = "adamw"
    lr: Annotated[float, about("learning rate at its peak", gt=0)] = 0.001
    weight_decay: Annotated[float, about("decay of weights; never of biases and norms", ge=0)] = (
        0.05
    )
    momentum: Annotated[float, about("for sgd, momentum and rmsprop", ge=0, lt=1)] = 0.9
    schedule: Annotated[
        Literal["constant", "cosine"], about("learning rate over the steps, after the warm-up")
    ] = "cosine"
    warmup_epochs: Annotated[float, about("epochs of linear warm-up", ge=0)] = 0.0
    pos_weight: Annotated[bool, about("multi-label: weight positives by negatives / positives")] = (
        False
    )
    class_weight: Annotated[bool, about("multi-class: weight classes by inverse frequency")] = False
    label_smoothing: Annotated[
        float, about("target 1 becomes 1 - s/2 or 1 - s + s/classes", ge=0, lt=1)
    ] = 0.0
    dropout: Annotated[float, about("dropout before the classifier", ge=0, lt=1)] = 0.0
    hflip: Annotated[bool, about("mirror half of the images: moves the heart to the right")] = False
    rotate: Annotated[float, about("rotate by up to this many degrees", ge=0, le=180)] = 0.0
    shift: Annotated[Fraction, about("shift by up to this share of the side")] = 0.0
    scale: Annotated[float, about("scale by up to this share, larger or smaller", ge=0, lt=1)] = 0.0
    brightness: Annotated[Fraction, about("add up to this share of the grey range")] = 0.0
    contrast: Annotated[Fraction, about("stretch grey levels by up to this share")] = 0.0
    monitor: Annotated[
        Literal["auroc", "loss"],
        about(
            "what picks the best epoch on the validation split: mean AUROC (higher) or loss (lower)"
        ),
    ] = "auroc"
    patience: Annotated[
        int, about("stop after this many epochs without a better one; 0: never", ge=0)
    ] = 0
    accumulate: Annotated[
        int, about("parts that a step's batch is taken in, to save memory; batch_size stays", ge=1)
    ] = 1
    on_oom: Annotated[
        Literal["fail", "accumulate"],
        about(
            "out of memory: fail, or take the step again, and all later ones, in twice the parts"
        ),
    ] = "fail"
    clip_grad: Annotated[float, about("largest norm of all gradients; 0: any", ge=0)] = 0.0
    ema_decay: Annotated[
        float,
        about(
            "decay, a step, of a moving average of the weights; it is what is evaluated and kept; "
            "0: none",
            ge=0,
            lt=1,
        ),
    ] = 0.0
    compile: Annotated[bool, about("torch.compile; the first step then takes long")] = False
    amp: Annotated[bool, about("bfloat16 autocast")] = False
    channels_last: Annotated[bool, about("channels_last memory layout")] = False


class Cell(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One point of the grid and everything that its run depends on: `cell.json`."""

    study: str
    dataset: str
    backbone: str
    init: str
    recipe: str
    seed: int
    weights: str  # the safetensors file that the run starts from; empty: from scratch

    def path(self) -> str:
        """Where the cell lies below results/{study}/cells."""
        return f"{self.dataset}/{self.backbone}/{self.init}/{self.recipe}/seed{self.seed}"


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A full product of the five axes."""

    datasets: Annotated[tuple[str, ...], about("names under datasets:")]
    backbones: Annotated[tuple[str, ...], about("timm model names")]
    inits: Annotated[tuple[str, ...], about("scratch, or names under weights:")] = ("scratch",)
    recipes: Annotated[tuple[str, ...], about("names under recipes:")] = ("default",)
    seeds: Annotated[tuple[int, ...], about("replicates: initial weights, order, augmentation")] = (
        0,
    )


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another cell as the start; what is left out is as in the cell that starts from it."""

    dataset: Annotated[str, about("the dataset that the source cell is trained on")]
    backbone: Annotated[str, about("empty: the same backbone")] = ""
    init: Annotated[str, about("where the source cell itself starts")] = "scratch"
    recipe: Annotated[str, about("the source cell's recipe")] = "default"
    seed: Annotated[int | None, about("none: the same seed")] = None


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings for the cells that match: the last of several that match wins."""

    set: Annotated[dict[str, Any], about("recipe settings to change")]
    dataset: Annotated[str, about("only this dataset")] = ""
    backbone: Annotated[str, about("only this backbone")] = ""
    init: Annotated[str, about("only this init")] = ""
    recipe: Annotated[str, about("only this recipe")] = ""


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the report shows."""

    headline: Annotated[
        Literal["auroc", "ap", "f1", "balanced_accuracy"],
        about("the metric that ranks, averaged over labels"),
    ] = "auroc"
    figures: Annotated[tuple[str, ...], about("files in src/cxrgrid/figures; empty: all")] = ()
    resamples: Annotated[int, about("bootstrap resamples of patients", ge=100)] = 1000
    show_credentialed: Annotated[
        bool, about("show pixels of data that may not be redistributed")
    ] = False


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A config file."""

    study: Annotated[str, about("names the folder results/{study}")]
    datasets: Annotated[dict[str, Dataset], about("the datasets, by the names that the grid uses")]
    grid: Annotated[
        Block | list[Block], about("the axes; or a list of such blocks, taken together")
    ]
    title: Annotated[str, about("heads the report; empty: the study's name")] = ""
    recipes: Annotated[
        dict[str, dict[str, Any]], about("settings by name; the others change what default sets")
    ] = {}
    overrides: Annotated[tuple[Override, ...], about("settings for some cells only")] = ()
    weights: Annotated[
        dict[str, str | Source],
        about(
            "inits by name: `timm`, a safetensors file ({backbone} is filled in), or another cell"
        ),
    ] = {}
    report: Annotated[Report, about("what the report shows")] = Report()


def schema() -> str:
    """The JSON schema of a config file, as workflow/schemas/config.schema.json holds it."""
    document = msgspec.json.schema(Study)
    recipe = msgspec.json.schema(Recipe)["$defs"]["Recipe"]
    document["$defs"]["Recipe"] = recipe
    document["$defs"]["Study"]["properties"]["recipes"]["additionalProperties"] = {
        "$ref": "#/$defs/Recipe"
    }
    document["$defs"]["Override"]["properties"]["set"] |= {"$ref": "#/$defs/Recipe"}
    return json.dumps(document, indent=2) + "\n"


def manual() -> str:
    """docs/settings.md: every setting in tables."""
    lines = ["# Settings", "", "Made by `python -m cxrgrid.settings --manual`.", ""]
    structs = (Study, Block, Dataset, Sample, Subset, Phantom, Image, Split, Lists, Columns, Recipe)
    for struct in (*structs, Override, Source):
        definition = json.loads(schema())["$defs"][struct.__name__]
        lines += [f"## {struct.__name__}", "", definition["description"], ""]
        lines += ["| setting | default | meaning |", "| --- | --- | --- |"]
        lines += [row(name, setting) for name, setting in definition["properties"].items()] + [""]
    return "\n".join(lines)


def row(name: str, setting: dict[str, Any]) -> str:
    """A setting as a row of the manual: choices and bounds follow the meaning."""
    default = json.dumps(setting["default"]) if "default" in setting else "required"
    choices = [f"`{choice}`" for choice in setting.get("enum", [])]
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {setting[key]:g}" for key, sign in bounds.items() if key in setting]
    more = f" ({', '.join(choices + limits)})" if choices or limits else ""
    return f"| `{name}` | `{default}` | {setting['description']}{more} |"


if __name__ == "__main__":
    print(manual() if "--manual" in sys.argv else schema(), end="")
