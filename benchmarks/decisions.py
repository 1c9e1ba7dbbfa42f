"""Coverage of likelihood ratios and predictive values, and how often targets hold in new patients.

Patients with 1 to 5 images that are alike (--icc); decided in the middle between the classes. First
table: coverage of nominal 95 % intervals in percent with its Monte-Carlo standard error, among the
studies in which there is one. Second table: share of studies in which a threshold for a sensitivity
of 0.9 on validation images reaches 0.9 in new patients, as measured and as said (`assurance`), and
the mean specificity that it costs; without a confidence and with 0.95.

Example:
  OMP_NUM_THREADS=1 python benchmarks/decisions.py --studies 1000
"""

import argparse
from itertools import product

import clustered
import numpy as np
from scipy.special import expit
from scipy.stats import norm

from cxrgrid.config.operating_points import Target, rule
from cxrgrid.evaluation import predictive_values, thresholds
from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.row_intervals import RowIntervals

SIZES = ((40, 0.5), (100, 0.1), (100, 0.5), (400, 0.02), (400, 0.1), (2000, 0.1))
SHIFTS = (1.2, 2.4)  # between the classes: AUROC 0.80 and 0.95
STATED = 0.01
COLUMNS = 50  # labels scored at once


def draw(rng, count: int, prevalence: float, shift: float, icc: float) -> Predictions:
    """Labels and scores of some patients, each column a label."""
    alike = (rng, clustered.images(rng, count), COLUMNS, icc)
    labels = (clustered.noise(*alike) > norm.isf(prevalence)).astype(float)
    scores = expit(shift * labels + clustered.noise(*alike) - shift / 2)
    return clustered.predictions(alike[1], labels, scores)


def truths(shift: float) -> dict[str, float]:
    """The values of very many patients."""
    sensitivity = specificity = norm.cdf(shift / 2)
    positive, negative = sensitivity / (1 - specificity), (1 - sensitivity) / specificity
    odds = STATED / (1 - STATED)
    found = {"lr_positive": positive, "lr_negative": negative}
    found[f"ppv_at_{STATED:g}"] = odds * positive / (1 + odds * positive)
    return found | {f"npv_at_{STATED:g}": 1 / (1 + odds * negative)}


def coverage(args: argparse.Namespace) -> None:
    """Print the first table."""
    names = list(truths(1.0))
    print(f"| patients × prevalence, AUROC | {' | '.join(names)} |")
    print("| --- |" + " --- |" * len(names))
    for number, ((count, prevalence), shift) in enumerate(product(SIZES, SHIFTS)):
        rng, true, held = np.random.default_rng(number), truths(shift), {n: [] for n in names}
        for _ in range(-(-args.studies // COLUMNS)):
            made = draw(rng, count, prevalence, shift, args.icc)
            closed = RowIntervals(Evaluation(made, {"cut": np.full(COLUMNS, 0.5)}))
            for row in predictive_values.rows(closed, (STATED,)):
                if np.isfinite(row["low"]):
                    inside = row["low"] <= true[row["metric"]] <= row["high"]
                    held[row["metric"]].append(inside)
        texts = [
            f"{100 * np.mean(h):.1f} ± {100 * np.std(h) / len(h) ** 0.5:.1f}" for h in held.values()
        ]
        auroc = norm.cdf(shift / np.sqrt(2))
        print(f"| {count} × {prevalence:.0%}, {auroc:.2f} | {' | '.join(texts)} |")


def targets(args: argparse.Namespace) -> None:
    """Print the second table."""
    print("\n| patients × prevalence | confidence | reached | said | specificity |")
    print("| --- | --- | --- | --- | --- |")
    shift = SHIFTS[0]
    for number, (count, prevalence) in enumerate(SIZES[1:]):
        for confidence in (0.0, 0.95):
            point = Target(sensitivity=0.9, confidence=confidence)
            rng, found = np.random.default_rng([number, 1]), []
            for _ in range(-(-args.studies // COLUMNS)):
                val = draw(rng, count, prevalence, shift, args.icc)
                fit = thresholds.fit(val, val.facts, (point,), "none")
                lacking = np.array(
                    [(rule(point), label) in fit.reasons for label in val.facts["labels"]]
                )
                cut = np.log(fit.thresholds[rule(point)] / (1 - fit.thresholds[rule(point)]))
                kept = norm.sf(cut - shift / 2) >= 0.9
                rows = np.stack([kept, fit.assurances[rule(point)], norm.cdf(cut + shift / 2)])
                found.append(rows[:, ~lacking])
            reached, said, specificity = np.concatenate(found, axis=1)
            if not len(reached):
                print(f"| {count} × {prevalence:.0%} | {confidence:g} | too few positives | | |")
                continue
            error = 100 * np.std(reached) / len(reached) ** 0.5
            print(
                f"| {count} × {prevalence:.0%} | {confidence:g} | {100 * reached.mean():.1f} ± "
                f"{error:.1f} | {100 * said.mean():.1f} | {specificity.mean():.2f} |"
            )


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
    targets(args)


if __name__ == "__main__":
    main()
