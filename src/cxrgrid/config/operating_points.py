"""Operating points as written in a study, on a command line and in the scores."""

from typing import Annotated, Literal

import msgspec

from cxrgrid.config.errors import UserError, suggest
from cxrgrid.config.fields import Fraction, about

ARGMAX = "argmax"  # the rule where classes compete: the highest score decides


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operating point that reaches a target on validation images; give one of the two."""

    sensitivity: Annotated[Fraction, about("the highest threshold with this sensitivity")] = 0.0
    specificity: Annotated[Fraction, about("the lowest threshold with this specificity")] = 0.0
    confidence: Annotated[
        float,
        about(
            "with this confidence the target holds for new patients too: a tolerance bound, at a "
            "threshold that errs on the safe side; 0: the target on the validation images alone, "
            "which new patients reach in about half of the cases",
            ge=0,
            lt=1,
        ),
    ] = 0.0


Point = Literal["youden", "f1"] | Fraction | Target


def rule(point: str | float | Target) -> str:
    """Name of an operating point in the scores: `youden`, `0.5`, `sensitivity 0.9`."""
    if isinstance(point, Target):
        kind = "sensitivity" if point.sensitivity else "specificity"
        sure = f", confidence {point.confidence:g}" if point.confidence else ""
        return f"{kind} {getattr(point, kind):g}{sure}"
    return point if isinstance(point, str) else f"{point:g}"


NAMED = ("youden", "f1")
WORDS = (*NAMED, "0.5", "sensitivity=0.9", "specificity=0.9", "sensitivity=0.9@0.95")


def parse(word: str, option: str = "--points") -> str | float | Target:
    """An operating point parsed from the command line; `UserError` lists the valid forms."""
    kind, _, value = word.partition("=")
    value, _, sure = value.partition("@")
    try:
        if kind in ("sensitivity", "specificity") and 0 < float(value) <= 1:
            if 0 <= float(sure or 0) < 1:
                return Target(**{kind: float(value), "confidence": float(sure or 0)})
        elif kind not in NAMED and 0 <= float(word) <= 1:
            return float(word)
    except ValueError:
        pass
    if word not in NAMED:
        raise UserError(f"{option}: no operating point {word!r}; {suggest(word, WORDS)}")
    return word


def fitted(point: str | float | Target) -> bool:
    """True if an operating point is fitted on validation images."""
    return not isinstance(point, (int, float))


def word(point: str | float | Target) -> str:
    """Command-line form of an operating point: youden, f1, 0.2, sensitivity=0.9@0.95."""
    if isinstance(point, Target):
        kind = "sensitivity" if point.sensitivity else "specificity"
        sure = f"@{point.confidence!r}" if point.confidence else ""
        return f"{kind}={getattr(point, kind)!r}{sure}"
    return point if isinstance(point, str) else repr(point)
