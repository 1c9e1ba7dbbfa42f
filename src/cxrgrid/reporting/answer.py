"""Answer of a study to its question: primary effect, recommended configurations, and a chart.

The effect is the main effect of the study's primary factor (`effects.csv`); what is recommended was
chosen on validation images. "Yes" and "no" are said where the interval of a single primary effect
excludes zero; "probably" where it does and something of the study is lacking.
"""

from dataclasses import dataclass

import pandas as pd

from cxrgrid.comparison.conclusions import THIS
from cxrgrid.comparison.effect_rows import FIXED, ONE, each_seeds, named, primary_metric
from cxrgrid.evaluation.wording import difference, many, number, p_value, signed
from cxrgrid.reporting.findings import configuration, seeds
from cxrgrid.reporting.results import NAMES, Frames
from cxrgrid.reporting.svg_charts import Forest, forest

FEW_SEEDS = 2  # one training says nothing of the spread between trainings
ASKS = {"does", "do", "is", "are", "can", "should", "will", "has", "have", "did"}


@dataclass(frozen=True)
class Answer:
    """word: `Yes`, `Probably`, …; text, basis: the primary effect; more: sentences on the others.

    recommended: one row of text per dataset; chart: the primary effect by dataset, or None.
    """

    word: str
    text: str
    basis: str
    more: list[str]
    recommended: list[dict[str, str]]
    chart: Forest | None


def answer(frames: Frames, leaderboard: pd.DataFrame) -> Answer:
    """The study's answer, from its effects and its leaderboard."""
    metric = NAMES[primary_metric(frames.grid)]
    main = frames.effects[frames.effects["model"].eq(FIXED) & frames.effects["by"].isna()]
    main = main[main["metric"] == primary_metric(frames.grid)].fillna({"level": "", "against": ""})
    asked, others = main[main["primary"]], main[~main["primary"]]
    best = recommended(frames, leaderboard)
    if asked.empty:
        several = len({cell.dataset for cell in frames.grid.cells}) > 1
        varied = "nothing but its datasets" if several else "nothing"
        text = f"The study varies {varied}, so there is no effect to test."
        return Answer("No factor", text, "", [], best, None)
    first = asked.loc[asked["p"].fillna(2).idxmin()]
    word = verdict(first, frames.grid.study.title, alone=len(asked) == 1)
    more = [sentence(row, metric) for _, row in asked.drop(first.name).iterrows()]
    more += [sentence(row, metric) for _, row in others.iterrows()]
    ones = in_datasets(frames, first)
    rests = basis(first, max([first["seeds"], *ones["seeds"]]))
    return Answer(word, sentence(first, metric), rests, more, best, drawn(first, ones))


def verdict(row: pd.Series, title: str, alone: bool) -> str:
    """One or two words for the primary effect."""
    if row["pairs"] and row["verdict"] == "not shown" and pd.isna(row["low"]):
        return "Not shown"  # equal on every resample
    if row["pairs"] == 0 or pd.isna(row["low"]):
        return "Not known yet"
    if row["p_holm"] >= 0.05:
        return "Equivalent" if row["margin_verdict"] == "equivalent" else "Not shown"
    if row["verdict"] == THIS:
        return "Not shown"
    if row["pairs"] < row["planned"] or row["seeds"] < FEW_SEEDS:
        return "Probably" if row["estimate"] > 0 else "Probably not"
    if alone and title.split(" ")[0].lower() in ASKS:
        return "Yes" if row["estimate"] > 0 else "No"
    return "Shown"


