"""Calibration on patients with several images: coverage, chance level, and recalibration.

Studies are drawn whose probabilities are right, of patients with 1 to 5 images that are alike
(--icc). Columns of the first table: coverage of the band of the smooth curve (over images), of
calibration in the large and of O:E in percent, with Monte-Carlo standard errors; mean ICI, and mean
of its level by chance. The second table: calibration error on 20,000 test images before and after
each recalibration by 2,000 validation images, where a positive weight or balanced sampling has
shifted the log odds and training has made them too sure.

Example:
  OMP_NUM_THREADS=1 python benchmarks/calibration.py --studies 1000
"""

import argparse
from itertools import product

import clustered
import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from cxrgrid.evaluation import calibration_curve, recalibration
from cxrgrid.evaluation.all_metrics import Evaluation, Row
from cxrgrid.evaluation.calibration import calibration_error
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.row_intervals import RowIntervals

SIZES = ((40, 0.5), (100, 0.1), (100, 0.5), (400, 0.02), (400, 0.1), (2000, 0.1))
TRUE = {"calibration_in_the_large": 0.0, "observed_to_expected": 1.0}


def draw(rng, who: np.ndarray, columns: int, prevalence: float, icc: float) -> tuple:
    """Labels and their true log odds [N, columns], of images of the patients `who` [N], sorted."""
    x = logit(prevalence) + 1.2 * clustered.noise(rng, who, columns, icc)
    return (norm.cdf(clustered.noise(rng, who, columns, icc)) < expit(x)).astype(float), x


def predictions(who: np.ndarray, labels: np.ndarray, x: np.ndarray) -> Predictions:
    """Predictions with the log odds x."""
    return clustered.predictions(who, labels, expit(x), x)


def study(rng, count: int, prevalence: float, icc: float, columns: int) -> list[tuple]:
    """Of each of several labels, what is held, and the index with its level by chance."""
    who = clustered.images(rng, count)
    labels, x = draw(rng, who, columns, prevalence, icc)
    made = Evaluation(predictions(who, labels, x), {})
    closed, rows = RowIntervals(made), []
    for label, curve in calibration_curve.of_labels(made.test).items():
        inside = ((curve.low <= curve.x) & (curve.x <= curve.high)).mean()
        held = []
        for metric, true in TRUE.items():
            each, at = closed.of_labels(metric, ""), int(label)
            few = closed.lacking(Row(label, metric, ""))
            held.append(np.nan if few else float(each.low[at] <= true <= each.high[at]))
        rows.append((inside, *held, curve.ici, curve.chance))
    return rows


def coverage(args: argparse.Namespace) -> None:
    """Print the first table."""
    print("| patients × prevalence | band | in the large | O:E | ICI | by chance |")
    print("| --- | --- | --- | --- | --- | --- |")
    for number, (count, prevalence) in enumerate(SIZES):
        rng = np.random.default_rng([number, args.studies])
        columns = 25
        rows = [
            row
            for _ in range(-(-args.studies // columns))
            for row in study(rng, count, prevalence, args.icc, columns)
        ]
        found = np.array(rows)
        mean, error = np.nanmean(found, axis=0), np.nanstd(found, axis=0) / np.sqrt(len(found))
        shares = [
            f"{100 * m:.1f} ± {100 * e:.1f}" for m, e in zip(mean[:3], error[:3], strict=True)
        ]
        levels = [f"{m:.4f}" for m in mean[3:]]
        print(f"| {count} × {prevalence:.0%} | {' | '.join([*shares, *levels])} |")


def recalibrations() -> None:
    """Print the second table."""
    print("\n| prevalence, shift, slope | " + " | ".join(recalibration.KINDS) + " |")
    print("| --- | --- | --- | --- |")
    for prevalence, shift, slope in product((0.02, 0.1), (0.0, 3.0), (1.0, 2.0)):
        errors = {kind: [] for kind in recalibration.KINDS}
        for seed in range(10):
            rng = np.random.default_rng(seed)
            pair = []
            for images in (2000, 20_000):
                who = np.arange(images)
                labels, x = draw(rng, who, 1, prevalence, 0.0)
                pair.append(predictions(who, labels, slope * x + shift))
            val, test = pair
            for kind in recalibration.KINDS:
                by = recalibration.fit(val, ["0"], kind)
                after = recalibration.recalibrated(test, by)
                errors[kind].append(calibration_error(test.labels[:, 0], after.scores[:, 0]))
        texts = [f"{np.mean(each):.3f} ± {np.std(each) / 10**0.5:.3f}" for each in errors.values()]
        print(f"| {prevalence:.0%}, {shift:+.0f}, {slope:g} | {' | '.join(texts)} |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000, help="drawn labels per row")
    parser.add_argument("--icc", type=float, default=0.5, help="how alike a patient's images are")
    args = parser.parse_args()
    np.seterr(all="ignore")
    coverage(args)
    recalibrations()


if __name__ == "__main__":
    main()
