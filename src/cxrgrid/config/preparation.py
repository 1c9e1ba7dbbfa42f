"""Settings of a dataset's preparation: drawing, decoding and splitting."""

import re
from typing import Annotated, Any, Literal

import msgspec

from cxrgrid.config.factors import level_name
from cxrgrid.config.fields import Fraction, about

MATCH = Literal[
    "path",
    "tail",
    "part",
    "name",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
]

SIZE = re.compile(r"\s*(\d+)(?:\s*[xX×]\s*(\d+))?\s*")  # 512, 768x640
SMALLEST, LARGEST = 16, 2048  # pixels a side


class Phantom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a drawn dataset: schematic radiographs in the adapter's own layout."""

    patients: Annotated[int, about("patients to draw, with one to several images each", ge=8)] = 200
    seed: Annotated[int, about("seed of the drawn patients", ge=0)] = 0
    size: Annotated[int, about("side of the images written, in pixels", ge=32, le=2048)] = 256


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the conversion of an image file to grey levels of one size."""

    size: Annotated[
        Annotated[int, msgspec.Meta(ge=SMALLEST, le=LARGEST)] | str,
        about(
            "side of the square, or width x height such as 768x640, in pixels; each side from 16 "
            "to 2048"
        ),
    ] = 224
    resize: Annotated[
        Literal["squash", "fit", "crop"],
        about(
            "squash: ignore the aspect ratio; fit: pad with black; crop: cut what is beyond the "
            "aspect ratio of `size`"
        ),
    ] = "squash"
    interpolation: Annotated[
        Literal["area", "bilinear", "bicubic", "lanczos"],
        about(
            "area: each pixel is the mean of the area that it covers; the others are Pillow's, by "
            "which many published networks were trained"
        ),
    ] = "area"
    crop_to: Annotated[
        Literal["none", "median", "lungs"],
        about(
            "crop before resizing: none; median: the central part, of the dataset's median width "
            "and height; lungs: the region where template matching finds the lungs (frontal views)"
        ),
    ] = "none"
    equalize: Annotated[
        Literal["none", "histogram", "clahe"],
        about("histogram equalisation after resizing: of the whole image, or by tiles (clahe)"),
    ] = "none"
    blur: Annotated[
        Literal[0, 5], about("Gaussian blur of 5 × 5 pixels after equalisation; 0: none")
    ] = 0
    sixteen_bit: Annotated[
        Literal["voi", "percentile", "full"],
        about(
            "conversion of more than 8 bits to 8; percentile: from the 0.5 to the 99.5 percentile; "
            "full: from the darkest to the brightest pixel; voi: by a DICOM file's own window, "
            "else by percentiles"
        ),
    ] = "voi"

    def __post_init__(self) -> None:
        """One spelling of each size: 512x512 is 512. `ValueError` for what is no size."""
        found = SIZE.fullmatch(str(self.size))
        sides = [int(side) for side in found.groups() if side] if found else []
        if not sides or min(sides) < SMALLEST or max(sides) > LARGEST:
            raise ValueError(
                f"size {self.size!r}: the side of a square, or width x height such as 768x640, "
                f"please; each side from {SMALLEST} to {LARGEST} pixels"
            )
        one = sides[0] if len(set(sides)) == 1 else "{}x{}".format(*sides)
        msgspec.structs.force_setattr(self, "size", one)

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height, in pixels."""
        if isinstance(self.size, int):
            return self.size, self.size
        width, height = self.size.split("x")
        return int(width), int(height)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in pixels: an image's shape as an array."""
        return self.sides[::-1]


def array_suffix(image: dict[str, Any]) -> str:
    """Suffix of `pixels` in the name of an array with other image settings: `-size512`.

    image: the settings that differ from the dataset's own; none is the dataset's own array.
    """
    return "".join(f"-{level_name(name, image[name])}" for name in sorted(image))


def other_image(image: Image, given: dict[str, Any]) -> dict[str, Any]:
    """The settings among `given` that differ from those of an image recipe."""
    return {name: given[name] for name in sorted(given) if given[name] != getattr(image, name)}


