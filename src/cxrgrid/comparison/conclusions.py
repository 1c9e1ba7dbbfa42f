"""Verdicts and sentences of comparisons: of pairs, main effects, and two files."""

import numpy as np

from cxrgrid.comparison.difference import METRICS, TINY
from cxrgrid.comparison.seed_variance import Combined
from cxrgrid.evaluation.row_intervals import ENOUGH
from cxrgrid.evaluation.wording import difference, many, number, p_value, signed

ALPHA = 0.05
THIS = "these trainings"  # verdict of a difference that may not be one of methods
SMALL = 0.02  # difference for which a sample size is told, without a margin


def told_once(verdicts: set[str]) -> list[str]:
    """The sentence that explains the verdict `these trainings`, where it is among some."""
    return [f"{THIS.capitalize()}: they differ; other seeds may not."] if THIS in verdicts else []


def verdict(found: Combined, p_holm: float, rare: bool = False) -> str:
    """Verdict of a test: `better`, `worse` or `not shown`.

    `these trainings` where they differ, but one training each says nothing of the two methods. If
    there is no test (p_holm is NaN), the reason: `not defined`, `too few images` (rare: of a label
    that is in no test), `too few patients`.
    """
    if alike(found):
        return "not shown"
    if np.isnan(p_holm):
        why = "too few images" if rare else "too few patients"
        return "not defined" if np.isnan(found.value) else why
    if p_holm >= ALPHA:
        return "not shown"
    if found.trained_once:
        return THIS
    return "better" if found.value > 0 else "worse"


def sentence(
    names: tuple[str, str],
    metric: str,
    found: Combined,
    p_holm: float,
    family: int,
    basis: str,
    rare: bool = False,
) -> str:
    """Conclusion of a comparison as a sentence.

    basis: text with seeds, images and patients; rare: of a label that is in no test.
    """
    a, b = names
    unit = METRICS.get(metric, metric)
    if alike(found) and not rare:
        return equal(names, unit, found, basis)
    if np.isnan(p_holm):
        return f"{a} against {b}: {unit} {without_test(found, rare)} ({basis})."
    chance = f"p {p_value(found.p)}"
    if family > 1:
        chance += f", after Holm over {family} comparisons p {p_value(p_holm)}"
    if p_holm < ALPHA:
        return shown(names, unit, found, basis, chance)
    text = f"{signed(found.value)} {unit} ({signed(found.low)} to {signed(found.high)}), {basis}; "
    text += chance
    if found.p < ALPHA:
        return (
            f"A difference between {a} and {b} remains uncertain: {text}. It would be significant "
            "as a single comparison, but not among so many."
        )
    size = largest(found)
    excluded = f"differences larger than {number(max(size, 0.001))}, but not smaller ones"
    return (
        f"No difference between {a} and {b} is shown: {text}. This does not prove equality: the "
        f"95 % interval excludes {excluded if size < 1 else 'no difference'}{power(found)}."
    )


def alike(found: Combined) -> bool:
    """True if the two are equal on these images, on every resample, and in every seed."""
    return found.value == 0 and found.sampling_se < TINY and not found.seed_sd > TINY


def largest(found: Combined) -> float:
    """The largest difference in the interval, in either direction; NaN without one."""
    return max(abs(found.low), abs(found.high))


def shown(names: tuple[str, str], unit: str, found: Combined, basis: str, chance: str) -> str:
    """The sentence of a difference that is shown, between methods or between these trainings."""
    better, worse = names if found.value > 0 else names[::-1]
    low, high = sorted((abs(found.low), abs(found.high)))
    by = f"{number(abs(found.value))} {unit} ({number(low)} to {number(high)}), {basis}; {chance}."
    if not found.trained_once:
        return f"{better} is better than {worse} by {by}"
    which, each = ("This training", "that"), "training each"
    for several, one in ((" folds, ", "fold"), (" pairs in ", "pair")):
        if several in basis:
            which, each = ("These trainings", "those"), f"training in each {one}"
    return (
        f"{which[0]} of {better} scored higher than {which[1]} of {worse} by {by} With one {each}, "
        f"chance in training is not ruled out: it is not shown that {better} is the better method."
    )


