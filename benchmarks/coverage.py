"""Coverage of each metric's closed-form interval, on patients with several images.

Small studies are drawn, of patients with 1 to 5 images that are alike (--icc), scored, and their
95 % intervals compared with the value on 400,000 independent images. One table: for each metric the
least and the greatest coverage over models (AUROC 0.6 to 0.98) in each cell of patients ×
prevalence, in percent of the studies in which there is an interval. Labels share their patients;
`macro` is the mean over five of them. --process draws other scores than the normal, --resamples
adds percentile intervals for comparison.

Example:
  OMP_NUM_THREADS=1 python benchmarks/coverage.py --studies 2000
  OMP_NUM_THREADS=1 python benchmarks/coverage.py --studies 400 --process ties --icc 0
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import clustered
import numpy as np
from scipy.special import expit, logit, ndtri
from scipy.stats import t as student

from cxrgrid.evaluation.all_metrics import Evaluation, Row
from cxrgrid.evaluation.bootstrap import interval, resampled_values
from cxrgrid.evaluation.row_intervals import RowIntervals

PATIENTS, PREVALENCES, AUROCS = (40, 100, 400), (0.02, 0.1, 0.5), (0.6, 0.8, 0.9, 0.98)
PLAIN = ("auroc", "ap", "brier", "log_loss", "calibration_slope", "calibration_intercept")
DECIDED = ("accuracy", "balanced_accuracy", "f1", "mcc", "precision", "sensitivity", "specificity")
KINDS = [(name, "") for name in (*PLAIN, "prevalence")] + [(name, "cut") for name in DECIDED]
LABELS, GROUP = 200, 5  # columns scored at once; of a macro mean
TRUTH = 400_000  # images

# ------------------------------------------------------------------ studies


def normal(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Scores as they are drawn."""
    return x


def heavy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Scores with the tails of Student's t with 3 degrees of freedom."""
    return student.ppf(np.clip(expit(1.7 * (x - 1)), 1e-9, 1 - 1e-9), 3) + 1


