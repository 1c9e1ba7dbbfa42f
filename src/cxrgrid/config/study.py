"""Settings of a config file: names, types, bounds, defaults and descriptions."""

from typing import Annotated, Any, Literal

import msgspec

from cxrgrid.config.dataset import Dataset
from cxrgrid.config.fields import Fraction, about
from cxrgrid.config.operating_points import Point
from cxrgrid.config.shifts import CHANGES
from cxrgrid.config.source import Source

BANDS = ("macro:head", "macro:middle", "macro:tail")  # in the scores: means over labels of a band


AXES_OF_GROUPS = ("sex", "view", "age", "source", "sex*view", "sex*age", "sex*source")
AXES_OF_GROUPS += ("view*age", "view*source", "age*source")  # intersections of two


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The product of the axes: datasets, backbones, inits, recipes and the two replicates."""

    datasets: Annotated[tuple[str, ...], about("names under datasets:")]
    backbones: Annotated[
        tuple[str, ...], about("timm model names, or hf-hub:owner/name, local-dir:folder")
    ]
    inits: Annotated[tuple[str, ...], about("scratch, or names under weights:")] = ("scratch",)
    recipes: Annotated[tuple[str, ...], about("names under recipes:")] = ("default",)
    seeds: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=0)], ...],
        about("replicates of training: initial weights, order of images, augmentation"),
    ] = (0,)
    folds: Annotated[
        Literal["all"] | tuple[Annotated[int, msgspec.Meta(ge=0)], ...],
        about(
            "cross-validation of the datasets whose split has `folds`: all, or a list of fold "
            "numbers from 0, each tested in turn by cells of its own; empty: the one fold that "
            "`split.fold` names"
        ),
    ] = ()
    design: Annotated[
        Literal["full", "one_at_a_time", "base"],
        about(
            "full: the product of axes and of recipes' lists; one_at_a_time: around the first of "
            "all, one changed at a time; base: the product of axes, at each list's first value"
        ),
    ] = "full"


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings for the cells that match; of several overrides that match, the last wins."""

    set: Annotated[dict[str, Any], about("recipe settings to change")]
    dataset: Annotated[str, about("only this dataset")] = ""
    backbone: Annotated[str, about("only this backbone")] = ""
    init: Annotated[str, about("only this init")] = ""
    recipe: Annotated[str, about("only this recipe")] = ""


