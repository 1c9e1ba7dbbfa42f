"""From the rows of the report's tables to the pages of the cells that they rest on.

Each function takes rows and the study's cells (AXES), and returns for each row its links.
"""

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting.cell_pages import address
from cxrgrid.reporting.sections import Links


def of_configurations(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Each seed's page, for rows of configurations; none where there is no cell (ensembles)."""
    seeds = by_configuration(cells)
    configurations = rows[CONFIGURATION].itertuples(index=False, name=None)
    return [pages(seeds.get(configuration, [])) for configuration in configurations]


def of_starts(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Rows that set a configuration beside scratch: the seeds of both."""
    return of_pairs(rows[CONFIGURATION].assign(axis="init", a=rows["init"], b="scratch"), cells)


def of_pairs(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Rows of `comparisons.csv`: the seeds of `a` and of `b`."""
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
            links += pages(seeds.get(configuration, []), side)
        found.append(links)
    return found


def of_cells(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Rows with the columns AXES: the cell's own page."""
    return [pages([row]) for row in rows[AXES].to_dict("records")]


def by_configuration(cells: pd.DataFrame) -> dict[tuple, list[dict]]:
    """The cells of each configuration."""
    return {
        configuration: part.to_dict("records")
        for configuration, part in cells.groupby(CONFIGURATION, sort=False)
    }


def pages(cells: list[dict], side: str = "") -> list[tuple[str, str]]:
    """The pages of some cells, called by their seeds."""
    return [(f"{side}{cell['seed']}", address(cell)) for cell in cells]
