"""Results of the study beside published ones."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.dataset import Dataset, Subset
from cxrgrid.config.label_names import name_in
from cxrgrid.config.operating_points import ARGMAX, rule
from cxrgrid.data.subsets import spelled
from cxrgrid.evaluation.wording import many, number, signed
from cxrgrid.reporting import cell_links, papers, protocols
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import seed_means
from cxrgrid.tables import leaderboard

COLUMNS = ["dataset", "paper", "model", "part", "year", "source", "where", "read_in"]
COLUMNS += ["label", "metric", "published", "value", "low", "high", "difference", "inside", "seeds"]
COLUMNS += [*CONFIGURATION[1:], "subset", "threshold_rule", "mismatches", "unpaired", "note"]
STATED = ["paper", "model", "part", "year", "source", "where", "read_in", "label", "metric", "note"]
MEASURED = [*CONFIGURATION, "subset", "label", "metric"]
MODEL = ["paper", "model", "part"]
NAMES = {"auroc": "AUROC", "ap": "AP", "f1": "F1"}
TEXTS = [*CONFIGURATION, "paper", "label", "metric", "subset", "in the interval"]
PART = "literature"
CAPTION = (
    "Published results beside the same number of this study: mean over seeds, 95 % intervals over "
    "patients and seeds. A published value has an uncertainty of its own, and the protocols differ "
    "as the notes say."
)
METHOD = (
    "Literature: a published number stands beside one of the same backbone, label, metric, "
    "operating point and subset of the test images, and of the same recipe where the source "
    "reports several of one backbone; of several starts or recipes beside the same start, then "
    "the one with the highest validation value. What has no such counterpart is listed with the "
    "reason."
)


class NoCounterpart(Exception):
    """Reason why the study has no number that a published one can stand beside."""


def links(rows: pd.DataFrame, cells: pd.DataFrame) -> cell_links.Links:
    """Pages of the cells of each row; none where a published number stands alone."""
    return cell_links.of_configurations(rows.astype(object).fillna(""), cells)


# ------------------------------------------------------------------ the pairs


def build(frames: Frames) -> pd.DataFrame:
    """One row per published number of the study's datasets; none for drawn datasets."""
    return compare(frames, leaderboard.build(frames), papers.read(frames.papers))


