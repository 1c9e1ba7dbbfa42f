"""Results of the study beside published ones."""

from dataclasses import dataclass

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.identity import changed
from cxrgrid.config.label_names import name_in
from cxrgrid.config.pooling import pooled_by
from cxrgrid.config.steps import SELECTED
from cxrgrid.evaluation.wording import number, signed
from cxrgrid.reporting import cell_links, papers
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import seed_means
from cxrgrid.tables import leaderboard

COLUMNS = ["dataset", "paper", "model", "part", "year", "source", "where", "read_in"]
COLUMNS += ["label", "metric", "published", "value", "low", "high", "difference", "inside", "seeds"]
COLUMNS += [*CONFIGURATION[1:], "mismatches", "note"]
MEANINGS = ("uncertain", "blank", "labeler")  # options that leave no image out
RANKING = ("auroc", "ap")  # metrics without a threshold
NAMES = {"auroc": "AUROC", "ap": "AP", "f1": "F1"}
TEXTS = [*CONFIGURATION, "paper", "label", "metric", "in the interval"]
PART = "literature"
CAPTION = (
    "Published results beside the most similar configuration of the study. Here: mean over seeds, "
    "95 % intervals over patients and seeds. A published value has an uncertainty of its own, and "
    "the protocols differ as the notes say."
)
METHOD = (
    "Literature: the most similar configuration has the same backbone and init, else the same "
    "backbone, else it is the first of the leaderboard."
)
links = cell_links.of_configurations


@dataclass(frozen=True)
class Protocol:
    """Protocol of a number of the study.

    uncertain, blank: the label's word, None if not met; chosen: by what images were left out.
    """

    split: str
    images: int
    size: int | str
    labels: int
    uncertain: str | None
    blank: str | None
    backbone: str
    start: str
    thresholds: str
    chosen: str = ""


# ------------------------------------------------------------------ one number against another


def mismatches(row: pd.Series, ours: Protocol) -> list[str]:
    """Each difference of protocol between a published number and ours, and what is not stated."""
    found = [split(row, ours), *counts(row, ours), *policy(row, ours)]
    if row["ensemble"] != "1":
        many = f"of {row['ensemble']} models" if row["ensemble"] else "or one model: not stated"
        found.append(f"ensemble {many}, here one model")
    if row["crops"] is None or row["crops"] > 1:
        many = f"{row['crops']} crops" if row["crops"] else "crops: not stated"
        found.append(f"{many} of each test image, here the whole image once")
    if row["metric"] not in RANKING:
        threshold = row["threshold"] if row["threshold"] is not None else "not stated"
        found.append(f"threshold: {threshold}, here {ours.thresholds}")
    for name, here in (("pretraining", ours.start), ("backbone", ours.backbone)):
        if row[name] != here:
            found.append(f"{name}: {row[name] or 'not stated'}, here {here}")
    return [text for text in found if text]


def split(row: pd.Series, ours: Protocol) -> str:
    """Difference of the two splits; drawn splits differ even if drawn by the same rule."""
    if row["split"] != ours.split:
        return f"split: {row['split'] or 'not stated'}, here {ours.split}"
    if row["split"] in ("patient", "image"):
        return f"split: by {row['split']}, but drawn anew, with other test images"
    return ""


def counts(row: pd.Series, ours: Protocol) -> list[str]:
    """Test images, size and number of labels."""
    found = [f"test images: {row['part']}" if row["part"] else ""]
    if ours.chosen:
        found.append(f"images here chosen by {ours.chosen}")
    if row["images"] != ours.images:
        images = "not stated" if row["images"] is None else f"{row['images']:,}"
        found.append(f"number of test images: {images}, here {ours.images:,}")
    if row["size"] != ours.size:
        size = "not stated" if row["size"] is None else f"{row['size']} px"
        found.append(f"size: {size}, here {ours.size} px")
    if row["labels"] is not None and row["labels"] != ours.labels:
        found.append(f"mean over {row['labels']} labels, here over {ours.labels}")
    return found


def policy(row: pd.Series, ours: Protocol) -> list[str]:
    """Differences of the label policy."""
    pairs = (("uncertain", ours.uncertain), ("blank", ours.blank))
    return [
        f"{name} labels: {row[name] or 'not stated'}, here {here or 'none in the data'}"
        for name, here in pairs
        if row[name] != here
    ]


# ------------------------------------------------------------------ the study's side


def build(frames: Frames) -> pd.DataFrame:
    """One row per published number that the study has too; none for drawn datasets."""
    return compare(frames, leaderboard.build(frames), papers.read(frames.papers))


