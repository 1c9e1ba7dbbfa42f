"""Time and memory of all metrics of one cell, with intervals over patients.

Example:
  OMP_NUM_THREADS=1 python benchmarks/score.py
"""

import argparse
import resource
import time

import numpy as np

from cxrgrid.config.study import Report
from cxrgrid.evaluation.bootstrap import INTERVALS
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.score_rows import Parts, Sheet, add


def made(args: argparse.Namespace, images: int, patients: int) -> Predictions:
    """Predictions that follow the truth a little."""
    rng = np.random.default_rng(images)
    labels = (rng.random((images, args.labels)) < args.prevalence).astype(float)
    scores = 1 / (1 + np.exp(-rng.normal(1.5 * labels - 3, 1)))
    names = [f"l{at}" for at in range(args.labels)]
    facts = {"task": "multilabel", "labels": names, "target": "made-up"}
    patient = rng.integers(patients, size=images).astype(str).tolist()
    return Predictions([str(at) for at in range(images)], patient, labels, scores, facts)


def main() -> None:
    """Score one cell a few times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=25_596, help="default: the NIH test list's")
    parser.add_argument("--patients", type=int, default=2_797)
    parser.add_argument("--labels", type=int, default=14)
    parser.add_argument("--prevalence", type=float, default=0.07)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--interval", choices=INTERVALS, default="wilson")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    val, test = (
        made(args, args.images // 3, args.patients // 3),
        made(args, args.images, args.patients),
    )
    how = Report(resamples=args.resamples, interval=args.interval)
    for _ in range(args.rounds):
        sheet = Sheet()
        wall, cpu = time.perf_counter(), time.process_time()
        add(sheet, {}, val, test, how, Parts())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{len(sheet.scores)} rows: {wall:.2f} s wall, {cpu:.2f} s CPU; peak {memory:.0f} MB")


if __name__ == "__main__":
    main()
