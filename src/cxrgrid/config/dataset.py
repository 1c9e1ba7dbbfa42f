"""Settings of a dataset that say which of its images are taken, and what its labels mean."""

from typing import Annotated, Any, Literal

import msgspec


def about(text: str, **bounds) -> msgspec.Meta:
    """The meaning of a setting, and its bounds (ge, gt, le, lt)."""
    return msgspec.Meta(description=text, **bounds)


class Subset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the test images with scores of its own; what is named must all be true."""

    view: Annotated[tuple[str, ...], about("one of these views; also frontal, lateral")] = ()
    sex: Annotated[tuple[Literal["F", "M"], ...], about("one of these")] = ()
    age: Annotated[tuple[float, ...], about("[low, high] in years, both included")] = ()


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some images instead of all, drawn at random; the shares of the strata stay as they are."""

    n: Annotated[
        int | dict[str, int],
        about(
            "how many images; or a number for each value of the first column of `by`, within which "
            "the shares of the other columns are kept"
        ),
    ]
    by: Annotated[
        tuple[str, ...], about("strata: labels, view, sex, age (in tens of years), any column")
    ] = ()
    seed: Annotated[int, about("another seed, another sample", ge=0)] = 0


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which images of a dataset are taken, and what its labels mean."""

    uncertain: Annotated[
        str | dict[str, str],
        about(
            "labels that the source calls uncertain (-1): ignore (unknown), zero, one, or smooth "
            "(in training drawn from 0.55 to 0.85; unknown elsewhere); one word, or {label: word}"
        ),
    ] = "ignore"
    blank: Annotated[
        str | dict[str, str],
        about(
            "labels that the source leaves blank: absent (0), ignore (unknown), or auto (absent "
            "for chexpert and mimic, else ignore); one word, or {label: word}"
        ),
    ] = "auto"
    labeler: Annotated[
        Literal["chexpert", "negbio"], about("for `mimic`: whose reading of the reports")
    ] = "chexpert"
    view: Annotated[
        tuple[str, ...], about("only these views, like [AP, PA]; also frontal, lateral; empty: all")
    ] = ()
    sex: Annotated[tuple[Literal["F", "M"], ...], about("only these; empty: all")] = ()
    age: Annotated[
        tuple[float, ...], about("only ages from low to high, [low, high] in years; empty: all")
    ] = ()
    one_per_patient: Annotated[
        bool | str,
        about(
            "keep a patient's first image only (by name); of a label: only among the images that "
            "show it, as if the others were not there; `none`: among those that show no label"
        ),
    ] = False
    unlabelled: Annotated[
        Literal["keep", "drop"],
        about(
            "drop: without the images of which no label is known, once uncertain and blank ones "
            "have their meaning"
        ),
    ] = "keep"
    several: Annotated[
        Literal["refuse", "drop", "first"],
        about(
            "for multiclass, an image of several of the classes: stop; leave it out; or take it "
            "for the first of them in `labels`"
        ),
    ] = "refuse"
    sample: Annotated[Sample | None, about("take some images only, drawn by strata")] = None
    subsets: Annotated[
        dict[str, Subset], about("parts of the test images with scores of their own, by name")
    ] = {}

    def taken(self) -> dict[str, Any]:
        """What `index` is told: all that is not at its default, but for subsets (`score`'s alone).

        So a setting that is new in cxrgrid makes no finished study index its images again.
        """
        default = Selection()
        values = {name: getattr(self, name) for name in Selection.__struct_fields__}
        changed = {name: value for name, value in values.items() if value != getattr(default, name)}
        return {name: value for name, value in changed.items() if name != "subsets"}
