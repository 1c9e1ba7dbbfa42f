"""One cell of the grid: all the settings of one training, as `cell.json` holds them."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cxrgrid.config.errors import PASSING, UserError, unread
from cxrgrid.config.recipe import Recipe

REPLICATES = ["fold", "seed"]
POOLED = -1  # fold of a row that is the mean over all folds of a model
CONFIGURATION = ["dataset", "backbone", "init", "recipe"]  # what is compared
TRAIN_AGAIN = "copy its whole folder anew, or remove that and run snakemake, which trains it again"
AXES = [*CONFIGURATION, *REPLICATES]


class Point(NamedTuple):
    """Coordinates of a cell in the grid, in the order of AXES.

    fold: of a dataset that the grid cross-validates, the fold that is tested; 0 elsewhere.
    """

    dataset: str
    backbone: str
    init: str
    recipe: str
    fold: int
    seed: int

    def path(self) -> str:
        """Path of the cell's folder below results/{study}/cells."""
        where = f"{self.dataset}/{self.backbone}/{self.init}/{self.recipe}"
        return f"{where}{fold_folder(self.fold)}/seed{self.seed}"


def fold_folder(fold: int) -> str:
    """Folder of a fold's cells and tables, with the slash before it; none of fold 0.

    So a dataset that is cross-validated later keeps what it has of its one split.
    """
    return f"/fold{fold}" if fold else ""


class Cell(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One point of the grid and everything that its run depends on: `cell.json`."""

    study: str
    dataset: str
    backbone: str
    init: str
    recipe: str
    seed: int
    fold: int = 0  # of a dataset that the grid cross-validates, the fold that is tested
    weights: str = ""  # the safetensors file that the run starts from; empty: from scratch
    weights_sha256: str = ""  # what it must hash to; empty: anything
    # With `train_on`: {dataset: {label of the cell's dataset: its name there}}; config/pooling.py.
    labels_there: dict[str, dict[str, str]] = {}
    # With `train_on`: settings of the recipe's `image` that the cell's dataset has of its own, and
    # another one not: these hold there too.
    image_said: dict[str, Any] = {}
    weights_mean: tuple[float, ...] = ()  # of the input that it expects; empty: as it says itself
    weights_std: tuple[float, ...] = ()
    results: int = 1  # `identity.RESULTS["train"]` of the cxrgrid that trains it

    def __hash__(self) -> int:
        """By study and path: some settings are mappings, which have no hash."""
        return hash((self.study, self.path()))

    def axes(self) -> dict[str, str | int]:
        """Coordinates of the cell in the grid: {axis: value} for each of AXES."""
        return {axis: getattr(self, axis) for axis in AXES}

    def wildcards(self) -> dict[str, str]:
        """The coordinates as Snakemake's rules have them; of fold 0 the wildcard is empty."""
        return {axis: str(value) for axis, value in self.axes().items()} | {
            "fold": fold_folder(self.fold)
        }

    def configuration(self) -> tuple[str, ...]:
        """The cell without its replicates: CONFIGURATION's values."""
        return tuple(getattr(self, axis) for axis in CONFIGURATION)

    def path(self) -> str:
        """Path of the cell's folder below results/{study}/cells."""
        return Point(**self.axes()).path()

    def starting_at(self, path: Path | None) -> "Cell":
        """The cell, whose initial weights lie at `path`, if that is said."""
        return msgspec.structs.replace(self, weights=str(path)) if path else self


def read_cell(text: str) -> Cell:
    """A cell from its JSON or from the path of a cell.json; `UserError` if it is none."""
    given = text.startswith("{")
    where, again = ("the cell's settings", "") if given else (text, f"; {TRAIN_AGAIN}")
    try:
        return msgspec.json.decode(text if given else Path(text).read_bytes(), type=Cell)
    except OSError as error:
        if error.errno in PASSING:
            raise unread(where, error) from None
        raise UserError(f"{where}: not a cell ({error.strerror}){again}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not a cell ({error}){again}") from None