class Primary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The study's question: the effect that is tested first, and for which nothing is corrected."""

    factor: Annotated[
        str,
        about(
            "init, backbone, recipe, or a recipe setting that is a list; empty: init, else the "
            "first factor that varies"
        ),
    ] = ""
    metric: Annotated[
        Literal["", "auroc", "ap"], about("empty: the headline metric, or AUROC if that is another")
    ] = ""


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scores and of the report."""

    headline: Annotated[
        Literal["auroc", "ap", "f1", "balanced_accuracy"],
        about("metric that ranks the configurations, averaged over labels"),
    ] = "auroc"
    primary: Annotated[
        Primary, about("the effect that the study is about; its test stands first, by itself")
    ] = Primary()
    margin: Annotated[
        float,
        about(
            "difference that does not matter, such as 0.02: says where a model is not worse by "
            "more than that, or equivalent; 0: no such verdicts",
            ge=0,
            lt=1,
        ),
    ] = 0.0
    figures: Annotated[tuple[str, ...], about("files in src/cxrgrid/figures; empty: all")] = ()
    curves: Annotated[
        tuple[Literal["loss", "auroc", "accuracy", "f1", "monitor", "lr"], ...],
        about(
            "metrics whose curves over epochs are drawn, such as [f1, accuracy]; accuracy, f1 and "
            "loss of training images too; monitor: the metric that chooses the epoch",
            min_length=1,
        ),
    ] = ("auroc",)
    resamples: Annotated[int, about("bootstrap resamples of patients", ge=100)] = 1000
    interval: Annotated[
        Literal["wilson", "percentile", "bca"],
        about(
            "kind of interval of a cell's scores; wilson: in closed form, holds the truth with few "
            "positives too; percentile, bca (corrected for bias and skew, slower): from resampled "
            "patients, too short with few positives"
        ),
    ] = "wilson"
    stratify: Annotated[
        bool, about("resample patients within strata of their rarest finding, so that none is lost")
    ] = False
    operating_points: Annotated[
        tuple[Point, ...],
        about(
            "thresholds at which a label counts as present: youden, f1 (the largest F1), "
            "{sensitivity: 0.9} or {specificity: 0.9}, fitted on validation images, or a number "
            "such as 0.2; tables show the first"
        ),
    ] = ("youden", 0.5)
    prevalences: Annotated[
        tuple[Fraction, ...],
        about("shares of patients with a finding at which predictive values are stated as well"),
    ] = ()
    frequency_bands: Annotated[
        tuple[Fraction, ...],
        about(
            "shares of training images with a finding, rising, that part rare from common labels, "
            "such as [0.01, 0.1]: averages over head, middle and tail labels are scored as well"
        ),
    ] = ()
    calibrate: Annotated[
        Literal["none", "temperature", "platt"],
        about(
            "recalibration of each label's logits, fitted on validation images; temperature: "
            "divide them by a number; platt: also add one (intercept and slope), which undoes "
            "pos_weight and balanced sampling too"
        ),
    ] = "none"
    subgroups: Annotated[
        tuple[Literal[AXES_OF_GROUPS], ...],
        about(
            "score each group of test images, the gap between best and worst with a test that "
            "allows for the number of groups, and the worst group; sex*age: each sex and age"
        ),
    ] = ()
    age_bands: Annotated[
        tuple[float, ...],
        about("for `subgroups: [age]`: lower bounds of the bands above the first, in years"),
    ] = (18, 40, 60, 80)
    minimum: Annotated[
        int, about("positives and negatives that a label needs to be in means and tests", ge=1)
    ] = 10
    subgroup_minimum: Annotated[
        int, about("least number of positives and of negatives for which a group is scored", ge=1)
    ] = 10
    ensembles: Annotated[
        bool, about("also score the mean probabilities over the seeds, and over all backbones")
    ] = True
    shifts: Annotated[
        Literal["all"] | tuple[Literal[tuple(CHANGES)], ...],
        about(
            "changes of the test images (shifts.csv) under which each cell is tested too, in three "
            "strengths: all, or a list such as [noise, blur]; one job per cell, without training. "
            "The report then also has abstention and the distance from the training images"
        ),
    ] = ()
    explain: Annotated[
        Literal["none", "first_seed", "all"],
        about(
            "cells that get heat maps, pointing game and embedding: none, the first seed of each "
            "configuration, or all; one job per cell, without training"
        ),
    ] = "first_seed"
    show_credentialed: Annotated[
        bool, about("show pixels of data whose terms forbid redistribution")
    ] = False


class External(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model trained elsewhere, scored on a dataset's test images like a cell."""

    dataset: Annotated[str, about("dataset whose test images, all of them, were predicted")]
    predictions: Annotated[
        str, about("Parquet or CSV: image, y:<label> (1, 0, empty), p:<label> (probability)")
    ]
    val: Annotated[
        str,
        about("the same for validation images; without it, only thresholds that are numbers apply"),
    ] = ""

    def files(self) -> list[str]:
        """Paths of the predictions files."""
        return [path for path in (self.predictions, self.val) if path]


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A config file."""

    study: Annotated[str, about("name of the study and of its folder results/{study}")]
    datasets: Annotated[dict[str, Dataset], about("datasets, by the names that the grid uses")]
    grid: Annotated[
        Block | list[Block], about("the axes; or a list of such blocks, whose cells are joined")
    ]
    title: Annotated[str, about("title of the report; empty: the study's name")] = ""
    recipes: Annotated[
        dict[str, dict[str, Any]],
        about("training settings, by name; `default` is the base of the others"),
    ] = {}
    overrides: Annotated[tuple[Override, ...], about("settings for some of the cells")] = ()
    weights: Annotated[
        dict[str, str | Source],
        about(
            "inits by name: `timm`, a checkpoint in any usual layout ({backbone} is filled in), a "
            "folder that holds {backbone}.safetensors, or a Source"
        ),
    ] = {}
    external: Annotated[
        dict[str, External],
        about("models trained elsewhere, by name; they get rows in metrics.csv like the cells"),
    ] = {}
    transfer: Annotated[
        Literal["all", "none"] | tuple[str, ...],
        about(
            "datasets on whose test images the cells of other datasets are tested too, on the "
            "labels that both know: all, none, or a list; nothing is trained for it"
        ),
    ] = "none"
    report: Annotated[Report, about("settings of the scores and of the report")] = Report()
