"""Several cells as one model: the mean of their probabilities.

An ensemble is called `ensemble:{backbone}`, over the seeds of a configuration, or `ensemble`, over
all backbones and seeds of a dataset, init and recipe. Its seed is -1, and no cell has such a name:
what is averaged over seeds or backbones does not meet it unasked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cxrgrid.config.cell import Cell
from cxrgrid.evaluation.predictions import Predictions

NAME = "ensemble"
SEED = -1


def is_ensemble(backbone: str) -> bool:
    """Whether a row's backbone is an ensemble."""
    return backbone.partition(":")[0] == NAME


def members(cells: Iterable[Cell]) -> dict[tuple, list[Cell]]:
    """Every ensemble of two or more, by its axes (dataset, backbone, init, recipe, seed)."""
    seeds, backbones = {}, {}
    for cell in cells:
        configuration = (cell.init, cell.recipe, SEED)
        seeds.setdefault((cell.dataset, f"{NAME}:{cell.backbone}", *configuration), []).append(cell)
        backbones.setdefault((cell.dataset, NAME, *configuration), []).append(cell)
    several = {
        key: group for key, group in backbones.items() if len({cell.backbone for cell in group}) > 1
    }
    return {key: group for key, group in seeds.items() if len(group) > 1} | several


@dataclass
class Ensembles:
    """The sums of the members met so far; planned: what `members` says."""

    planned: dict[tuple, list[Cell]]
    sums: dict[tuple, list[Predictions]] = field(default_factory=dict)
    met: dict[tuple, int] = field(default_factory=dict)

    def take(self, cell: Cell, val: Predictions, test: Predictions) -> None:
        """Add a cell to the ensembles that it belongs to."""
        for key in [key for key, group in self.planned.items() if cell in group]:
            before = self.sums.get(key)
            pair = [val, test]
            if before:
                pair = [
                    replace(s, scores=s.scores + new.scores)
                    for s, new in zip(before, pair, strict=True)
                ]
            self.sums[key], self.met[key] = pair, self.met.get(key, 0) + 1

    def whole(self) -> Iterable[tuple[tuple, Predictions, Predictions]]:
        """Those of which every member was met: axes, and the mean on validation and test images."""
        for key, pair in self.sums.items():
            if self.met[key] == len(self.planned[key]):
                yield key, *(replace(s, scores=s.scores / self.met[key]) for s in pair)