def equal(names: tuple[str, str], unit: str, found: Combined, basis: str) -> str:
    """The sentence of two models that no resample tells apart."""
    size = largest(found)
    left = "" if np.isnan(size) else f": differences up to {number(size)} remain possible"
    return (
        f"{names[0]} and {names[1]} have the same {unit} on these images and on every resample of "
        f"their patients ({basis}). This does not prove equality on other images{left}."
    )


def without_test(found: Combined, rare: bool) -> str:
    """A difference that is not tested, with the reason, as a clause."""
    if np.isnan(found.value):
        return "is not defined, as one class is absent"
    if np.isnan(found.low):
        few = f"{ENOUGH} patients with the finding and {ENOUGH} without it are needed"
        return f"{signed(found.value)}, without interval and test: {few}"
    shown = difference(found.value, found.low, found.high)
    return f"{shown}, not tested: too few images with or without the finding"


def power(found: Combined) -> str:
    """The smallest difference that a study with these errors could have shown, as a clause."""
    size, among = found.detectable, " between trainings such as these" * found.trained_once
    if not size < 1:
        none = ", and no true difference would have been shown 8 times in 10"
        return "" if np.isnan(size) else none
    return f", and a true difference{among} had to be {number(size)} to be shown 8 times in 10"


def times_needed(found: Combined, margin: float) -> float:
    """Multiple of the test patients and trainings that would show a difference as the margin.

    As large as the margin, or as `SMALL` without one, in 80 % of studies; both errors shrink with
    the root of their number. NaN where the study could show it, or says nothing of trainings.
    """
    wanted = margin or SMALL
    if found.trained_once or not found.detectable > wanted:
        return np.nan
    return (found.detectable / wanted) ** 2


def size_words(times: float, margin: float) -> str:
    """The sample size that a small difference would take, as a sentence; empty for NaN."""
    if np.isnan(times):
        return ""
    many = f"{times:.1f}" if times < 10 else f"{times:,.0f}"
    return (
        f" To show one of {margin or SMALL:g} as often would take about {many} times as many "
        "test patients and trainings."
    )


def by_margin(found: Combined, margin: float) -> str:
    """Verdict by a difference that does not matter, from the 95 % interval; empty without one.

    `equivalent`: the interval lies within the margin; `not worse` and `not better`: by more than
    it; else `undecided`, as where one training each says nothing of the two methods. Each side errs
    in 2.5 % of studies (as in CONSORT's extension to non-inferiority, JAMA 308 (2012) 2594).
    """
    if not margin or np.isnan(found.low):
        return ""
    if found.trained_once:
        return "undecided"
    above, below = found.low > -margin, found.high < margin
    if above and below:
        return "equivalent"
    return "not worse" if above else "not better" if below else "undecided"


def margin_words(by: str, margin: float, found: Combined, verdict: str) -> str:
    """The verdict by the margin as a sentence; of a difference that is shown, if it is larger."""
    if verdict in ("better", "worse") and by in ("not worse", "not better"):
        nearest = min(abs(found.low), abs(found.high))
        if nearest > margin:
            return f" The difference is larger than the margin of {margin:g}."
        return f" It is not shown to be larger than the margin of {margin:g}."
    words = {
        "equivalent": "The two are equivalent",
        "not worse": "The first is not worse",
        "not better": "The first is not better",
        "undecided": "Neither equivalence nor non-inferiority is shown",
    }
    return f" {words[by]} within the margin of {margin:g}." if by else ""


def basis(seeds: str, size: dict[str, int]) -> str:
    """Basis of a comparison as text: `3 seeds, 420 images of 377 patients`."""
    return f"{seeds}, {many(size['n'], 'image')} of {many(size['patients'], 'patient')}"
