"""Recommendations by validation images that go against a main effect on test images."""

from collections.abc import Iterator

from cxrgrid.comparison.effect_rows import FIXED, primary_metric
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import signed
from cxrgrid.reporting.results import NAMES, Frames


def sentences(frames: Frames) -> Iterator[str]:
    """One for each level that is recommended somewhere, and lower than another level on the test.

    Only effects over all datasets, and datasets that have the higher level too.
    """
    metric = primary_metric(frames.grid)
    effects = frames.effects
    effects = effects[effects["by"].isna() & effects["model"].eq(FIXED)]
    effects = effects[effects["metric"].eq(metric) & effects["verdict"].isin(["better", "worse"])]
    best = frames.validation[frames.validation["recommended"]]
    for row in effects[effects["factor"].isin(CONFIGURATION[1:])].itertuples():
        high, low = (row.level, row.against)
        high, low = (low, high) if row.estimate < 0 else (high, low)
        has = frames.cells.loc[frames.cells[row.factor].eq(high), "dataset"]
        names = best.loc[best[row.factor].eq(low) & best["dataset"].isin(set(has)), "dataset"]
        if len(names):
            yield (
                f"{' and '.join(names)}: {low} is recommended by validation images, yet on test "
                f"images {NAMES[metric]} is lower with {low} than with {high} (main effect "
                f"{signed(-abs(row.estimate))}): the recommendation is uncertain."
            )
