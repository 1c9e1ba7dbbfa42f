"""Write the tables: leaderboard, pretrained, transfer, labels, subgroups, datasets, literature.

Each as CSV, with bare numbers, and as Markdown and LaTeX, with intervals, n and notes.

Example:
  python -m cxrgrid.table results/demo/study.json --report results/demo/report
"""

from pathlib import Path

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.config.checks import OVERALL
from cxrgrid.evaluation.wording import number, signed, spread, whole
from cxrgrid.io import cli
from cxrgrid.reporting import dataset_cards, papers
from cxrgrid.reporting.markdown import Section, latex, section, write
from cxrgrid.reporting.results import Frames, read
from cxrgrid.tables import literature, others, subgroups, transfer

TEXTS = [*CONFIGURATION, "label", "paper", "metric", "in the interval", "target", "note", "labels"]
TEXTS += ["subset", "groups"]  # the others hold numbers
SECONDARY = ("auroc", "ap", "balanced_accuracy", "accuracy", "majority_accuracy")
OF_LABEL = ["auroc", "ap", "sensitivity", "specificity", "f1", "tp", "fp", "tn", "fn", "prevalence"]
OF_LABEL += ["majority_accuracy", "accuracy", "balanced_accuracy", "threshold"]
NOTES = {
    "leaderboard": (
        "Mean over seeds on the dataset's own test images. For one seed the interval is its 95 % "
        "bootstrap interval over patients, and says nothing of training again; for several it "
        "holds both, patients and the spread between seeds (pooled over the dataset's models). "
        "Of F1 and balanced accuracy it is over patients only, the "
        "mean of the seeds' ends. AP: average precision, beside the prevalence, which a random "
        "ranking reaches. Majority: the accuracy of always naming the commonest class. Below the "
        "cells stand ensembles, the mean probability of all seeds (ensemble:backbone) or of all "
        "backbones and seeds (ensemble), and models trained elsewhere (external); their intervals "
        "are over patients alone."
    ),
    "pretrained": (
        "Each seed is compared with scratch at the same seed, dataset, backbone and recipe, on the "
        "same test images; the means are over those pairs only. The range over so few seeds is not "
        "a confidence interval; intervals and tests stand under Comparisons."
    ),
    "labels": (
        "Intervals: 95 % bootstrap over patients. For labels that may occur together, "
        "sensitivity, specificity, F1, error rate (1 − accuracy: the misclassification rate) and "
        "counts are at the study's first operating point, which "
        "is fitted on validation images unless it is a number (youden: the largest sensitivity + "
        "specificity − 1); where classes compete, the highest score decides. "
        "n: test images whose label is known. –: not defined, as one class is absent."
    ),
    "datasets": "Images with the label, and patients in the split. Unknown labels are neither "
    "trained on nor scored.",
    "literature": literature.NOTE,
    "transfer": transfer.NOTE,
    "subgroups": subgroups.NOTE,
}

# ------------------------------------------------------------------ the numbers


def leaderboard(frames: Frames) -> pd.DataFrame:
    """One row per configuration, best first in each dataset; NaN where no seed is scored."""
    cells = frames.headline()
    for metric in SECONDARY:
        whole = frames.whole(metric)[[*AXES, "value"]].rename(columns={"value": f"{metric}:"})
        cells = cells.merge(whole, on=AXES, how="left")
    cells = cells.merge(prevalence(frames.metrics), on=AXES, how="left")
    means = {name: (f"{name}:", "mean") for name in SECONDARY}
    table = cells.groupby(CONFIGURATION, sort=False).agg(
        value=("value", "mean"),
        sd=("value", "std"),
        min=("value", "min"),
        max=("value", "max"),
        seeds=("value", "count"),
        planned=("seed", "size"),
        **means,
        prevalence=("prevalence", "mean"),
        n=("n", "max"),
        patients=("patients", "max"),
        parameters=("parameters", "max"),
        rerun=("rerun", rerun),
    )
    table = table.reset_index().merge(frames.ends(), on=CONFIGURATION).assign(metric=frames.metric)
    table = table.sort_values("value", ascending=False, kind="stable")
    by_dataset = [table[table["dataset"] == name] for name in frames.grid.targets()]
    return pd.concat(by_dataset, ignore_index=True)


