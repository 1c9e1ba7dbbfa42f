"""Settings of a dataset that say how it is drawn, decoded and divided."""

from typing import Annotated, Any, Literal

import msgspec

from cxrgrid.config.fields import Fraction, about

MATCH = Literal[
    "path",
    "tail",
    "part",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
]


class Phantom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Draw the dataset instead of reading it: schematic radiographs in the adapter's own layout."""

    patients: Annotated[int, about("patients to draw, with one to several images each", ge=8)] = 200
    seed: Annotated[int, about("another seed, other patients", ge=0)] = 0
    size: Annotated[int, about("side of the images written, in pixels", ge=32, le=2048)] = 256


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an image becomes a square of grey levels."""

    size: Annotated[int, about("side of the square, in pixels", ge=16, le=2048)] = 224
    resize: Annotated[
        Literal["squash", "fit", "crop"],
        about("squash: ignore the aspect; fit: pad with black; crop: cut the longer side"),
    ] = "squash"
    crop_to: Annotated[
        Literal["none", "median", "lungs"],
        about(
            "before resizing: the middle of the dataset's median width and height; where template "
            "matching finds the lungs, in frontal views; or all"
        ),
    ] = "none"
    equalize: Annotated[
        Literal["none", "histogram", "clahe"],
        about("after resizing: histogram equalisation, of the whole or tile by tile (clahe)"),
    ] = "none"
    blur: Annotated[Literal[0, 5], about("after that: Gaussian blur of 5 × 5 pixels; 0: none")] = 0
    sixteen_bit: Annotated[
        Literal["voi", "percentile", "full"],
        about(
            "more than 8 bits become 8: from the 0.5 to the 99.5 percentile; full: from darkest to "
            "brightest; voi: by a DICOM file's own window, by percentiles where there is none"
        ),
    ] = "voi"


class Lists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of your own that list a split: one image a line, by path below `root` or by name."""

    train: Annotated[str, about("the training images: .txt or .csv, gzipped or not")]
    test: Annotated[str, about("the test images")]
    val: Annotated[str, about("the validation images; empty: carved from train, by patient")] = ""
    absent: Annotated[
        Fraction, about("share of a file's lines that may name no image; 1 for part of a dataset")
    ] = 0.01

    def paths(self) -> list[str]:
        """The files that there are."""
        return [path for path in (self.train, self.val, self.test) if path]


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which images train, which choose the epoch, which are tested; the same for every seed."""

    name: Annotated[
        str,
        about(
            "patient: by patient, stratified; image: by image, so that patients leak, as the "
            "report then says; a list that the dataset ships; or what to call your `files`"
        ),
    ] = "patient"
    fractions: Annotated[
        tuple[Fraction, Fraction, Fraction],
        about("train, val, test; of an official train+val list only train : val is used"),
    ] = (0.7, 0.1, 0.2)
    seed: Annotated[int, about("another seed, another split", ge=0)] = 0
    files: Annotated[Lists | None, about("lists of your own, called `name`")] = None
    folds: Annotated[
        int, about("for patient and image: equal parts, one of which is tested; 0: `fractions`")
    ] = 0
    fold: Annotated[int, about("which of the folds is tested, from 0", ge=0)] = 0


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For the `csv` adapter: a second table, with one row for each value of a shared column."""

    file: Annotated[str, about("the second table, below `root`")]
    by: Annotated[str, about("the column that both tables have, as the patient")]


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For the `csv` adapter: which file, and which of its columns hold what."""

    file: Annotated[
        str, about("the table, below `root`: .csv, .tsv, gzipped or not, .xlsx or .parquet")
    ] = "labels.csv"
    image: Annotated[str, about("column with the image's path below `root`")] = "image"
    patient: Annotated[str, about("column with the patient; empty: each image its own")] = ""
    split: Annotated[
        str, about("column with train, val or test, used by `split: {name: column}`")
    ] = ""
    match: Annotated[
        MATCH,
        about(
            "path: `image` is the path below `root`; tail: folders in front, case and ending may "
            "differ from the file's; part: an id that is a folder in the path or how the name "
            "begins, for every such image; or the DICOM attribute that `image` holds"
        ),
    ] = "path"
    classes: Annotated[
        str, about("column with the names of classes or findings; empty: each label has a column")
    ] = ""
    separator: Annotated[
        str, about("what is between several names in a field of `classes`; empty: one name each")
    ] = ""
    parts: Annotated[
        dict[Literal["train", "val", "test"], str],
        about("a table for each part instead of `file`, used by `split: {name: column}`"),
    ] = {}
    join: Annotated[Join | None, about("a second table with more columns, as of patients")] = None

    def told(self) -> dict[str, Any]:
        """What `index` is told: the first four, and of the others what is not at its default."""
        default, always = msgspec.to_builtins(Columns()), ("file", "image", "patient", "split")
        values = msgspec.to_builtins(self)
        return {n: v for n, v in values.items() if n in always or v != default[n]}
