"""Speed of the patient bootstrap, beside a loop over scikit-learn's roc_auc_score.

Both sides score the same made-up test set on the same resamples. The loop runs on a few of them
and is extrapolated to all; their values must agree to 1e-12. Rounds alternate between the sides.

Example:
  OMP_NUM_THREADS=1 python benchmarks/bootstrap.py
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_auc_score

from cxrgrid.evaluation import bootstrap, metrics


def cohort(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patients [N], labels [N, L] and scores [N, L] that follow the labels a little."""
    rng = np.random.default_rng(0)
    patients = rng.integers(args.patients, size=args.images).astype(str)
    labels = (rng.random((args.images, args.labels)) < args.prevalence).astype(float)
    return patients, labels, rng.normal(labels, 1)


def ours(patients, labels, scores, resamples: int) -> np.ndarray:
    """AUROC in each resample, with drawing and sorting: [1 + R, L]."""
    orders = [metrics.order(y, p) for y, p in zip(labels.T, scores.T, strict=True)]

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.stack([order.weigh(weights).auroc() for order in orders], axis=1)

    return bootstrap.resampled_values(statistic, patients, resamples, bootstrap.generator(patients))


def theirs(weights, labels, scores) -> np.ndarray:
    """The loop: weights [R, N], drawn beforehand, to [R, L]."""
    columns = range(labels.shape[1])
    return np.array(
        [
            [roc_auc_score(labels[:, c], scores[:, c], sample_weight=row) for c in columns]
            for row in weights
        ]
    )


def timed(call: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Result, wall seconds and CPU seconds of `call`."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = call()
    return value, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Time both sides and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=25_596, help="default: the NIH test list's")
    parser.add_argument("--patients", type=int, default=2_797)
    parser.add_argument("--labels", type=int, default=14)
    parser.add_argument("--prevalence", type=float, default=0.07, help="slowest at 0.5")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--loop-resamples", type=int, default=20, help="of which the loop does")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    data = patients, labels, scores = cohort(args)
    weights = next(
        bootstrap.resample_weights(patients, args.loop_resamples, bootstrap.generator(patients))
    )
    fast, slow = [], []
    for _ in range(args.rounds):
        values, *seconds = timed(lambda: ours(*data, args.resamples))
        fast.append(seconds)
        expected, *seconds = timed(lambda: theirs(weights, labels, scores))
        slow.append([second * args.resamples / len(weights) for second in seconds])
        np.testing.assert_allclose(values[1 : 1 + len(weights)], expected, rtol=0, atol=1e-12)
    report(args, fast, slow, len(weights))


def report(args: argparse.Namespace, fast: list, slow: list, looped: int) -> None:
    """Medians over rounds, their range, and the ratio of the medians."""
    print(
        f"AUROC: {args.images:,} images, {args.patients:,} patients, {args.labels} labels, "
        f"prevalence {args.prevalence:.0%}, {args.resamples:,} resamples; n = {args.rounds} rounds"
    )
    for name, kind in enumerate(("wall", "CPU")):
        ran, loop = ([seconds[name] for seconds in side] for side in (fast, slow))
        ratio = statistics.median(loop) / statistics.median(ran)
        print(
            f"{kind:4} s: cxrgrid {shown(ran)}; scikit-learn loop {shown(loop)}, "
            f"extrapolated from {looped} resamples; ratio {ratio:.0f}"
        )


def shown(seconds: list[float]) -> str:
    """Median (least to most)."""
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    main()
