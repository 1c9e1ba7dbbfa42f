"""All metrics of one model on one set of images, for any weights of the images.

Metrics that are sums over images (counts, calibration) come from one matrix product for all
resamples, rankings from `metrics.Order`. Averages over labels: `macro`, the mean over the labels
that have both classes and are not rare; `weighted`, the same weighted by positives; `micro`, all
labels pooled; `samples`, F1 of each image, averaged over images; for multi-class `all`, the
decision as a whole.
"""

from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from cxrgrid.config.operating_points import ARGMAX
from cxrgrid.evaluation import calibration, metrics
from cxrgrid.evaluation.log_odds import log_probability
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.rare_labels import in_means
from cxrgrid.evaluation.thresholds import decide

RANKED = ("auroc", "ap")
SHARES = ("majority_accuracy", "negative_accuracy", "prevalence")
DECIDED = ("accuracy", "balanced_accuracy", "f1", "mcc", "npv", "precision", "sensitivity")
DECIDED += ("specificity",)
COUNTS = ("tp", "fp", "tn", "fn")
BARE = (*COUNTS, "threshold")
# Rows without an interval. Resampling adds to a calibration error: its percentiles lie too high.
WITHOUT = (*BARE, "calibration_error", "ici", "ici_chance")
METRICS = (*RANKED, *calibration.METRICS, *SHARES, *DECIDED, *BARE)
OF_MACRO = (*RANKED, "brier", "calibration_error", "log_loss", *DECIDED)
OF_WEIGHTED = (*RANKED, "f1", "precision", "sensitivity")
OF_ALL = ("accuracy", "balanced_accuracy", "mcc")


class Row(NamedTuple):
    """Name of a value: label or average, metric, and threshold rule."""

    label: str
    metric: str
    rule: str


