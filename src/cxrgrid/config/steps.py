"""Settings of the commands that prepare a dataset.

`results` is the command's number in `identity.RESULTS`.
"""

import json
from typing import Literal

import msgspec

from cxrgrid.config.checks import T, checked
from cxrgrid.config.dataset import Dataset, Selection
from cxrgrid.config.errors import UserError
from cxrgrid.config.fields import Fraction
from cxrgrid.config.identity import RESULTS
from cxrgrid.config.preparation import Image, Phantom, Split

# The settings of a dataset that `index` needs: of its Selection all but the subsets (`score`'s).
SELECTED = tuple(name for name in Selection.__struct_fields__ if name != "subsets")
INDEXED = ("adapter", "labels", "task", "patient", "columns", "classes", *SELECTED)


class Drawing(Phantom, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of `phantom`: the cohort, and the adapter whose layout is written."""

    adapter: str
    results: int = 1


class Indexing(Dataset, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of `index`: folder, selection and labels.

    Settings of later commands (image, split, subsets, …) stay at their defaults.
    """

    dataset: str
    results: int = 1


class Decoding(Image, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of `pixels`: the image recipe, and what is done with bad images."""

    unreadable: Fraction = Dataset(adapter="").unreadable
    suspicious: Literal["keep", "set_aside"] = "keep"
    results: int = 1


class Dividing(Split, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of `split`."""

    results: int = 1


STEPS = {"phantom": Drawing, "index": Indexing, "pixels": Decoding, "split": Dividing}


def step(name: str, settings: msgspec.Struct | dict, **more: object) -> msgspec.Struct:
    """Settings of the command `name`; more: those that `settings` lacks."""
    values = settings if isinstance(settings, dict) else msgspec.structs.asdict(settings)
    return STEPS[name](**values, **more, results=RESULTS[name])


def indexing(name: str, dataset: Dataset, root: str) -> msgspec.Struct:
    """Settings of `index`; name: of the dataset."""
    values = {field: getattr(dataset, field) for field in INDEXED}
    return step("index", values, dataset=name, root=root)


def part(settings: msgspec.Struct, kind: type[T]) -> T:
    """The `kind` that a command's settings extend."""
    return kind(**{name: getattr(settings, name) for name in kind.__struct_fields__})


def read_step(name: str, text: str) -> msgspec.Struct:
    """Settings of the command `name` from its JSON; `UserError` with the first fault."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise UserError(f"{name}: the settings are no JSON ({error}): {text!r}") from None
    return checked(given, STEPS[name], name)