def compare(frames: Frames, ranked: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """The rows of `build`. ranked: the leaderboard; published: rows of `papers`."""
    rows = []
    for name, facts in frames.facts.items():
        configurations = ranked[(ranked["dataset"] == name) & (ranked["seeds"] > 0)]
        own = published[published["dataset"] == facts["adapter"]]
        drawn = frames.grid.study.datasets[name].phantom is not None
        if drawn or configurations.empty or own.empty:
            continue
        means = averages(name, frames)
        rows += [beside(row, configurations, means, frames) for _, row in own.iterrows()]
    return pd.DataFrame(rows, columns=COLUMNS)


def averages(dataset: str, frames: Frames) -> dict[tuple, dict[str, pd.Series]]:
    """{MEASURED: {operating point, empty for none: means over seeds, with `n`}}.

    Only of the metrics that papers give.
    """
    both = [frames.metrics, frames.other_points]
    own = pd.concat([rows[rows["dataset"].eq(dataset)] for rows in both])
    own = own[own["metric"].isin(papers.METRICS) & own["value"].notna()]
    own = own.assign(threshold_rule=own["threshold_rule"].fillna(""))
    images = own.groupby([*MEASURED, "threshold_rule"])["n"].max().reset_index()
    found = {}
    means = seed_means(own, [*MEASURED[4:], "threshold_rule"])
    for _, row in means.merge(images, on=[*MEASURED, "threshold_rule"]).iterrows():
        found.setdefault(tuple(row[MEASURED]), {})[row["threshold_rule"]] = row
    return found


def beside(
    row: pd.Series, configurations: pd.DataFrame, means: dict[tuple, dict], frames: Frames
) -> dict:
    """A published number and the study's, or why the study has none."""
    dataset = configurations["dataset"].iloc[0]
    shown = {name: row[name] or "" for name in STATED}
    shown |= {"dataset": dataset, "published": row["value"], "subset": "", "unpaired": ""}
    try:
        configuration = nearest(row, configurations, frames)
        here = counterpart(row, configuration, means, frames)
    except NoCounterpart as reason:
        return shown | {"seeds": 0, "unpaired": str(reason)}
    inside = None if pd.isna(here["low"]) else here["low"] <= row["value"] <= here["high"]
    taken = [*MEASURED, "threshold_rule", "value", "low", "high"]
    return shown | {
        **{name: here[name] for name in taken},
        "difference": here["value"] - row["value"],
        "inside": inside,
        "seeds": int(here["seeds"]),
        "mismatches": "; ".join(differences(row, configuration, here, frames)),
    }


def nearest(row: pd.Series, configurations: pd.DataFrame, frames: Frames) -> pd.Series:
    """The configuration of a published model; of several the same start, then the first ranked."""
    if row["backbone"] is None:
        raise NoCounterpart("its network is not stated, or not one of timm's")
    found = configurations[configurations["backbone"].str.split(".").str[0] == row["backbone"]]
    if found.empty:
        raise NoCounterpart(f"{row['backbone']} is not trained here")
    if row["recipe"] is not None:
        found = found[found["recipe"] == row["recipe"]]
    if found.empty:
        raise NoCounterpart(f"{row['backbone']} is not trained here with recipe {row['recipe']}")
    same = found["init"].map(lambda init: protocols.start(init, frames)) == row["pretraining"]
    return (found[same] if same.any() else found).iloc[0]


def counterpart(
    row: pd.Series, configuration: pd.Series, means: dict[tuple, dict], frames: Frames
) -> pd.Series:
    """The study's number of the same subset, label, metric and operating point."""
    dataset = configuration["dataset"]
    settings, labels = frames.grid.study.datasets[dataset], frames.facts[dataset]["labels"]
    label = name_in(settings, row["label"])
    if label not in (*labels, *papers.AVERAGES):
        raise NoCounterpart(f"{row['label']} is not a label here")
    averaged = len(labels) - len(frames.rare(dataset))
    if row["labels"] not in (None, averaged):
        raise NoCounterpart(f"a mean over {row['labels']} labels, and here over {averaged}")
    subset = subset_of(row["subset"], settings)
    points = means.get((*configuration[CONFIGURATION], subset, label, row["metric"]))
    if points is None:
        metric = NAMES.get(row["metric"], row["metric"].replace("_", " "))
        where = "" if subset == "all" else f" in {subset}"
        raise NoCounterpart(f"{metric} of {label} is not defined here{where}")
    return points[operating_point(row["threshold"], points, frames)]


def subset_of(condition: str | None, dataset: Dataset) -> str:
    """The dataset's subset of a condition such as `view=frontal`; `all` without one."""
    if condition is None:
        return "all"
    axis, _, values = condition.partition("=")
    wanted = spelled(tuple(values.split(",")))
    for name, subset in dataset.subsets.items():
        alone = subset == Subset(**{axis: getattr(subset, axis)})
        if alone and sorted(spelled(getattr(subset, axis))) == sorted(wanted):
            return name
    raise NoCounterpart(f"{condition} is not one of the dataset's subsets")


def operating_point(threshold: float | None, points: dict, frames: Frames) -> str:
    """The one of `points` that a published number belongs to: where none is stated, the first."""
    for only in ("", ARGMAX):
        if only in points:
            return only
    first = frames.grid.study.report.operating_points[0]
    wanted = rule(first if threshold is None else threshold)
    if wanted not in points:
        raise NoCounterpart(f"threshold {wanted} is not one of the operating points")
    return wanted


def differences(
    row: pd.Series, configuration: pd.Series, here: pd.Series, frames: Frames
) -> list[str]:
    """All in which the protocols differ, and the label's name there."""
    told = row.copy()
    told["label"] = here["label"]
    ours = protocols.protocol(configuration[CONFIGURATION], told, here, frames)
    found = protocols.mismatches(told, ours)
    return [f"label there: {row['label']}", *found] if row["label"] != here["label"] else found


# ------------------------------------------------------------------ as a reader sees it


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The pairs as text, then one row per published model and metric without a counterpart."""
    alone = rows[rows["value"].isna()]
    parts = [paired(rows[rows["value"].notna()])]
    parts += [unpaired(part) for _, part in alone.groupby([*MODEL, "metric"], sort=False)]
    return pd.concat(parts).astype(object).fillna("–")


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """The pairs as text."""
    shown = start(rows)
    shown["published"] = rows["published"].map(number)
    here = rows[["value", "low", "high"]].itertuples(index=False)
    shown["here (95 % interval)"] = [number(*row) for row in here]
    shown["difference"] = rows["difference"].map(signed)
    shown["in the interval"] = rows["inside"].map({True: "yes", False: "no"}).fillna("–")
    shown["seeds"] = rows["seeds"]
    if rows["subset"].ne("all").any():
        shown["subset"] = rows["subset"]
    return shown.join(coordinates(rows, CONFIGURATION[1:]))


def unpaired(rows: pd.DataFrame) -> pd.DataFrame:
    """One row of text for the numbers of a published model and metric without a counterpart."""
    shown = start(rows.iloc[:1])
    low, high = number(rows["published"].min()), number(rows["published"].max())
    shown["label"] = rows["label"].iloc[0] if len(rows) == 1 else many(len(rows), "value")
    shown["published"] = low if low == high else f"{low}–{high}"
    shown["here (95 % interval)"] = "no counterpart"
    return shown


def start(rows: pd.DataFrame) -> pd.DataFrame:
    """The first columns: paper, label and metric."""
    shown = pd.DataFrame({"paper": [title(row) for _, row in rows.iterrows()]}, rows.index)
    shown["label"] = rows["label"]
    names = rows["metric"].map(lambda name: NAMES.get(name, name.replace("_", " ")))
    return shown.assign(metric=names)


def title(row: pd.Series) -> str:
    """`CheXNet: DenseNet-121`; in brackets the part of the images that was tested."""
    name = f"{row['paper']}: {row['model']}" if row["model"] else row["paper"]
    return f"{name} ({row['part']})" if row["part"] else name


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """For each published model where it stands, and what differs or why nothing is beside it."""
    paired = rows[rows["value"].notna()]
    models = paired.groupby([*MODEL, "where", "backbone", "init", "recipe"], sort=False)
    found = [about(part) for _, part in models]
    for _, part in rows[rows["value"].isna()].groupby([*MODEL, "where"], sort=False):
        reasons = "; ".join(dict.fromkeys(part["unpaired"]))
        found.append(f"{cited(part.iloc[0])}: no counterpart: {reasons}.")
    return found


def about(rows: pd.DataFrame) -> str:
    """The note on one published model beside one configuration."""
    first = rows.iloc[0]
    parts = dict.fromkeys(part for text in rows["mismatches"] for part in text.split("; "))
    remarks = "; ".join(filter(None, dict.fromkeys(rows["note"])))
    differ = "; ".join(filter(None, parts)) or "no difference that the source shows"
    recipe = "" if first["recipe"] == "default" else f", recipe {first['recipe']}"
    text = f"{cited(first)} against {first['backbone']} from {first['init']}{recipe}."
    return f"{text} Protocol: {differ}.{f' Note: {remarks}.' if remarks else ''}"


def cited(row: pd.Series) -> str:
    """A published model with its source."""
    return f"{title(row)} ({row['source']}, {row['where']}; read in {row['read_in']})"
