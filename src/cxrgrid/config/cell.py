"""One cell of the grid: all the settings of one training, as `cell.json` holds them."""

from pathlib import Path

import msgspec

from cxrgrid.config.errors import UserError
from cxrgrid.config.recipe import Recipe

AXES = ["dataset", "backbone", "init", "recipe", "seed"]
CONFIGURATION = AXES[:-1]  # what is compared: a cell without its replicates


class Cell(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One point of the grid and everything that its run depends on: `cell.json`."""

    study: str
    dataset: str
    backbone: str
    init: str
    recipe: str
    seed: int
    weights: str = ""  # the safetensors file that the run starts from; empty: from scratch
    weights_sha256: str = ""  # what it must hash to; empty: anything
    results: int = 1  # `identity.RESULTS["train"]` of the cxrgrid that trains it

    def __hash__(self) -> int:
        """By study and path: some settings are mappings, which have no hash."""
        return hash((self.study, self.path()))

    def axes(self) -> dict[str, str | int]:
        """Coordinates of the cell in the grid: {axis: value} for each of AXES."""
        return {axis: getattr(self, axis) for axis in AXES}

    def configuration(self) -> tuple[str, ...]:
        """The cell without its seed: CONFIGURATION's values."""
        return tuple(getattr(self, axis) for axis in CONFIGURATION)

    def path(self) -> str:
        """Path of the cell's folder below results/{study}/cells."""
        return f"{self.dataset}/{self.backbone}/{self.init}/{self.recipe}/seed{self.seed}"


def read_cell(text: str) -> Cell:
    """A cell from its JSON or from the path of a cell.json."""
    try:
        return msgspec.json.decode(
            text if text.startswith("{") else Path(text).read_bytes(), type=Cell
        )
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"not a cell: {error}") from None