class Lists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Your own files that list a split: one image per line, by path below `root` or by name."""

    train: Annotated[str, about("the training images: .txt or .csv, gzipped or not")]
    test: Annotated[str, about("the test images")]
    val: Annotated[str, about("the validation images; empty: split off from train, by patient")] = (
        ""
    )
    absent: Annotated[
        Fraction,
        about("largest share of a file's lines that match no image; 1 for part of a dataset"),
    ] = 0.01

    def paths(self) -> list[str]:
        """Paths of the lists that are given."""
        return [path for path in (self.train, self.val, self.test) if path]


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Split into training, validation (picks the epoch) and test; the same for every seed."""

    name: Annotated[
        str,
        about(
            "patient: by patient, stratified; image: by image, so that patients leak between "
            "splits (the report says so); test: every image is a test image, for a dataset on "
            "which `transfer` tests the cells of others; the name of a list that the dataset "
            "ships; or a name for your own `files`"
        ),
    ] = "patient"
    fractions: Annotated[
        tuple[Fraction, Fraction, Fraction],
        about(
            "shares of train, val, test; a shipped train+val list uses the ratio train : val only"
        ),
    ] = (0.7, 0.1, 0.2)
    seed: Annotated[int, about("seed of the split", ge=0)] = 0
    files: Annotated[Lists | None, about("your own lists; `name` is their name")] = None
    folds: Annotated[
        int,
        about(
            "number of equal folds of the patients, stratified, for cross-validation (`folds: all` "
            "in the grid); with a publisher's or your own lists, of the training list, whose test "
            "list is kept apart; 0: `fractions` alone"
        ),
    ] = 0
    fold: Annotated[
        int, about("number of the tested fold, from 0, where the grid names no `folds`", ge=0)
    ] = 0


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For the `csv` adapter: a second table, with one row for each value of a shared column."""

    file: Annotated[str, about("the second table, below `root`")]
    by: Annotated[str, about("the column that both tables have, such as the patient")]
    theirs: Annotated[str, about("its name in the second table; empty: the same")] = ""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """File and column names for the `csv` adapter."""

    file: Annotated[
        str,
        about("the table, below `root`: .csv, .tsv, .txt, gzipped or not, .xlsx, .parquet, .json"),
    ] = "labels.csv"
    image: Annotated[
        str,
        about(
            "column of the image paths, relative to `root`; two columns as `folder/file` where one "
            "holds the folder and one the name"
        ),
    ] = "image"
    patient: Annotated[
        str, about("column of the patient ids; empty: each image counts as a patient of its own")
    ] = ""
    split: Annotated[
        str,
        about(
            "column of the parts (train, val, test), used by `split: {name: column}`; flags of "
            "each part as `is_train/is_val/is_test`"
        ),
    ] = ""
    test: Annotated[
        str,
        about(
            "value of `split` of the test images, where it holds a flag or a fold's number: all "
            "others are train and val"
        ),
    ] = ""
    match: Annotated[
        MATCH,
        about(
            "how `image` names a file; path: its path below `root`; tail: the end of its path, in "
            "any case and with any ending; part: an id, which is a folder in the path or the "
            "beginning of the name, of every such image; name: an id that stands in the name, at "
            "the place where most are found; or the DICOM attribute that it holds"
        ),
    ] = "path"
    classes: Annotated[
        str,
        about(
            "column of the class or finding names; with a *, as `Finding *`, all columns that are "
            "called so; empty: each label has a column of its own"
        ),
    ] = ""
    names: Annotated[
        dict[str, str],
        about(
            "names of the codes in `classes`, where it holds codes; with ? in front an uncertain "
            "finding (-1), [] is none: {no mass: '[]', possible mass: '?mass'}"
        ),
    ] = {}
    separator: Annotated[
        str,
        about(
            "separator of several names in a field of `classes`; rows: each row of an image names "
            "one; empty: one name each"
        ),
    ] = ""
    parts: Annotated[
        dict[Literal["train", "val", "test"], str],
        about("one table per part instead of `file`, used by `split: {name: column}`"),
    ] = {}
    join: Annotated[
        Join | None, about("a second table with more columns, such as one of patients")
    ] = None
