"""Configurations on each named test set, beside the whole of the test images."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, part, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import MISSING, coordinates
from cxrgrid.reporting.seed_means import seed_means
from cxrgrid.reporting.test_set_rows import on_tests

KEYS = [*CONFIGURATION, "target", "subset"]
COLUMNS = [*KEYS, "metric", "value", "low", "high", "seeds", "planned", "labels_scored", "n"]
COLUMNS += ["positives", "patients", "score_by", "pool"]
TEXTS = [*CONFIGURATION, "target", "test set", "scored by"]
PART = "leaderboard"
CAPTION = (
    "Test sets named under `tests`, and all test images (all): means over labels and seeds, 95 % "
    "intervals over patients and seeds. Two test sets differ in patients, and "
    "possibly in truth and labels: models are compared on the same one only."
)
METHOD = (
    "Test sets scored by study or patient: the probability is the mean or maximum over the images; "
    "thresholds are fitted anew on validation images that are pooled alike. A truth from a file "
    "covers only the labels that the file has."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration that is compared, target and test set; empty without any."""
    rows = pd.concat([frames.metrics, frames.across], ignore_index=True)
    tested = set(rows.loc[on_tests(rows, frames.grid), "target"])
    rows = rows[
        on_tests(rows, frames.grid) | (rows["target"].isin(tested) & (rows["subset"] == "all"))
    ]
    rows = rows[(rows["metric"] == frames.metric) & rows["label"].isin(["macro", "all"])]
    rows = rows.drop_duplicates([*KEYS, "fold", "seed"])
    chosen = frames.entered().groupby(CONFIGURATION, sort=False)["seed"].size().rename("planned")
    table = rows.merge(chosen.reset_index(), on=CONFIGURATION)
    means = seed_means(table, ["target", "subset"])[[*KEYS, "value", "low", "high", "seeds"]]
    counts = {name: (name, "max") for name in ("planned", "labels_scored", "n", "positives")}
    grouped = table.groupby(KEYS, sort=False)
    sizes = grouped.agg(**counts, patients=("patients", "max")).reset_index()
    table = with_seeds(means.merge(sizes, on=KEYS), frames)
    for name in ("score_by", "pool"):
        table[name] = [setting(frames, row.target, row.subset, name) for row in table.itertuples()]
    return table.assign(metric=frames.metric)[COLUMNS]


def with_seeds(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The rows with intervals over patients and seeds, where there are several seeds."""
    own = frames.configurations
    own = own.assign(subset="all", target=own["dataset"])
    values = pd.concat([own, frames.test_values])
    values = values[(values["metric"] == frames.metric) & (values["label"] == "macro")]
    values = values[values["seeds"] > 1]
    table = table.set_index(KEYS)
    table.update(values.set_index(KEYS)[["value", "low", "high"]])
    return table.reset_index()


def setting(frames: Frames, target: str, subset: str, name: str) -> str:
    """A setting of a test set; empty for the whole, and `pool` where images stand alone."""
    tests = frames.grid.study.datasets[target].tests
    if subset not in tests:
        return "image" if name == "score_by" else ""
    alone = tests[subset].score_by == "image"
    return "" if alone and name == "pool" else getattr(tests[subset], name)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The test sets as text."""
    shown = coordinates(rows, CONFIGURATION[1:])
    if (rows["target"] != rows["dataset"]).any():
        shown["target"] = rows["target"]
    shown["test set"] = rows["subset"]
    shown["scored by"] = rows["score_by"] + rows["pool"].map(lambda pool: pool and f", {pool}")
    values = rows[["value", "low", "high"]].itertuples(index=False)
    values = pd.Series([number(*row) for row in values], rows.index)
    shown[f"{frames.metric_name} (95 % interval)"] = values.mask(rows["seeds"] == 0, MISSING)
    shown["labels"] = rows["labels_scored"].map(whole)
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    shown["n (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The pairs that differ on one of the test sets."""
    pairs = frames.test_pairs
    pairs = pairs[pairs["dataset"].isin(rows["dataset"]) & (pairs["label"] == "macro")]
    pairs = pairs[(pairs["metric"] == frames.compared) & pairs["verdict"].isin(["better", "worse"])]
    names = [
        row.subset if row.target == row.dataset else f"{row.target}, {row.subset}"
        for row in pairs.itertuples()
    ]
    return [f"On {name}: {text}" for name, text in zip(names, pairs["sentence"], strict=True)]
