"""Errors of gaps between groups that do not differ, and coverage of the worst group's interval.

Patients with 1 to 5 images that are alike (--icc), in groups of equal size without a true gap. Each
row: share of studies, in percent with its Monte-Carlo standard error, in which the interval of the
gap excludes 0, with allowance for the choice of two groups and without; and in which the interval
of the worst group holds the truth.

Example:
  OMP_NUM_THREADS=1 python benchmarks/gaps.py --studies 500
"""

import argparse
from itertools import product

import clustered
import numpy as np
from scipy.special import expit
from scipy.stats import norm

from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.many_groups import largest_difference
from cxrgrid.evaluation.row_intervals import RowIntervals
from cxrgrid.evaluation.subgroup_gaps import of_groups
from cxrgrid.evaluation.wilson import Z

SHIFT, CUT = 1.5, 0.75
TRUE = {"auroc": norm.cdf(SHIFT / np.sqrt(2)), "sensitivity": norm.cdf(SHIFT - CUT)}
COLUMNS = 25  # labels scored at once


def group(rng, patients: int, prevalence: float, icc: float, start: int) -> RowIntervals:
    """One group, scored; start: number of its first patient."""
    alike = (rng, who := clustered.images(rng, patients), COLUMNS, icc)
    labels = (clustered.noise(*alike) > norm.isf(prevalence)).astype(float)
    scores = expit(SHIFT * labels + clustered.noise(*alike) - CUT)
    made = clustered.predictions(start + who, labels, scores)
    return RowIntervals(Evaluation(made, {"cut": np.full(COLUMNS, 0.5)}))


def studies(count: int, icc: float, groups: int, patients: int, prevalence: float) -> dict:
    """By metric, of each study [S, 3]: the gap excludes 0, with allowance and without; worst held.

    count: in steps of COLUMNS.
    """
    rng = np.random.default_rng([groups, patients, int(100 * prevalence)])
    found = {name: [] for name in TRUE}
    for _ in range(-(-count // COLUMNS)):
        parts = {str(k): group(rng, patients, prevalence, icc, k * patients) for k in range(groups)}
        for (metric, true), label in product(TRUE.items(), range(COLUMNS)):
            kind = (metric, "cut" if metric == "sensitivity" else "")
            columns = {name: part.column([str(label)], kind) for name, part in parts.items()}
            if any(np.isnan(each.value) for each in columns.values()):
                continue
            made = of_groups(columns, lower=False)
            gap, worst = made["gap"], made["worst"]
            alone = gap["value"] - (gap["value"] - gap["low"]) * Z / largest_difference(groups)
            held = worst["low"] <= true <= worst["high"]
            found[metric].append((gap["low"] > 0, alone > 0, held))
    return found


def row(args, groups: int, patients: int, prevalence: float) -> str:
    """A row of the table."""
    texts = []
    for each in studies(args.studies, args.icc, groups, patients, prevalence).values():
        mean, error = 100 * np.mean(each, axis=0), 100 * np.std(each, axis=0) / len(each) ** 0.5
        texts += [f"{m:.1f} ± {e:.1f}" for m, e in zip(mean, error, strict=True)]
    return f"| {groups} × {patients} × {prevalence:.0%} | {' | '.join(texts)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=500, help="drawn labels per row")
    parser.add_argument("--icc", type=float, default=0.5, help="how alike a patient's images are")
    args = parser.parse_args()
    np.seterr(all="ignore")
    heads = [f"{m}: {what}" for m in TRUE for what in ("excludes 0", "of two alone", "worst held")]
    print(f"| groups × patients × prevalence | {' | '.join(heads)} |")
    print("| --- |" + " --- |" * len(heads))
    for groups, patients, prevalence in product((2, 5, 10), (40, 200), (0.1, 0.4)):
        print(row(args, groups, patients, prevalence), flush=True)


if __name__ == "__main__":
    main()
