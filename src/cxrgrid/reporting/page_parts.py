"""Parts of the report's page in their order: each with its tables and figures.

A table or figure names its part as `PART`; one that names none of these, or nothing, is a part of
its own behind them. A part with nothing to show is absent.
"""

from dataclasses import dataclass, field

from cxrgrid.reporting.sections import Table

TITLES = {
    "grid": "The grid at a glance",
    "effects": "Main effects",
    "leaderboard": "Leaderboard",
    "pretrained": "Pretrained against scratch",
    "comparisons": "Pairwise comparisons",
    "labels": "Labels",
    "calibration": "Calibration and decisions",
    "pooled": "Training on several datasets",
    "transfer": "Transfer between datasets",
    "subgroups": "Subgroups",
    "shifts": "Changed and unfamiliar images",
    "explanations": "Explanations",
    "learning": "Learning curves",
    "cost": "Cost",
    "datasets": "Datasets",
    "literature": "Comparison with the literature",
}
WORDS = (
    "Words: a cell is one training, of a dataset, backbone (network), init, recipe and seed, and "
    "its tests. Init: what the network starts from, random weights (scratch) or those of another "
    "training. Recipe: how it is trained. Seed: the number from which all its chance is drawn. "
    "Links 0 and 1 lead to the pages of seeds 0 and 1; a0 and b1 to seed 0 of the first and seed 1 "
    "of the second of two that are compared."
)
LAST = {"methods": "Methods", "provenance": "Provenance"}


@dataclass
class Part:
    """A section of the page. tables, figures: by name, in the order in which they are shown."""

    name: str
    title: str
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, dict] = field(default_factory=dict)


def parts(tables: dict[str, Table], figures: dict[str, dict], always: set[str]) -> list[Part]:
    """Parts that have something to show. always: those that the page fills by other means.

    figures: {name: dict(part, title, caption, svg)}. A part's own table, of its name, comes first.
    """
    found = {name: Part(name, title) for name, title in TITLES.items()}
    for name, table in sorted(tables.items(), key=lambda item: item[1].part != item[0]):
        if table.sections:
            of(found, table.part or name, table.title).tables[name] = table
    for name, figure in figures.items():
        of(found, figure["part"] or name, figure["title"]).figures[name] = figure
    last = [Part(name, title) for name, title in LAST.items()]
    shown = [p for p in found.values() if p.tables or p.figures or p.name in always]
    return shown + [part for part in last if part.name in always]


def of(found: dict[str, Part], name: str, title: str) -> Part:
    """The part of that name; a new one behind all others if there is none."""
    return found.setdefault(name, Part(name, title))


def methods(shown: list[Part]) -> list[str]:
    """Meaning of the page's words, and method notes of all that it shows, each once, in order."""
    notes = [table.method for part in shown for table in part.tables.values()]
    notes += [figure["method"] for part in shown for figure in part.figures.values()]
    return list(dict.fromkeys(filter(None, [WORDS, *notes])))
