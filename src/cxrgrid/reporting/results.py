"""The results that tables, figures and the report share, read once.

The definitions of a cell's headline value and of the compared pairs are here only.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from cxrgrid.comparison.choice import ranked
from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.config.errors import PASSING, UserError, unread
from cxrgrid.config.explained_cells import Explained
from cxrgrid.config.grid import Grid
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation.score_columns import with_fold
from cxrgrid.io.csv_file import mapped, unquoted
from cxrgrid.io.json_file import AGAIN
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting import fold_frames, label_counts, papers
from cxrgrid.reporting.kept_frames import kept
from cxrgrid.reporting.label_counts import count, count_tested, count_views, facts_of, read_tables
from cxrgrid.reporting.metric_rows import at_default, besides, by_default
from cxrgrid.reporting.over_labels import over_labels
from cxrgrid.reporting.report_files import TEXT, check_files, check_kinds, check_listed
from cxrgrid.reporting.seed_means import seed_means
from cxrgrid.reporting.test_set_rows import apart

NAMES = {
    "auroc": "AUROC",
    "ap": "average precision",
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
}
POINT = ["label", "curve", "x", "y", "low", "high", "n"]
PLANE = ["image", "x", "y", "finding", "view", "source"]
FILES = ("metrics", "history", "cells", "comparisons", "configurations", "effects")
FILES += ("recommended", "validation", "confusions")
FLOAT = dict.fromkeys(["value", "low", "high", "seconds", "images_per_second"], "float64")


@dataclass(frozen=True)
class Frames:
    """A study and its results as plain frames.

    metrics, history, cells: the CSV files of `collect`, the metrics at the study's first operating
    point only, and of cells on their own datasets, where these are cross-validated the means over
    folds; other_points: the same at the other operating points; of_folds: the metrics of each fold;
    replicates: the cells, the folds of a model as one row; across: metrics of cells on other
    datasets; beside: those of ensembles and of models from elsewhere; comparisons, configurations,
    effects, recommended: of `compare`; validation: that of `choose`; counts, tested (test images of
    all folds), views, facts: of each dataset's table.parquet (`label_counts`); confusions: of
    `collect`; curves: of `score`, on each dataset's own test images; embeddings: those of
    `explain`, of cells that are done, with their axes; folder: the study's; papers: the folder of
    published results; test_pairs, test_values: comparisons and configurations on the datasets'
    named test sets; sides: sizes of the image files.
    """

    grid: Grid
    metrics: pd.DataFrame
    other_points: pd.DataFrame
    of_folds: pd.DataFrame
    history: pd.DataFrame
    cells: pd.DataFrame
    replicates: pd.DataFrame
    comparisons: pd.DataFrame
    configurations: pd.DataFrame
    effects: pd.DataFrame
    recommended: pd.DataFrame
    validation: pd.DataFrame
    counts: pd.DataFrame
    tested: pd.DataFrame
    facts: dict[str, dict]
    confusions: pd.DataFrame
    curves: pd.DataFrame
    views: pd.DataFrame
    across: pd.DataFrame
    beside: pd.DataFrame
    embeddings: pd.DataFrame
    folder: Path
    data: Path
    papers: Path
    test_pairs: pd.DataFrame
    test_values: pd.DataFrame
    sides: pd.DataFrame

    @property
    def metric(self) -> str:
        """Name of the headline metric in the scores."""
        return self.grid.study.report.headline

    @property
    def metric_name(self) -> str:
        """Name of the headline metric for a reader."""
        return NAMES[self.metric]

    def rare(self, dataset: str) -> list[str]:
        """Labels of a dataset that are in no mean and in no test."""
        return label_counts.rare(self.tested, dataset, self.grid.study.report.minimum)

    @property
    def compared(self) -> str:
        """Metric of the comparisons: the headline metric, or AUROC if that needs thresholds."""
        return self.metric if self.metric in self.configurations["metric"].unique() else "auroc"

    @property
    def compared_name(self) -> str:
        """Name of the compared metric for a reader."""
        return NAMES[self.compared]

    def by_fold(self) -> "Frames":
        """The same with each fold of a cross-validated model as a replicate, and no other."""
        cells = self.cells[fold_frames.crossed(self.cells)]
        return replace(self, metrics=self.of_folds, replicates=cells)

    def pairs_of(self, axis: str) -> pd.DataFrame:
        """Comparisons along an axis, mean over labels."""
        rows = self.comparisons
        macro = (rows["label"] == "macro") & (rows["metric"] == self.compared)
        return rows[macro & (rows["axis"] == axis)]

    @kept
    def headline(self) -> pd.DataFrame:
        """One row per replicate of the study, scored or not: AXES, `value`, `low`, `high`, …"""
        return self.replicates.merge(self.whole(self.metric), on=AXES, how="left", validate="1:1")

    @kept
    def whole(self, metric: str) -> pd.DataFrame:
        """A metric over all labels (`over_labels`) of the cells on their own test images."""
        return over_labels(metric, self.metrics)

    @kept
    def entered(self) -> pd.DataFrame:
        """Rows of `headline` of the configurations that are compared, with their `entry`.

        Of a recipe with `choose`, only the level that was chosen on validation images.
        """
        chosen = self.validation[self.validation["chosen"]][[*CONFIGURATION, "entry"]]
        return self.headline().merge(chosen, on=CONFIGURATION, how="inner")

    @kept
    def best(self) -> pd.DataFrame:
        """The configuration of each dataset and init with the highest validation value.

        For small figures, which cannot show every cell: CONFIGURATION, `value` on validation
        images, and `place`, its rank within the study; only those that are scored on test images.
        """
        scored = self.headline().dropna(subset="value")[CONFIGURATION].drop_duplicates()
        rows = ranked(self.validation[self.validation["chosen"]])
        rows = rows.assign(place=range(len(rows))).merge(scored, on=CONFIGURATION)
        best = rows.drop_duplicates(["dataset", "init"])[[*CONFIGURATION, "value", "place"]]
        order = list(dict.fromkeys(["scratch", *self.cells["init"]]))
        return best.sort_values("init", key=lambda names: names.map(order.index), kind="stable")

    @kept
    def ends(self) -> pd.DataFrame:
        """95 % interval of each configuration's mean over seeds: CONFIGURATION, `low`, `high`.

        Over patients and seeds together (`seed_means`), the latter from any configuration of the
        dataset that has two; where `compare` knows how the seeds go together, by that.
        """
        each = seed_means(self.headline(), []).set_index(CONFIGURATION)[["low", "high"]]
        rows = self.configurations[self.configurations["label"] == "macro"]
        each.update(rows[rows["metric"] == self.metric].set_index(CONFIGURATION)[["low", "high"]])
        return each.reset_index()

    def pairs(self) -> pd.DataFrame:
        """Pairs of each pretrained cell with the otherwise equal cell from scratch.

        One row per pair that the study asks for: AXES, with the entry as `recipe`, `recipe_a` and
        `recipe_b` (the recipes that stand for it), `value`, `scratch`, `difference` (NaN if either
        is missing).
        """
        cells = self.entered()[[*AXES, "entry", "value"]]
        cells = cells.assign(recipe_a=cells["recipe"], recipe=cells["entry"]).drop(columns="entry")
        scratch = cells[cells["init"] == "scratch"].drop(columns="init")
        scratch = scratch.rename(columns={"value": "scratch", "recipe_a": "recipe_b"})
        others = cells[cells["init"] != "scratch"]
        on = [axis for axis in AXES if axis != "init"]
        pairs = others.merge(scratch, on=on, how="inner", validate="m:1")
        return pairs.assign(difference=pairs["value"] - pairs["scratch"])


def read(
    study: Path, report: Path, data: Path | None = None, published: Path = papers.FOLDER
) -> Frames:
    """All frames of a study; data: folder of the datasets; published: that of published results."""
    grid = read_grid(study)
    data = data or study.parent.parent / "data"
    tables = read_tables(grid, data)
    check_files(study, report, FILES)
    files = {name: read_csv(report / f"{name}.csv") for name in FILES}
    cells, every = files["cells"], files.pop("metrics")
    check_listed(report, cells, grid.cells)
    files["confusions"] = fold_frames.summed(files["confusions"], cells)
    metrics, others = at_default(every, grid), every[~by_default(every, grid)]
    files["comparisons"], test_pairs = apart(files["comparisons"])
    files["configurations"], test_values = apart(files["configurations"])
    across = metrics["target"] != metrics["dataset"]
    own = fold_frames.of_replicates(metrics[~across], cells)
    beside = besides(own, grid)
    others = others[(others["target"] == others["dataset"]) & ~besides(others, grid)]
    return Frames(
        grid=grid,
        metrics=own[~beside].reset_index(drop=True),
        other_points=fold_frames.of_replicates(others, cells),
        of_folds=fold_frames.of_folds(metrics[~across], cells).reset_index(drop=True),
        replicates=fold_frames.replicates(cells),
        **files,
        **of_datasets(tables),
        curves=read_curves(study.parent, grid),
        across=metrics[across].reset_index(drop=True),
        beside=own[beside].reset_index(drop=True),
        embeddings=read_embeddings(study.parent, grid, cells),
        folder=study.parent,
        data=data,
        papers=published,
        test_pairs=test_pairs,
        test_values=test_values,
        sides=label_counts.native_sides(grid, data),
    )


def of_datasets(tables: dict[str, list]) -> dict:
    """The frames of the datasets alone: of several folds the first, but for the test images."""
    firsts = {name: folds[0] for name, folds in tables.items()}
    return {
        "counts": pd.concat([count(n, *first) for n, first in firsts.items()], ignore_index=True),
        "tested": pd.concat([count_tested(*each) for each in tables.items()], ignore_index=True),
        "views": pd.concat([count_views(name, *first) for name, first in firsts.items()]),
        "facts": {name: facts_of(folds) for name, folds in tables.items()},
    }


def read_curves(study: Path, grid: Grid) -> pd.DataFrame:
    """The points of all cells on their own test images; empty where none are scored."""
    paths = [study / "curves" / f"{target}.parquet" for target in grid.targets()]
    read = [with_fold(read_parquet(path)[0]).to_pandas() for path in paths if path.is_file()]
    points = pd.concat([pd.DataFrame(columns=[*AXES, "target", *POINT]), *read])
    return points[points["target"] == points["dataset"]].reset_index(drop=True)


def read_embeddings(study: Path, grid: Grid, cells: pd.DataFrame) -> pd.DataFrame:
    """The images of each explained cell that is done, with AXES; empty where there is none."""
    done = set(cells.loc[cells["state"] == "done", AXES].itertuples(index=False, name=None))
    parts = [pd.DataFrame(columns=[*AXES, *PLANE])]
    for cell in Explained(grid).cells:
        configuration = cell.axes()
        path = study / "cells" / cell.path() / "explain/embedding.parquet"
        if tuple(configuration.values()) in done and path.is_file():
            parts.append(read_parquet(path, *PLANE[:4])[0].to_pandas().assign(**configuration))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file of `collect`; only the empty field is missing: a label may be called NA."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; run snakemake to make it")
    try:
        found = pd.read_csv(path, dtype=TEXT | FLOAT, keep_default_na=False, na_values=[""])
    except (ValueError, OSError, MemoryError) as error:  # pandas' own errors are ValueErrors
        if isinstance(error, OSError) and error.errno in PASSING:
            raise unread(path, error) from None
        raise UserError(f"{path}: damaged ({' '.join(str(error).split())}); {AGAIN}") from None
    found = mapped(found, unquoted)
    if "seed" in found and "fold" not in found:  # written before there were folds
        found.insert(found.columns.get_loc("seed"), "fold", 0)
    check_kinds(path, found)
    if "chosen" in found and "chosen_in" not in found:  # before each fold chose by itself
        found[["chosen_in", "recommended_in"]] = ""
    return found