def prevalence(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean prevalence over the labels that could be scored: the AP of a random ranking."""
    metrics = metrics[metrics["subset"] == "all"]
    scored = metrics[metrics["metric"].eq("ap") & metrics["value"].notna()][[*AXES, "label"]]
    rows = metrics[metrics["metric"] == "prevalence"].merge(scored, on=[*AXES, "label"])
    return rows.groupby(AXES)["value"].mean().rename("prevalence").reset_index()


def rerun(commands: pd.Series) -> str:
    """One command for all missing seeds of a configuration."""
    words = [text.split(" ") for text in commands.dropna()]
    # snakemake TARGET --configfile FILE: the targets come first, since --configfile takes several.
    return " ".join(["snakemake", *(word[1] for word in words), *words[0][2:]]) if words else ""


def pretrained(frames: Frames) -> pd.DataFrame:
    """Every init but scratch against scratch, over the seeds for which both are scored."""
    pairs = frames.pairs()
    pairs.loc[pairs["difference"].isna(), ["value", "scratch"]] = float("nan")
    table = pairs.groupby(CONFIGURATION, sort=False).agg(
        value=("value", "mean"),
        scratch=("scratch", "mean"),
        difference=("difference", "mean"),
        min=("difference", "min"),
        max=("difference", "max"),
        seeds=("difference", "count"),
        planned=("seed", "size"),
    )
    return table.reset_index().assign(metric=frames.metric)


def labels(frames: Frames) -> pd.DataFrame:
    """One row a cell and label; a missing cell is one row with no label."""
    own = frames.metrics[
        ~frames.metrics["label"].isin(OVERALL) & (frames.metrics["subset"] == "all")
    ]
    keys = [*AXES, "label"]
    wide = own.pivot(index=keys, columns="metric", values="value").reindex(columns=OF_LABEL)
    auroc = own[own["metric"] == "auroc"][[*keys, "low", "high", "n", "positives", "patients"]]
    wide = wide.assign(error_rate=1 - wide["accuracy"])
    wide = wide.reset_index().merge(auroc, on=keys, how="left")
    return frames.cells[[*AXES, "state", "rerun"]].merge(wide, on=AXES, how="left")


# ------------------------------------------------------------------ as a reader sees them


def show_leaderboard(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The leaderboard as text; below the cells what stands beside them."""
    name = frames.metric_name
    shown = configuration(table, CONFIGURATION[1:])
    shown[f"{name}, mean over labels (95 % interval)"] = [
        "missing" if row.seeds == 0 else number(row.value, row.low, row.high)
        for row in table.itertuples()
    ]
    shown["over seeds: ± SD (range)"] = [spread(row) for row in table.itertuples()]
    shown["seeds"] = of(table)
    if frames.metric != "ap":
        shown["AP"] = table["ap"].map(number)
    shown["prevalence"] = table["prevalence"].map(number)
    if frames.metric != "balanced_accuracy":
        shown["balanced accuracy"] = table["balanced_accuracy"].map(number)
    if table["accuracy"].notna().any():
        shown["accuracy"] = table["accuracy"].map(number)
        shown["majority"] = table["majority_accuracy"].map(number)
    shown["test images (patients)"] = [whole(r.n, r.patients) for r in table.itertuples()]
    shown["parameters"] = table["parameters"].map(whole)
    return shown


def show_pretrained(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The comparison as text."""
    name = frames.metric_name
    none = table["seeds"] == 0
    shown = configuration(table, CONFIGURATION[1:])
    shown[f"{name}, this init"] = table["value"].map(number).mask(none, "missing")
    shown[f"{name}, scratch"] = table["scratch"].map(number).mask(none, "missing")
    shown["difference, mean of pairs"] = table["difference"].map(signed)
    shown["range over seeds"] = [
        f"{signed(row.min)} to {signed(row.max)}" if row.seeds > 1 else "–"
        for row in table.itertuples()
    ]
    shown["seeds"] = of(table)
    return shown


def show_labels(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Each label as text."""
    shown = configuration(table, ["label", *AXES[1:]])
    shown["label"] = table["label"].fillna("missing")
    shown["AUROC (95 % interval)"] = [number(r.auroc, r.low, r.high) for r in table.itertuples()]
    for name, column in {"AP": "ap", "sensitivity": "", "specificity": "", "F1": "f1"}.items():
        shown[name] = table[column or name].map(number)
    for name in ("TP", "FP", "TN", "FN", "n", "positives"):
        shown[name] = table[name.lower()].map(whole)
    shown["prevalence"] = table["prevalence"].map(number)
    shown["error rate"] = table["error_rate"].map(number)
    shown["majority accuracy"] = table["majority_accuracy"].map(number)
    return shown


def show_datasets(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Positives by label, a column a split; the images and patients of each in the first rows."""
    shown = table.pivot_table("positives", "label", "split", sort=False).map(whole)
    if table["unknown"].any():
        shown["unknown"] = table.groupby("label")["unknown"].sum().map(whole)
    sizes = table.groupby("split", sort=False)[["images", "patients"]].first().map(whole).T
    sizes.index = ["all images", "patients"]
    return pd.concat([sizes, shown]).fillna("–").rename_axis("label").reset_index()


def configuration(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The columns that say where a row belongs; a recipe only where there are several."""
    several = table["recipe"].nunique() > 1
    return table[[name for name in columns if name != "recipe" or several]].copy()


def of(table: pd.DataFrame) -> list[str]:
    """How many seeds of how many."""
    together = table.get("members", pd.Series(0, table.index)).fillna(0)
    return [
        f"{many:.0f} together" if many > 1 else "–" if many else f"{row.seeds} of {row.planned}"
        for row, many in zip(table.itertuples(), together, strict=True)
    ]


def document(name: str, table: pd.DataFrame, frames: Frames) -> list[Section]:
    """A section with a table for each dataset."""
    sections = []
    for dataset in frames.grid.tested():
        part = table[table["dataset"] == dataset]
        if part.empty:
            continue
        reruns = part["rerun"].dropna().drop_duplicates() if "rerun" in part else []
        notes = dataset_cards.leaked(frames.facts.get(dataset, {}))
        notes += [f"Missing: `{text}`" for text in reruns if text]
        notes += frames.facts.get(dataset, {}).get("policy", {}).get("notes", [])
        notes += literature.notes(part) if name == "literature" else []
        sections.append(section(dataset, SHOWN[name](part, frames), TEXTS, notes))
    return sections


SHOWN = {
    "leaderboard": show_leaderboard,
    "pretrained": show_pretrained,
    "labels": show_labels,
    "datasets": show_datasets,
    "literature": literature.show,
    "transfer": transfer.show,
    "subgroups": subgroups.show,
}


def main(argv: list[str] | None) -> None:
    """Write the tables, each three times."""
    parser = cli.parser("table", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--report", type=Path, required=True, help="the folder of metrics.csv")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--papers", type=Path, default=papers.FOLDER, help="published results")
    args = parser.parse_args(argv)
    frames = read(args.study, args.report, args.data)
    configurations = leaderboard(frames)
    tables = {
        "leaderboard": configurations,
        "pretrained": pretrained(frames),
        "labels": labels(frames),
        "datasets": frames.counts,
        "literature": literature.compare(frames, configurations, papers.read(args.papers)),
        "transfer": transfer.build(frames, args.study.parent / "overlap.parquet"),
        "subgroups": subgroups.build(frames),
        "beside": others.build(frames, prevalence(frames.beside)),
    }
    for name, table in tables.items():
        table = table.round(6)  # what rounds to 0.744 here does so for who reads the CSV
        path = args.report / f"{name}.csv"
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    tables["leaderboard"] = pd.concat([configurations, others.as_places(tables.pop("beside"))])
    for name, table in tables.items():
        path, sections = args.report / f"{name}.md", document(name, table.round(6), frames)
        # Tables that a study need not have say nothing then.
        note = NOTES[name] if sections or name not in ("transfer", "subgroups") else ""
        path.write_text(write(sections, note))
        path.with_suffix(".tex").write_text(latex(sections, note, name))


if __name__ == "__main__":
    cli.run(main)
