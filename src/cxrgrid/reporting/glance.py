"""The grid at a glance: the headline metric of each configuration, one row per backbone."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION, REPLICATES
from cxrgrid.evaluation.wording import number
from cxrgrid.reporting import cell_pages


def glance(leaderboard: pd.DataFrame, cells: pd.DataFrame, sources: list[str]) -> dict:
    """Dataset × backbone (× recipe) by init, in the study's order; sources of weights come last.

    What the study does not ask is absent. Shades span the values of the other datasets.
    """
    firsts = cells.groupby(CONFIGURATION, sort=False)[REPLICATES].first().to_dict("index")
    several = leaderboard["entry"].nunique() > 1
    inits = list(dict.fromkeys(["scratch", *leaderboard["init"]]))
    inits = [name for name in inits if name in set(leaderboard["init"])]
    results = leaderboard.loc[~leaderboard["dataset"].isin(sources), "value"]
    low, high = results.min(), results.max()
    rows = {}
    for configuration in in_order(leaderboard, cells).to_dict("records"):
        head = (
            configuration["dataset"],
            configuration["backbone"],
            configuration["entry"] if several else "",
        )
        shade = (configuration["value"] - low) / (high - low) if high > low else 1.0
        configuration |= {"text": number(configuration["value"]), "shade": f"{8 + 46 * shade:.0f}%"}
        configuration["page"] = cell_pages.address(
            configuration | firsts[tuple(configuration[a] for a in CONFIGURATION)]
        )
        rows.setdefault(head, {})[configuration["init"]] = configuration
    ordered = sorted(rows.items(), key=lambda row: row[0][0] in sources)
    return {"inits": inits, "rows": dict(ordered)}


def in_order(leaderboard: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard by dataset, backbone and recipe, each in the order of the study's cells."""

    def first_met(column: pd.Series) -> pd.Series:
        return column.map({name: at for at, name in enumerate(cells[column.name].unique())})

    return leaderboard.sort_values(["dataset", "backbone", "recipe"], key=first_met, kind="stable")
