"""Operating points as written in a study, on a command line and in the scores."""

from cxrgrid.config.errors import UserError, suggest
from cxrgrid.config.study import Target

ARGMAX = "argmax"  # the rule where classes compete: the highest score decides


def rule(point: str | float | Target) -> str:
    """Name of an operating point in the scores: `youden`, `0.5`, `sensitivity 0.9`."""
    if isinstance(point, Target):
        kind = "sensitivity" if point.sensitivity else "specificity"
        return f"{kind} {getattr(point, kind):g}"
    return point if isinstance(point, str) else f"{point:g}"


WORDS = ("youden", "0.5", "sensitivity=0.9", "specificity=0.9")


def parse(word: str, option: str = "--points") -> str | float | Target:
    """An operating point parsed from the command line; `UserError` lists the valid forms."""
    kind, _, value = word.partition("=")
    try:
        if kind in ("sensitivity", "specificity") and 0 < float(value) <= 1:
            return Target(**{kind: float(value)})
        if kind != "youden" and 0 <= float(word) <= 1:
            return float(word)
    except ValueError:
        pass
    if word != "youden":
        raise UserError(f"{option}: no operating point {word!r}; {suggest(word, WORDS)}")
    return word


def fitted(point: str | float | Target) -> bool:
    """True if an operating point is fitted on validation images."""
    return not isinstance(point, (int, float))


def word(point: str | float | Target) -> str:
    """Command-line form of an operating point: youden, 0.2, sensitivity=0.9, specificity=0.9."""
    if isinstance(point, Target):
        kind = "sensitivity" if point.sensitivity else "specificity"
        return f"{kind}={getattr(point, kind)!r}"
    return point if isinstance(point, str) else repr(point)
