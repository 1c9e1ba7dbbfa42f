"""Rows of all test images of one model alone, beside those that subsets and groups have too.

Calibration indices, likelihood ratios, predictive values, and means over labels that are alike
common in training.
"""

from cxrgrid.evaluation import calibration_rows, frequency_rows, predictive_values
from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.bootstrap import Resampled
from cxrgrid.evaluation.calibration_curve import Curve
from cxrgrid.evaluation.row_intervals import RowIntervals
from cxrgrid.evaluation.row_sizes import each_size, sizes


def rows_of_whole(
    made: Evaluation,
    drawn: Resampled | RowIntervals,
    smooth: dict[str, Curve],
    prevalences: tuple[float, ...],
    bands: dict[str, list[str]],
) -> list[dict]:
    """The rows without their axes and subset; smooth: calibration curves by label."""
    size, whole = each_size(made.test), sizes(made.test, slice(None))
    found = [*calibration_rows.index_rows(smooth, made)]
    if made.test.image:
        closed = drawn if isinstance(drawn, RowIntervals) else RowIntervals(made)
        found += predictive_values.rows(closed, prevalences)
        found += frequency_rows.rows(bands, made, drawn)
    return [row | size.get(row["label"], whole) for row in found]
