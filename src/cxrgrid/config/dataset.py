"""Settings of a dataset that say which of its images are taken, and what its labels mean."""

from typing import Annotated, Any, Literal

import msgspec

from cxrgrid.config.fields import Fraction, about
from cxrgrid.config.preparation import Columns, Image, Phantom, Split


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


class Dataset(Selection, frozen=True, forbid_unknown_fields=True):
    """One entry under `datasets:`."""

    adapter: Annotated[str, about("a file in src/cxrgrid/datasets: how the folder is laid out")]
    root: Annotated[str, about("the folder that holds the dataset; not used with `phantom`")] = ""
    phantom: Annotated[Phantom | None, about("draw the dataset instead of reading it")] = None
    labels: Annotated[
        tuple[str, ...], about("labels to learn, in this order; empty: all that the adapter knows")
    ] = ()
    task: Annotated[
        Literal["auto", "multilabel", "multiclass"],
        about("auto: as the adapter says; for `csv`: multilabel"),
    ] = "auto"
    patient: Annotated[
        str, about("for `folder`: regular expression; its match in a file's name is the patient")
    ] = ""
    columns: Annotated[Columns, about("for `csv`: the names of its columns")] = Columns()
    image: Annotated[Image, about("how an image becomes pixels")] = Image()
    split: Annotated[Split, about("train, validation and test")] = Split()
    unreadable: Annotated[
        Fraction, about("share of unreadable images above which the run stops; below, set aside")
    ] = 0.01
    allow_leakage: Annotated[bool, about("go on although patients stand in two splits")] = False