class Evaluation:
    """One model's predictions, prepared once, so that `metrics(weights)` is cheap.

    test: predictions; labels may all be unknown. thresholds: [L] by rule; rare: labels that are in
    no mean over labels.
    """

    def __init__(
        self,
        test: Predictions,
        thresholds: dict[str, np.ndarray],
        rare: frozenset[str] = frozenset(),
    ):
        self.test, self.thresholds = test, thresholds
        self.labels = test.facts["labels"]
        self.competing = test.facts["task"] == "multiclass"
        columns = zip(test.labels.T, test.ranking.T, strict=True)
        self.orders = [metrics.order(y, p) for y, p in columns]
        self.both = np.array([metrics.has_both(y) for y in test.labels.T])
        self.averaged = in_means(self.labels, self.both, rare)
        self.known = ~np.isnan(test.labels).all(axis=0)
        self.calibration = calibration.prepare(test.labels, test.scores, test.log_odds)
        terms = self.calibration.terms | self.decisions()
        self.widths = {name: term.shape[1] for name, term in terms.items()}
        self.ends = dict(zip(terms, np.cumsum([*self.widths.values()]), strict=True))
        self.terms = np.concatenate([*terms.values()], axis=1)
        self.calibration = replace(self.calibration, terms={})  # held once, not twice

    def decisions(self) -> dict[str, np.ndarray]:
        """Contribution of each image to each rule's counts and to the F1 of images: [N, L or 1]."""
        positive, negative = self.test.labels == 1, self.test.labels == 0
        terms = {"seen": (positive | negative).any(axis=1)[:, None]}
        for rule, cut in self.thresholds.items():
            said = decide(self.test.scores, cut)
            terms |= {f"tp {rule}": positive & said, f"fp {rule}": negative & said}
            right, calls = (positive & said).sum(axis=1), ((positive | negative) & said).sum(axis=1)
            all_of = calls + positive.sum(axis=1)
            # An image without a finding, of which nothing is said, is right.
            shared = np.where(all_of == 0, 1, 2 * right / np.maximum(all_of, 1))
            terms[f"samples {rule}"] = np.where(terms["seen"], shared[:, None], 0)
        if self.competing:
            terms["surprise"] = self.surprise(positive) * terms["seen"]
        return terms

    def surprise(self, positive: np.ndarray) -> np.ndarray:
        """Log loss of the class of each image [N, 1]; positive: bool [N, classes]."""
        if self.test.log_odds is not None:
            shares = log_probability(self.test.log_odds)
            return -np.where(positive, shares, 0).sum(axis=1, keepdims=True)
        of_truth = np.where(positive, self.test.scores, 0).sum(axis=1, keepdims=True)
        return -np.log(np.clip(of_truth, calibration.SMALLEST, 1))

    def term(self, name: str) -> np.ndarray:
        """Contribution of each image to one of the sums [N, L, or the sum's own width]."""
        end, width = self.ends[name], self.widths[name]
        return self.terms[:, end - width : end]

    @cached_property
    def flat(self) -> metrics.Order:
        """Order of all labels of all images together [N * L]."""
        return metrics.order(self.test.labels.ravel(), self.test.ranking.ravel())

    @cached_property
    def pooled(self) -> metrics.Order:
        """The same order, with the images' indices."""
        return replace(self.flat, images=self.flat.images // len(self.labels))

    @cached_property
    def rows(self) -> list[Row]:
        """Names of the values that `metrics` returns, in its order."""
        rows = [Row(label, *kind) for label in self.labels for kind in self.kinds(METRICS)]
        rows += [Row("macro", *kind) for kind in self.kinds(OF_MACRO)]
        rows += [Row("weighted", *kind) for kind in self.kinds(OF_WEIGHTED)]
        if self.competing:
            rows += [Row("micro", metric, "") for metric in RANKED]
            rows += [Row("all", *kind) for kind in self.kinds((*OF_ALL, "majority_accuracy"))]
            return [*rows, Row("all", "log_loss", "")]
        rows += [Row("micro", *kind) for kind in self.kinds((*RANKED, *DECIDED))]
        return rows + [Row("samples", "f1", rule) for rule in self.thresholds]

    def kinds(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """(metric, rule) pairs: without a rule, or once for each rule."""
        by_rule = {*DECIDED, *BARE}
        pairs = [(name, rule) for name in names if name in by_rule for rule in self.thresholds]
        return [(name, "") for name in names if name not in by_rule] + pairs

    def metrics(self, weights: np.ndarray) -> np.ndarray:
        """Values of `rows` for weights [R, N]: [R, rows]."""
        sums = weights.astype(np.float64) @ self.terms
        sums = dict(
            zip(self.ends, np.split(sums, list(self.ends.values())[:-1], axis=1), strict=True)
        )
        of_labels = self.of_labels(weights, sums)
        found = {
            (label, *kind): values[:, at]
            for kind, values in of_labels.items()
            for at, label in enumerate(self.labels)
        }
        found |= self.averages(of_labels, sums["present"])
        found |= self.whole(weights, sums, of_labels)
        return np.stack([found[row] for row in self.rows], axis=1)

    def of_labels(self, weights: np.ndarray, sums: dict) -> dict[tuple[str, str], np.ndarray]:
        """All metrics of all labels: [R, L] by (metric, rule)."""
        rankings = [order.weigh(weights) for order in self.orders]
        found = {("auroc", ""): np.stack([ranking.auroc() for ranking in rankings], axis=1)}
        precision = [ranking.average_precision() for ranking in rankings]
        found["ap", ""] = np.stack(precision, axis=1)
        found |= {(name, ""): v for name, v in self.calibration.values(sums).items()}
        present, absent = sums["present"], sums["known"] - sums["present"]
        found |= {(name, ""): getattr(metrics, name)(present, 0, absent, 0) for name in SHARES}
        for rule, cut in self.thresholds.items():
            counts = self.counts(sums, rule)
            found |= {(name, rule): getattr(metrics, name)(*counts) for name in DECIDED}
            bare = (*counts, np.tile(cut, (len(weights), 1)))
            found |= {(name, rule): v for name, v in zip(BARE, bare, strict=True)}
        return found

    def counts(self, sums: dict, rule: str) -> tuple[np.ndarray, ...]:
        """tp, fp, tn, fn at a rule's thresholds, [R, L] each."""
        tp, fp = sums[f"tp {rule}"], sums[f"fp {rule}"]
        return tp, fp, sums["known"] - sums["present"] - fp, sums["present"] - tp

    def averages(self, found: dict, positives: np.ndarray) -> dict[Row, np.ndarray]:
        """Means over the labels that are `averaged`."""
        of, weights = self.averaged, positives[:, self.averaged]
        kinds = self.kinds(OF_MACRO)
        rows = {Row("macro", *kind): mean(found[kind][:, of]) for kind in kinds}
        kinds = self.kinds(OF_WEIGHTED)
        return rows | {Row("weighted", *kind): mean(found[kind][:, of], weights) for kind in kinds}

    def whole(self, weights: np.ndarray, sums: dict, found: dict) -> dict[Row, np.ndarray]:
        """Values of all labels pooled (micro); for multi-class, of the decision."""
        ranking = self.pooled.weigh(weights)
        rows = {Row("micro", "auroc", ""): ranking.auroc()}
        rows[Row("micro", "ap", "")] = ranking.average_precision()
        if self.competing:
            return rows | self.decision(sums, found)
        for rule in self.thresholds:
            counts = [count.sum(axis=1) for count in self.counts(sums, rule)]
            rows |= {Row("micro", n, rule): getattr(metrics, n)(*counts) for n in DECIDED}
            images = sums["seen"][:, 0]
            rows[Row("samples", "f1", rule)] = metrics.ratio(sums[f"samples {rule}"][:, 0], images)
        return rows

    def decision(self, sums: dict, found: dict) -> dict[Row, np.ndarray]:
        """Values of the row `all`: an image is right if it is a true positive of its class.

        MCC of several classes: R_K of Gorodkin 2004 (Comput. Biol. Chem. 28:367-374).
        """
        tp, fp, _, fn = self.counts(sums, ARGMAX)
        images = sums["seen"][:, 0]
        right, true, said = tp.sum(axis=1), tp + fn, tp + fp
        margins = [np.sqrt(images**2 - (share**2).sum(axis=1)) for share in (true, said)]
        values = {
            ("accuracy", ARGMAX): metrics.ratio(right, images),
            ("balanced_accuracy", ARGMAX): mean(found["sensitivity", ARGMAX]),
            ("mcc", ARGMAX): metrics.ratio(
                right * images - (true * said).sum(axis=1), margins[0] * margins[1]
            ),
            ("majority_accuracy", ""): found["prevalence", ""].max(axis=1),
            ("log_loss", ""): metrics.ratio(sums["surprise"][:, 0], images),
        }
        return {Row("all", *kind): value for kind, value in values.items()}

    def labels_scored(self, row: Row, values: dict[Row, float]) -> int | None:
        """Number of labels in an average; None for the row of a single label."""
        if row.label in ("macro", "weighted"):
            own = [values[Row(label, row.metric, row.rule)] for label in self.labels]
            return int((self.averaged & ~np.isnan(own)).sum())
        return int(self.known.sum()) if row.label not in self.labels else None

    def reason(self, row: Row) -> str:
        """Reason for a value that is NaN."""
        if row.label not in self.labels:
            if not self.known.any():
                return "no image has a known label"
            if self.averaged.any():
                return "defined for no label"
            few = "each label has too few positives or negatives"
            return few if self.both.any() else "no label has both classes"
        truth = self.test.labels[:, self.labels.index(row.label)]
        if row.metric == "threshold":
            return "classes compete: the highest score decides"
        for kind, there in (("known label", ~np.isnan(truth)), ("positive", truth == 1)):
            if not there.any():
                return f"no image with a {kind}" if kind == "known label" else "no positive image"
        if not (truth == 0).any():
            return "no negative image"
        return UNDEFINED.get(row.metric, "not defined")


UNDEFINED = dict.fromkeys(
    ("calibration_slope", "calibration_intercept"), "scores part the classes, or are all equal"
)
UNDEFINED |= {"observed_to_expected": "all probabilities are 0"}
UNDEFINED |= {
    "npv": "no image is called negative",
    "precision": "no image is called positive",
    "mcc": "all images are called alike",
}


def mean(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean over labels of values [R, L], without NaN (a label that loses a class in a resample)."""
    defined = ~np.isnan(values)
    weights = defined if weights is None else np.where(defined, weights, 0)
    total = np.where(defined, values, 0) if weights is defined else np.nan_to_num(values) * weights
    return metrics.ratio(total.sum(axis=1), weights.sum(axis=1))
