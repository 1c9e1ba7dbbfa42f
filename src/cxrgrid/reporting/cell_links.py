"""From the rows of the report's tables to the pages of the cells that they rest on."""

from pathlib import Path

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting import cell_pages
from cxrgrid.reporting.results import read_csv

Links = dict[str, list[list[tuple[str, str]]]]  # by dataset, of each row: (text, address)


def by_place(cells: pd.DataFrame) -> dict[tuple, list[dict]]:
    """The cells of each configuration."""
    return {
        configuration: part.to_dict("records")
        for configuration, part in cells.groupby(CONFIGURATION, sort=False)
    }


def of_configurations(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Each seed's page, for rows of configurations; none where there is no cell (ensembles)."""
    seeds, links = by_place(cells), {}
    for row in rows.to_dict("records"):
        here = seeds.get(tuple(row[axis] for axis in CONFIGURATION), [])
        found = [(str(cell["seed"]), cell_pages.address(cell)) for cell in here]
        links.setdefault(row["dataset"], []).append(found)
    return links


def of_starts(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Rows that set a configuration beside scratch: the seeds of both."""
    rows = rows[CONFIGURATION].assign(axis="init", a=rows["init"], b="scratch")
    return of_pairs(rows, cells)


def of_pairs(rows: pd.DataFrame, cells: pd.DataFrame) -> Links:
    """Rows of `comparisons.csv`: the seeds of `a` and of `b`."""
    seeds, links = by_place(cells), {}
    # Beside a model from elsewhere a configuration is one name: backbone/init (and recipe).
    named = {
        (configuration[0], "/".join(n for n in configuration[1:] if n != "default")): configuration
        for configuration in seeds
    }
    for row in rows.to_dict("records"):
        found = []
        for side in "ab":
            configuration = tuple(
                row[side] if axis == row["axis"] else row[axis] for axis in CONFIGURATION
            )
            if row["axis"] not in CONFIGURATION:
                configuration = named.get((row["dataset"], row[side]), ())
            here = seeds.get(configuration, [])
            found += [(f"{side}{cell['seed']}", cell_pages.address(cell)) for cell in here]
        links.setdefault(row["dataset"], []).append(found)
    return links


def of_tables(folder: Path, cells: pd.DataFrame) -> dict[str, Links]:
    """The links of each table in the report's folder, by the table's name."""
    frames = {name: read_csv(folder / f"{name}.csv") for name in ("leaderboard", "comparisons")}
    macro = frames["comparisons"].query("label == 'macro' and metric == 'auroc'")
    found = {
        "leaderboard": of_configurations(frames["leaderboard"], cells),
        "pretrained": of_starts(read_csv(folder / "pretrained.csv"), cells),
        "comparisons": of_pairs(macro, cells),
        "labels": of_cells(read_csv(folder / "labels.csv")),
        "literature": of_configurations(read_csv(folder / "literature.csv"), cells),
    }
    for name in ("transfer", "subgroups"):
        if (folder / f"{name}.csv").is_file():
            rows = read_csv(folder / f"{name}.csv")
            shown = rows[rows["label"] == "macro"] if "label" in rows else rows
            found[name] = of_configurations(shown, cells)
    return found


def of_cells(rows: pd.DataFrame) -> Links:
    """Rows with the columns AXES: the cell's own page."""
    links: Links = {}
    for row in rows[AXES].to_dict("records"):
        links.setdefault(row["dataset"], []).append([(str(row["seed"]), cell_pages.address(row))])
    return links
