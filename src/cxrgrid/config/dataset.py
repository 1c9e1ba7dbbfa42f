"""Settings of a dataset: which images it takes, and the meaning of its labels."""

from typing import Annotated, Literal

import msgspec

from cxrgrid.config.fields import Fraction, about
from cxrgrid.config.preparation import Columns, Image, Phantom, Split


class Subset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subset of the test images that is scored separately; all its conditions must hold."""

    view: Annotated[tuple[str, ...], about("one of these views; also frontal, lateral")] = ()
    sex: Annotated[tuple[Literal["F", "M"], ...], about("one of these")] = ()
    age: Annotated[tuple[float, ...], about("[low, high] in years, both included")] = ()
    source: Annotated[tuple[str, ...], about("of a collection: from one of these sources")] = ()


class TestSet(Subset, frozen=True, forbid_unknown_fields=True):
    """A named test set: test images that meet all its conditions, scored and compared by itself."""

    files: Annotated[
        str,
        about(
            "lists its images or studies: lines, or CSV with a column image (or Path, or Study); "
            "columns named like labels replace the truth (1, 0, empty: unknown)"
        ),
    ] = ""
    score_by: Annotated[
        Literal["image", "study", "patient"],
        about("score each image by itself, or the images of a study or patient as one"),
    ] = "image"
    pool: Annotated[
        Literal["mean", "max"], about("probability of a study or patient from its images")
    ] = "mean"


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A random sample of the images, stratified so that the strata keep their shares."""

    n: Annotated[
        int | dict[str, int],
        about(
            "number of images; or {value: number} for the first column of `by`, within which the "
            "other columns keep their shares"
        ),
    ]
    by: Annotated[
        tuple[str, ...],
        about("columns that define the strata: labels, view, sex, age (in decades), any other"),
    ] = ()
    seed: Annotated[int, about("seed of the random draw", ge=0)] = 0


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Choice of a dataset's images, and the meaning of its labels."""

    uncertain: Annotated[
        str | dict[str, str],
        about(
            "meaning of labels that the source marks as uncertain (-1): ignore (unknown), zero, "
            "one, or smooth (drawn from 0.55 to 0.85 in training, unknown elsewhere); one policy "
            "for all labels, or {label: policy}"
        ),
    ] = "ignore"
    blank: Annotated[
        str | dict[str, str],
        about(
            "meaning of labels that the source leaves blank: absent (0), ignore (unknown), or auto "
            "(absent for chexpert and mimic, else ignore); one policy for all labels, or "
            "{label: policy}"
        ),
    ] = "auto"
    labeler: Annotated[
        Literal["chexpert", "negbio"], about("for `mimic`: the labeller that read the reports")
    ] = "chexpert"
    view: Annotated[
        tuple[str, ...],
        about("keep these views only, such as [AP, PA]; also frontal, lateral; empty: all"),
    ] = ()
    sex: Annotated[tuple[Literal["F", "M"], ...], about("keep these only; empty: all")] = ()
    age: Annotated[
        tuple[float, ...],
        about("keep ages from low to high only: [low, high] in years; empty: all"),
    ] = ()
    one_per_patient: Annotated[
        bool | str,
        about(
            "keep only the first image (by name) of each patient; with a label's name, keep only "
            "the first among the images that show it, and all that do not; with `none`, the same "
            "among the images that show no label"
        ),
    ] = False
    unlabelled: Annotated[
        Literal["keep", "drop"],
        about(
            "drop: leave out images without any known label, after uncertain and blank labels have "
            "got their meaning"
        ),
    ] = "keep"
    several: Annotated[
        Literal["refuse", "drop", "first"],
        about(
            "for multiclass, an image with several of the classes: refuse (stop with an error), "
            "drop (leave it out) or first (assign the first of them in `labels`)"
        ),
    ] = "refuse"
    sample: Annotated[Sample | None, about("use a stratified random sample of the images only")] = (
        None
    )
    subsets: Annotated[
        dict[str, Subset], about("subsets of the test images that are scored separately, by name")
    ] = {}


class Dataset(Selection, frozen=True, forbid_unknown_fields=True):
    """One entry under `datasets:`."""

    adapter: Annotated[
        str, about("the file in src/cxrgrid/datasets that reads the folder's layout")
    ]
    root: Annotated[str, about("the folder that holds the dataset; not used with `phantom`")] = ""
    phantom: Annotated[Phantom | None, about("draw the dataset instead of reading it")] = None
    labels: Annotated[
        tuple[str, ...], about("labels to learn, in this order; empty: all of the adapter's labels")
    ] = ()
    same_as: Annotated[
        dict[str, str],
        about(
            "names by which other datasets know a label, {label: name there}, in place of its own; "
            "those of publishers are known. '' keeps it apart. For `transfer` and the tables"
        ),
    ] = {}
    task: Annotated[
        Literal["auto", "multilabel", "multiclass"],
        about("auto: the adapter's task; for `csv`: multilabel"),
    ] = "auto"
    patient: Annotated[
        str,
        about(
            "for `folder`, and for `csv` without `columns.patient`: regular expression whose match "
            "in a file's name is the patient id (in its path if the expression has a /), or "
            "`PatientID` of the DICOM header"
        ),
    ] = ""
    classes: Annotated[
        str,
        about(
            "for `folder`: regular expression whose match in a file's name, or in its path if it "
            "names a `/`, is the class; empty: the folder is"
        ),
    ] = ""
    columns: Annotated[Columns, about("for `csv`: names of the columns")] = Columns()
    image: Annotated[Image, about("conversion of image files to pixels")] = Image()
    split: Annotated[Split, about("train, validation and test")] = Split()
    tests: Annotated[
        dict[str, TestSet],
        about("named test sets beside the whole of the test images; changing them trains nothing"),
    ] = {}
    unreadable: Annotated[
        Fraction,
        about("largest share of unreadable images; they are set aside, above it the run stops"),
    ] = 0.01
    suspicious: Annotated[
        Literal["keep", "set_aside"],
        about(
            "images that look odd (flat, few grey levels, rows that repeat, inverted, of another "
            "size than the rest): kept and named, or set aside"
        ),
    ] = "keep"
    allow_leakage: Annotated[bool, about("continue even if patients are in two splits")] = False
