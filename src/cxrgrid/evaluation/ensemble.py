"""Ensembles: the mean probability of several cells.

An ensemble is called `ensemble:{backbone}`, over the seeds of a configuration, or `ensemble`, over
all backbones and seeds of a dataset, init and recipe; both within a fold. Its seed is -1, and no
cell has such a name, so that averages over seeds or backbones do not include it by accident.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cxrgrid.config.cell import Cell
from cxrgrid.evaluation import log_odds
from cxrgrid.evaluation.predictions import Predictions

NAME = "ensemble"
SEED = -1


def is_ensemble(backbone: str) -> bool:
    """True if a row's backbone names an ensemble."""
    return backbone.partition(":")[0] == NAME


def members(cells: Iterable[Cell]) -> dict[tuple, list[Cell]]:
    """{axes of an ensemble: its cells}, for ensembles of two or more cells."""
    seeds, backbones = {}, {}
    for cell in cells:
        rest = (cell.init, cell.recipe, cell.fold, SEED)
        seeds.setdefault((cell.dataset, f"{NAME}:{cell.backbone}", *rest), []).append(cell)
        backbones.setdefault((cell.dataset, NAME, *rest), []).append(cell)
    several = {
        key: group for key, group in backbones.items() if len({cell.backbone for cell in group}) > 1
    }
    return {key: group for key, group in seeds.items() if len(group) > 1} | several


def added(several: Predictions, one: Predictions, members: int) -> Predictions:
    """The sum of the scores of so many members and one more, with the log odds of their mean."""
    scores = several.scores + one.scores
    if several.log_odds is None or one.log_odds is None:
        return replace(several, scores=scores, log_odds=None)
    odds = log_odds.of_mean([several.log_odds, one.log_odds], [members, 1])
    return replace(several, scores=scores, log_odds=odds)


@dataclass
class Ensembles:
    """Running sums over the members added so far; planned: from `members`.

    The log odds of a sum are those of the mean of as many members, where all of them have any.
    """

    planned: dict[tuple, list[Cell]]
    sums: dict[tuple, list[Predictions]] = field(default_factory=dict)
    met: dict[tuple, int] = field(default_factory=dict)

    def take(self, cell: Cell, val: Predictions, test: Predictions) -> None:
        """Add a cell to its ensembles."""
        for key in [key for key, group in self.planned.items() if cell in group]:
            before = self.sums.get(key)
            pair, met = [val, test], self.met.get(key, 0)
            if before:
                pair = [added(s, new, met) for s, new in zip(before, pair, strict=True)]
            self.sums[key], self.met[key] = pair, met + 1

    def whole(self) -> Iterable[tuple[tuple, Predictions, Predictions]]:
        """Complete ensembles: axes, and mean predictions of validation and test images."""
        for key, pair in self.sums.items():
            if self.met[key] == len(self.planned[key]):
                yield key, *(replace(s, scores=s.scores / self.met[key]) for s in pair)
