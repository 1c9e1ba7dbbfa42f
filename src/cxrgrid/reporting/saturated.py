"""Share of a cell's test probabilities that are 0 or 1 but for rounding."""

from pathlib import Path

import numpy as np

from cxrgrid.evaluation.wording import many
from cxrgrid.io.parquet import read_answers
from cxrgrid.reporting.results import Frames

NEAR = 1e-6  # single precision holds no probability between 1 and 1 - 6e-8
SHARE = 0.01  # of a cell's probabilities: more than this are told


def sentence(frames: Frames) -> str:
    """Number of the study's cells with saturated probabilities; empty if there are none."""
    sources = frames.grid.sources()
    cells = [cell for cell in frames.grid.cells if cell.dataset not in sources]
    paths = [frames.folder / f"cells/{c.path()}/predictions/{c.dataset}.parquet" for c in cells]
    shares = [share(path) for path in paths if path.is_file()]
    high = [value for value in shares if value > SHARE]
    if not high:
        return ""
    without = f" (those of {' and '.join(sources)} left out)" if sources else ""
    return (
        f"In {len(high)} of {many(len(shares), 'cell')}{without} predictions are saturated: up to "
        f"{100 * max(high):.0f} % of the test probabilities are within {NEAR:.6f} of 0 or 1, more "
        "certain than any test set can confirm; do not read them as risks."
    )


def share(path: Path) -> float:
    """Share of the probabilities of a cell's predictions file within `NEAR` of 0 or 1."""
    table, facts = read_answers(path)
    scores = np.concatenate([np.asarray(table[f"p:{label}"]) for label in facts["labels"]])
    return float(np.mean((scores < NEAR) | (scores > 1 - NEAR))) if len(scores) else 0.0