def sentence(row: pd.Series, metric: str) -> str:
    """An effect in words, with its interval; where none is shown, what could have been missed."""
    x, y = (named(row["factor"], row[side]) for side in ("level", "against"))
    if row["pairs"] == 0:
        return f"{x} against {y}: no pair of cells is done."
    shown = difference(row["estimate"], row["low"], row["high"])
    if row["verdict"] == THIS or (row["verdict"] == "not shown" and pd.isna(row["low"])):
        return row["sentence"]  # of trainings, not methods; or of levels that no resample parts
    if pd.isna(row["low"]):
        return f"{x} against {y}: {metric} {signed(row['estimate'])}; it cannot be tested."
    p = chance(row["p"])
    if not row["primary"] or row["family_size"] > 1:
        p = f"{chance(row['p_holm'])} after Holm's correction"
    if row["p_holm"] < 0.05:
        way = "higher" if row["estimate"] > 0 else "lower"
        return f"{metric} is {way} with {x} than with {y}, on average by {shown}; {p}."
    missed = ""
    if pd.notna(row["detectable"]):
        missed = f" The study had 80 % power for a difference of {number(row['detectable'])}."
        if row["detectable"] >= 1:  # larger than any metric's
            missed = " No true difference would have been shown 8 times in 10."
    if row["margin_verdict"] == "equivalent":
        return f"{x} and {y} are equivalent to within {row['margin']:g} {metric}: {shown}; {p}."
    return f"No difference shown between {x} and {y}: {metric} {shown}; {p}.{missed}"


def chance(p: float) -> str:
    """A p-value that no line break divides: `p = 0.013`."""
    return f"p {p_value(p)}".replace(" ", "\u00a0")


def basis(row: pd.Series, most_seeds: int) -> str:
    """Pairs, datasets, seeds and images that the primary effect rests on; none yet: empty.

    most_seeds: of a dataset; the row has the fewest.
    """
    if row["pairs"] == 0:
        return ""
    pairs = many(int(row["planned"]), "pair")
    pairs = pairs if row["pairs"] == row["planned"] else f"{row['pairs']} of {pairs}"
    of = "patients alone" if pd.isna(row["seed_se"]) else "patients and trainings"
    interval = f"95 % interval over {of}" if pd.notna(row["low"]) else "No interval"
    return (
        f"{interval}; {pairs} of configurations in {many(int(row['datasets']), 'dataset')}, "
        f"{each_seeds(int(row['seeds']), most_seeds)}; "
        f"n = {row['n']:,} test images of {row['patients']:,} patients."
    )


def recommended(frames: Frames, leaderboard: pd.DataFrame) -> list[dict[str, str]]:
    """For each dataset that the study asks about, the configuration chosen on validation images."""
    sources = frames.grid.sources()
    metric = frames.metric_name
    rows = []
    for name, part in leaderboard.groupby("dataset", sort=False):
        best = part[(part["seeds"] > 0) & part["validation"].notna()]
        if name in sources or best.empty:
            continue
        row = best.iloc[0]
        rows.append({
            "dataset": name,
            "configuration": configuration(row),
            f"test {metric} (95 % interval)": number(row["value"], row["low"], row["high"]),
            "test images (patients)": f"{row['n']:,.0f} ({row['patients']:,.0f})",
            "seeds": seeds(row),
            f"validation {metric}": number(row["validation"]),
            **baseline(frames, name),
        })  # fmt: skip
    return rows


def baseline(frames: Frames, dataset: str) -> dict[str, str]:
    """The value that age, sex, view and source reach without the images, or why there is none."""
    if frames.metric != "auroc":
        return {}
    rows = frames.metrics[frames.metrics["dataset"].eq(dataset)]
    rows = rows[rows["metric"].eq("metadata_auroc") & rows["subset"].eq("all")]
    rows = rows[~rows["label"].isin(frames.rare(dataset))]
    value = rows.groupby("label")["value"].first().mean()
    why = next(iter(rows["reason"].dropna()), "not known")
    return {"metadata alone": number(value) if pd.notna(value) else why}


def in_datasets(frames: Frames, row: pd.Series) -> pd.DataFrame:
    """Rows of the same effect in each dataset."""
    effects = frames.effects
    same = effects["metric"].eq(row["metric"]) & effects["factor"].eq(row["factor"])
    same &= effects["level"].fillna("").eq(row["level"])
    same &= effects["against"].fillna("").eq(row["against"]) & effects["by"].isna()
    return effects[same & effects["model"].eq(ONE)]


def drawn(row: pd.Series, ones: pd.DataFrame) -> Forest | None:
    """The primary effect in each dataset, and its mean."""
    lines = [(one.dataset, one.estimate, one.low, one.high) for one in ones.itertuples()]
    lines += [("all", row["estimate"], row["low"], row["high"])] if len(ones) > 1 else []
    x, y = (named(row["factor"], row[side]) for side in ("level", "against"))
    return forest(f"{NAMES[row['metric']]}, {x} − {y}", lines)