def skewed(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Scores with a long right tail."""
    return np.exp(x / 2)


def ties(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Scores of few values."""
    return np.round(x)


def sure(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Probabilities that are too sure."""
    return 3 * x


def missed(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """One in five positives scored like a negative: what a small study cannot show."""
    every = np.random.default_rng(x.size).random(x.shape) < 0.2
    return np.where(every & (y == 1), np.random.default_rng(x.size + 1).normal(size=x.shape), x)


PROCESSES = {each.__name__: each for each in (normal, heavy, skewed, ties, sure, missed)}


@dataclass(frozen=True)
class Model:
    """Distribution of a label and its scores; process: how the scores are drawn."""

    prevalence: float
    auroc: float
    process: str

    def draw(self, rng, who: np.ndarray, columns: int, icc: float) -> tuple[np.ndarray, np.ndarray]:
        """Labels and probabilities [N, columns] of images of the patients `who` [N], sorted.

        Each has a normal part of weight icc that a patient's images share.
        """
        shift, alike = np.sqrt(2) * ndtri(self.auroc), (rng, who, columns, icc)
        labels = (clustered.noise(*alike) > ndtri(1 - self.prevalence)).astype(float)
        scores = PROCESSES[self.process](shift * labels + clustered.noise(*alike), labels)
        return labels, expit(logit(self.prevalence) + shift * scores - shift**2 / 2)

    def evaluation(self, rng, who: np.ndarray, columns: int, icc: float) -> Evaluation:
        """The images, decided in the middle between the classes; each column is a label."""
        labels, scores = self.draw(rng, who, columns, icc)
        made = clustered.predictions(who, labels, scores)
        return Evaluation(made, {"cut": np.full(columns, self.prevalence)})


@cache
def truth(model: Model) -> dict[tuple[str, str], float]:
    """Each metric on very many images."""
    made = model.evaluation(np.random.default_rng(0), np.arange(TRUTH), 1, 0.0)
    values = dict(zip(made.rows, made.metrics(np.ones((1, TRUTH)))[0], strict=True))
    return {(metric, rule): values[Row("0", metric, rule)] for metric, rule in KINDS}


# ------------------------------------------------------------------ coverage


def ends(found: RowIntervals) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Metric, rule and both ends of the labels' intervals; NaN where there is none."""
    for metric, rule in KINDS:
        each = found.of_labels(metric, rule)
        few = [found.lacking(Row(label, metric, rule)) is not None for label in found.made.labels]
        yield metric, rule, *(np.where(few, np.nan, end) for end in (each.low, each.high))
        if metric in ("auroc", "ap", "f1", "sensitivity"):
            both = np.flatnonzero(found.made.both)
            groups = [both[at : at + GROUP] for at in range(0, len(both) - GROUP + 1, GROUP)]
            means = [each.take(at).combined(np.full(GROUP, 1 / GROUP)) for at in groups]
            pairs = np.array([(one.low[0], one.high[0]) for one in means]).reshape(-1, 2)
            yield f"{metric}, macro", rule, *pairs.T


def percentiles(
    made: Evaluation, resamples: int
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """The same from resampled patients, for the labels alone."""
    rng = np.random.default_rng(0)
    values = resampled_values(made.metrics, made.test.patient, resamples, rng)
    low, high = interval(values[1:])
    for metric, rule in KINDS:
        at = [row[1:] == (metric, rule) and row.label in made.labels for row in made.rows]
        yield f"{metric}, percentile", rule, low[at], high[at]


def held(args: argparse.Namespace, patients: int, prevalence: float, auroc: float) -> dict:
    """By metric, whether the truth is held by each interval that there is, and how wide it is."""
    rng = np.random.default_rng([patients, int(1000 * prevalence), int(1000 * auroc)])
    model, found = Model(prevalence, auroc, args.process), {}
    true = truth(model)
    for _ in range(max(1, args.studies // LABELS)):
        who = clustered.images(rng, patients)
        made = model.evaluation(rng, who, LABELS, args.icc)
        rows = list(ends(RowIntervals(made)))
        rows += percentiles(made, args.resamples) if args.resamples else []
        for name, rule, low, high in rows:
            value, there = true[name.split(",")[0], rule], np.isfinite(low)
            inside = (low <= value) & (value <= high)
            found.setdefault(name, []).append(np.stack([inside, high - low])[:, there])
    return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}


def table(cells: dict[tuple, dict]) -> str:
    """Rows of Markdown: a metric each, least to greatest coverage in each cell."""
    lines = []
    for name in next(iter(cells.values())):
        texts = []
        for patients, prevalence in product(PATIENTS, PREVALENCES):
            parts = [cells[patients, prevalence, auroc][name][0] for auroc in AUROCS]
            shares = [100 * part.mean() for part in parts if len(part) >= 40]
            texts.append(f"{min(shares):.0f}–{max(shares):.0f}" if shares else "–")
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(texts)} |")
    heads = [
        f"{patients} × {prevalence:.0%}" for patients, prevalence in product(PATIENTS, PREVALENCES)
    ]
    return "\n".join([f"| | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads), *lines])


def main() -> None:
    """Print the table, its Monte-Carlo error and what it cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=2000, help=f"a cell; in steps of {LABELS}")
    parser.add_argument("--icc", type=float, default=0.5, help="how alike a patient's images are")
    parser.add_argument("--process", choices=PROCESSES, default="normal")
    parser.add_argument("--resamples", type=int, default=0, help="for percentile intervals, too")
    args = parser.parse_args()
    np.seterr(all="ignore")
    begun = time.process_time()
    keys = list(product(PATIENTS, PREVALENCES, AUROCS))
    cells = {key: held(args, *key) for key in keys}
    print(table(cells))
    counts = [cell[name].shape[1] for cell in cells.values() for name in cell if "," not in name]
    errors = [100 * np.sqrt(0.05 * 0.95 / count) for count in counts if count >= 40]
    seconds = time.process_time() - begun
    print(
        f"{args.process}, ICC {args.icc}; Monte-Carlo SE {min(errors):.1f} to {max(errors):.1f} "
        f"points; {seconds:.0f} CPU-s"
    )


if __name__ == "__main__":
    main()