def compare(frames: Frames, ranked: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """The rows of `build`. ranked: the leaderboard; published: rows of `papers`."""
    rows = []
    for name, facts in frames.facts.items():
        if frames.grid.study.datasets[name].phantom is not None:
            continue
        configurations = ranked[(ranked["dataset"] == name) & (ranked["seeds"] > 0)]
        means = averages(frames.metrics[frames.metrics["dataset"] == name])
        for _, row in published[published["dataset"] == facts["adapter"]].iterrows():
            if not configurations.empty:
                rows += beside(row, nearest(row, configurations, frames), means, frames)
    return pd.DataFrame(rows, columns=COLUMNS)


def averages(metrics: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, by configuration, label and metric."""
    own = metrics[(metrics["subset"] == "all") & (metrics["target"] == metrics["dataset"])]
    own = own[own["value"].notna()]
    keys = [*CONFIGURATION, "label", "metric"]
    images = own.groupby(keys)["n"].max().reset_index()
    return seed_means(own, ["label", "metric"]).merge(images, on=keys).set_index(keys)


def nearest(row: pd.Series, configurations: pd.DataFrame, frames: Frames) -> pd.Series:
    """The configuration that is most like a published number; the best of several."""
    same = configurations["backbone"].str.split(".").str[0] == (row["backbone"] or "")
    alike = same & (
        configurations["init"].map(lambda init: start(init, frames)) == row["pretraining"]
    )
    return next(configurations[rows] for rows in (alike, same, same | True) if rows.any()).iloc[0]


def start(init: str, frames: Frames) -> str:
    """An init in the words of papers; timm's weights are nearly all of ImageNet."""
    if init == "scratch":
        return "none"
    return "imagenet" if frames.grid.study.weights.get(init) == "timm" else init


def beside(
    row: pd.Series, configuration: pd.Series, means: pd.DataFrame, frames: Frames
) -> list[dict]:
    """The two numbers; nothing if the study has not this one."""
    label = name_in(frames.grid.study.datasets[configuration["dataset"]], row["label"])
    key = (*configuration[CONFIGURATION], label, row["metric"])
    if key not in means.index:
        return []
    here = means.loc[key]
    there, row = row["label"], row.copy()
    row["label"] = label
    shown = {name: row[name] or "" for name in COLUMNS if name in row.index and name != "seeds"}
    shown |= {name: configuration[name] for name in CONFIGURATION}
    shown |= {name: here[name] for name in ("value", "low", "high")}
    differ = [f"label there: {there}"] if there != label else []
    pooled = pooled_by(frames.grid, tuple(configuration[CONFIGURATION]))
    differ += [f"here trained on {' and '.join(pooled)}"] if pooled else []
    differ += mismatches(row, protocol(configuration, row, int(here["n"]), frames))
    return [
        {
            **shown,
            "published": row["value"],
            "difference": here["value"] - row["value"],
            "inside": None if pd.isna(here["low"]) else here["low"] <= row["value"] <= here["high"],
            "seeds": int(here["seeds"]),
            "mismatches": "; ".join(differ),
        }
    ]


def image_size(configuration: pd.Series, frames: Frames) -> int | str:
    """Size of the images that a configuration's cells see, as configs write it."""
    axes = tuple(configuration[list(CONFIGURATION)])
    cell = next(cell for cell in frames.grid.cells if cell.configuration() == axes)
    return cell.image.get("size", frames.grid.study.datasets[cell.dataset].image.size)


def protocol(configuration: pd.Series, row: pd.Series, images: int, frames: Frames) -> Protocol:
    """Protocol of the study's number beside a published one."""
    name = configuration["dataset"]
    facts, settings = frames.facts[name], frames.grid.study.datasets[name]
    decided = facts["task"] == "multiclass"
    chosen = [name for name in SELECTED if name in changed(settings) and name not in MEANINGS]
    return Protocol(
        split=facts["split"],
        images=images,
        size=image_size(configuration, frames),
        labels=len(facts["labels"]),
        uncertain=word("uncertain", row["label"], facts),
        blank=word("blank", row["label"], facts),
        backbone=configuration["backbone"].split(".")[0],
        start=start(configuration["init"], frames),
        thresholds="the highest score decides" if decided else "one of each label, by validation",
        chosen=", ".join(chosen).replace("_", " "),
    )


def word(kind: str, label: str, facts: dict) -> str | None:
    """Policy for uncertain or blank labels; None if the data have none."""
    policy = facts.get("policy", {})
    met = policy.get("counts", {})
    words = {
        policy[kind][name]
        for name in met
        if met[name][kind] and (name == label or label not in met)
    }
    return " or ".join(sorted(words)) or None


# ------------------------------------------------------------------ as a reader sees it


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The comparison as text."""
    shown = pd.DataFrame({"paper": [title(row) for _, row in rows.iterrows()]}, rows.index)
    shown["label"] = rows["label"]
    shown["metric"] = rows["metric"].map(lambda name: NAMES.get(name, name.replace("_", " ")))
    shown["published"] = rows["published"].map(number)
    here = rows[["value", "low", "high"]].itertuples(index=False)
    shown["here (95 % interval)"] = [number(*row) for row in here]
    shown["difference"] = rows["difference"].map(signed)
    shown["in the interval"] = rows["inside"].map({True: "yes", False: "no"}).fillna("–")
    shown["seeds"] = rows["seeds"]
    return shown.join(coordinates(rows, CONFIGURATION[1:]))


def title(row: pd.Series) -> str:
    """`CheXNet: DenseNet-121`; in brackets the part of the images that was tested."""
    name = f"{row['paper']}: {row['model']}" if row["model"] else row["paper"]
    return f"{name} ({row['part']})" if row["part"] else name


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """For each published model one note: where it stands, and all in which its protocol differs."""
    texts = []
    named = rows.assign(title=[title(row) for _, row in rows.iterrows()])
    models = named.groupby(["title", "where", "backbone", "init"], sort=False)
    for (name, where, backbone, init), own in models:
        parts = dict.fromkeys(part for text in own["mismatches"] for part in text.split("; "))
        first = own.iloc[0]
        remarks = "; ".join(filter(None, dict.fromkeys(own["note"])))
        differ = "; ".join(filter(None, parts)) or "no difference that the source shows"
        texts.append(
            f"{name} ({first['source']}, {where}; read in {first['read_in']}) against "
            f"{backbone} from {init}. Protocol: {differ}.{f' Note: {remarks}.' if remarks else ''}"
        )
    return texts
