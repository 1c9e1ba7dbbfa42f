"""What a config file may say: names, types, bounds, defaults and meanings of its settings."""

from typing import Annotated, Any, Literal

import msgspec

from cxrgrid.config.dataset import Dataset
from cxrgrid.config.fields import Fraction, about


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A full product of the five axes."""

    datasets: Annotated[tuple[str, ...], about("names under datasets:")]
    backbones: Annotated[tuple[str, ...], about("timm model names")]
    inits: Annotated[tuple[str, ...], about("scratch, or names under weights:")] = ("scratch",)
    recipes: Annotated[tuple[str, ...], about("names under recipes:")] = ("default",)
    seeds: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=0)], ...],
        about("replicates: initial weights, order, augmentation"),
    ] = (0,)


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where cells start: from another cell, or from a file with a checksum.

    What is left out of another cell is as in the cell that starts from it.
    """

    dataset: Annotated[str, about("the dataset that the source cell is trained on")] = ""
    file: Annotated[
        str, about("instead: a safetensors file, or a folder, as in `weights: {name: file}`")
    ] = ""
    sha256: Annotated[
        str, about("the file's checksum; empty: not checked", pattern="^([0-9a-f]{64})?$")
    ] = ""
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


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operating point that reaches a target on validation images; name one of the two."""

    sensitivity: Annotated[Fraction, about("the highest threshold with this sensitivity")] = 0.0
    specificity: Annotated[Fraction, about("the lowest threshold with this specificity")] = 0.0


Point = Literal["youden"] | Fraction | Target


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is scored, and what the report shows."""

    headline: Annotated[
        Literal["auroc", "ap", "f1", "balanced_accuracy"],
        about("the metric that ranks, averaged over labels"),
    ] = "auroc"
    figures: Annotated[tuple[str, ...], about("files in src/cxrgrid/figures; empty: all")] = ()
    resamples: Annotated[int, about("bootstrap resamples of patients", ge=100)] = 1000
    interval: Annotated[
        Literal["percentile", "bca"],
        about("of one cell's scores; bca: corrected for bias and skew, and dearer"),
    ] = "percentile"
    stratify: Annotated[
        bool, about("resample patients within the rarest finding they have, so that none gets lost")
    ] = False
    operating_points: Annotated[
        tuple[Point, ...],
        about(
            "where a label counts as present, all fitted on validation images: youden, a threshold "
            "such as 0.2, {sensitivity: 0.9}, {specificity: 0.9}; tables show the first"
        ),
    ] = ("youden", 0.5)
    calibrate: Annotated[
        Literal["none", "temperature"],
        about("temperature: scale the logits, one number a label, fitted on validation images"),
    ] = "none"
    subgroups: Annotated[
        tuple[Literal["sex", "view", "age", "source"], ...],
        about("score each group of test images by itself, and the gap between best and worst"),
    ] = ()
    age_bands: Annotated[
        tuple[float, ...], about("for `subgroups: [age]`: where a new band begins, in years")
    ] = (18, 40, 60, 80)
    subgroup_minimum: Annotated[
        int, about("a label of a group is scored from so many positives and negatives", ge=1)
    ] = 10
    ensembles: Annotated[
        bool, about("score the mean of the seeds' probabilities too, and that of all backbones")
    ] = True
    explain: Annotated[
        Literal["none", "first_seed", "all"],
        about(
            "cells whose heat maps, pointing game and embedding are made: none, the first seed of "
            "each configuration, or all; a job a cell, nothing is trained for it"
        ),
    ] = "first_seed"
    show_credentialed: Annotated[
        bool, about("show pixels of data that may not be redistributed")
    ] = False


class External(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that was trained elsewhere, judged on a dataset's test images as the cells are."""

    dataset: Annotated[str, about("whose test images were predicted: these, all of them")]
    predictions: Annotated[
        str, about("Parquet or CSV: image, y:<label> (1, 0, empty), p:<label> (probability)")
    ]
    val: Annotated[
        str, about("the same on validation images; without it, thresholds that are numbers only")
    ] = ""

    def files(self) -> list[str]:
        """The files that scoring reads."""
        return [path for path in (self.predictions, self.val) if path]


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
            "inits by name: `timm`, a safetensors file ({backbone} is filled in), a folder that "
            "holds {backbone}.safetensors, or a Source"
        ),
    ] = {}
    external: Annotated[
        dict[str, External],
        about("models trained elsewhere, by name: rows of metrics.csv beside the cells"),
    ] = {}
    transfer: Annotated[
        Literal["all", "none"] | tuple[str, ...],
        about(
            "datasets on whose test images the cells of the others are tested too, in the labels "
            "of the same name: all, none, or a list; nothing is trained for it"
        ),
    ] = "none"
    report: Annotated[Report, about("what is scored, and what the report shows")] = Report()
