"""Links from the rows of the report's tables to the pages of their cells.

Each function takes rows and the study's cells (AXES), and returns for each row its links.
"""

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION, POOLED
from cxrgrid.reporting.cell_pages import address
from cxrgrid.reporting.sections import Links


def of_configurations(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Pages of all seeds, for rows of configurations; none for rows without cells (ensembles)."""
    seeds = by_configuration(cells)
    configurations = rows[CONFIGURATION].itertuples(index=False, name=None)
    return [pages(seeds.get(configuration, [])) for configuration in configurations]


def of_starts(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Pages of the seeds of both sides, for rows that compare a configuration with scratch.

    Like `comparisons.csv`, they have `recipe_a` and `recipe_b`: the recipes on both sides.
    """
    return of_pairs(rows.assign(axis="init", a=rows["init"], b="scratch"), cells)


def of_pairs(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Pages of the seeds of `a` and `b`, for rows of `comparisons.csv`."""
    seeds, found = by_configuration(cells), []
    # Beside a model from elsewhere a configuration is one name: backbone/init (and recipe).
    named = {
        (configuration[0], "/".join(n for n in configuration[1:] if n != "default")): configuration
        for configuration in seeds
    }
    for row in rows.to_dict("records"):
        links = []
        for side in "ab":
            configuration = tuple(
                row[side] if axis == row["axis"] else row[axis] for axis in CONFIGURATION
            )
            if row["axis"] not in CONFIGURATION:
                configuration = named.get((row["dataset"], row[side]), ())
            # Of a recipe with `choose`, another level may stand there.
            configuration = (*configuration[:-1], row[f"recipe_{side}"])
            links += pages(seeds.get(configuration, []), side)
        found.append(links)
    return found


def of_cells(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """The page of the cell, for rows with the columns AXES; of a mean over folds those of all."""
    seeds, found = by_configuration(cells), []
    for row in rows[AXES].to_dict("records"):
        own = seeds.get(tuple(row[axis] for axis in CONFIGURATION), [])
        folds = [cell for cell in own if cell["seed"] == row["seed"]]
        found.append(pages(folds if row["fold"] == POOLED else [row]))
    return found


def by_configuration(cells: pd.DataFrame) -> dict[tuple, list[dict]]:
    """{configuration: its cells}."""
    found: dict[tuple, list[dict]] = {}
    for cell in cells.to_dict("records"):
        found.setdefault(tuple(cell[axis] for axis in CONFIGURATION), []).append(cell)
    return found


def pages(cells: list[dict], side: str = "") -> list[tuple[str, str]]:
    """Links to the pages of some cells, named by their seeds; `1/0` is fold 1, seed 0."""
    folds = len({cell["fold"] for cell in cells}) > 1
    names = [f"{cell['fold']}/{cell['seed']}" if folds else cell["seed"] for cell in cells]
    return [(f"{side}{name}", address(cell)) for name, cell in zip(names, cells, strict=True)]
