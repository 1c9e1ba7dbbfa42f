"""Training on several datasets: which ones a cell trains on, and the names of its labels there."""

from itertools import chain
from typing import Any

from cxrgrid.config.cell import Cell, fold_folder
from cxrgrid.config.checks import TESTED, task_of
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.folds import divisions
from cxrgrid.config.label_names import check_claims, labels_of, same_labels
from cxrgrid.config.preparation import array_suffix
from cxrgrid.config.study import Study

OWN, OTHERS = "own", "others"
ALONE = {"validate_on": "own", "dataset_sampling": "natural"}  # without other datasets, no matter


class Pooling:
    """Settings of cells that follow from `train_on`, for each dataset and list looked up once.

    axis: the datasets of the grid.
    """

    def __init__(self, study: Study, axis: list[str]):
        self.study, self.axis = study, axis
        self.known: dict[tuple, dict[str, Any]] = {}

    def settings(self, recipe: dict[str, Any], dataset: str, where: str) -> dict[str, Any]:
        """The settings of a cell that follow from its recipe's `train_on`, checked.

        `train_on`: names in alphabetical order, in which they are pooled; `labels_there`:
        {dataset: {label of the cell's dataset: its name there}}.
        """
        if not (asked := recipe.get("train_on")):
            return {name: value for name, value in ALONE.items() if name in recipe}
        key = (dataset, *asked)
        if key not in self.known:
            self.known[key] = self.looked_up(asked, dataset, where)
        return self.known[key]

    def looked_up(self, asked: list[str], dataset: str, where: str) -> dict[str, Any]:
        """`settings` of one list."""
        names = named(asked, dataset, self.study, self.axis, f"{where}: train_on")
        if names == [dataset]:
            return {"train_on": (), **ALONE}
        there = {name: labels_there(name, dataset, self.study, where) for name in names}
        check_taught(there, dataset, self.study, f"{where}: train_on")
        return {"train_on": names, "labels_there": there}


def named(asked: list[str], dataset: str, study: Study, axis: list[str], where: str) -> list[str]:
    """The datasets that `train_on` asks for, in alphabetical order."""
    words = {OWN: [dataset], OTHERS: [name for name in axis if name != dataset]}
    for word in [word for word in words if word in study.datasets]:
        raise UserError(f"datasets.{word}: `train_on` has a meaning for this word; rename it")
    for name in asked:
        known(name, [*study.datasets, *words], where, "dataset")
    found = [name for word in asked for name in words.get(word, [word])]
    if twice := next((name for name in found if found.count(name) > 1), None):
        raise UserError(f"{where}: {twice} would be trained on twice; name it once")
    if not found:
        raise UserError(f"{where}: the grid has no other dataset than {dataset}; name one")
    if found == [dataset] and asked != [OWN]:
        raise UserError(
            f"{where}: {dataset} alone is what the cells of {dataset} are trained on anyway; name "
            "another dataset beside it, or write [own]"
        )
    if alone := next((n for n in found if study.datasets[n].split.name == TESTED), None):
        raise UserError(f"{where}: {alone} has test images only (split {TESTED!r}); leave it out")
    return sorted(found)


def labels_there(name: str, dataset: str, study: Study, where: str) -> dict[str, str]:
    """{label of the cell's dataset: its name in another one}; `UserError` if they share none."""
    for each in (name, dataset):
        if not labels_of(study.datasets[each]):
            raise UserError(f"datasets.{each}.labels: name them, as `train_on` joins them")
        check_claims(each, study.datasets[each])
    found = same_labels(name, dataset, study.datasets)
    if not found:
        raise UserError(f"{where}: train_on: {name} shares no label with {dataset}")
    tasks = [task_of(study.datasets[each]) for each in (dataset, name)]
    if tasks == ["multiclass", "multilabel"]:
        raise UserError(
            f"{where}: train_on: classes exclude each other in {dataset}, and not in {name}; set "
            f"datasets.{dataset}.task: multilabel"
        )
    return found


def check_taught(there: dict[str, dict[str, str]], dataset: str, study: Study, where: str) -> None:
    """`UserError` if no dataset that a cell trains on knows one of the labels it is tested in."""
    labels = labels_of(study.datasets[dataset])
    taught = [label for label in labels if any(label in names for names in there.values())]
    if len(taught) < len(labels):
        missing = ", ".join(label for label in labels if label not in taught)
        raise UserError(
            f"{where}: none of {', '.join(there)} knows {missing}; to test what was trained, set "
            f"datasets.{dataset}.labels: [{', '.join(taught)}]"
        )


def check_idle(recipes: dict[str, Any], cells: list[Cell]) -> None:
    """`UserError` for settings of a recipe that act beside `train_on` only, and never do."""
    pooling = {recipes[cell.recipe].base for cell in cells if cell.train_on}
    for recipe in (recipes[cell.recipe] for cell in cells):
        for name, usual in ALONE.items():
            given = recipe.settings.get(name, usual)
            if given != usual and recipe.base not in pooling:
                raise UserError(
                    f"recipes.{recipe.base}.{name}: {given} is for recipes with `train_on`; leave "
                    "it out, or name the datasets to train on"
                )


def read_by(cell: Cell) -> list[str]:
    """The datasets that a cell's training reads, its own first."""
    return list(dict.fromkeys([cell.dataset, *cell.train_on]))


def pooled_by(grid: Any, configuration: tuple[str, ...]) -> tuple[str, ...]:
    """The datasets that a configuration is trained on; empty where it pools none."""
    cells = (cell for cell in grid.cells if cell.configuration() == configuration)
    return next((cell.train_on for cell in cells), ())


def division(grid: Any, cell: Cell, name: str) -> str:
    """Folder of the division of a dataset that a cell is trained on: its own fold, if there is one.

    Of a dataset that does not have that fold the first one is taken.
    """
    return f"results/data/{name}{fold_folder(fold_of(grid.folds, cell, name))}"


def fold_of(folds: dict[str, tuple[int, ...]], cell: Cell, name: str) -> int:
    """The fold of a dataset that a cell is trained on; folds: of each dataset."""
    return cell.fold if cell.fold in folds[name] else folds[name][0]


def pool_file(grid: Any, cell: Cell) -> str:
    """File with the images that a cell may not train on; empty unless it pools datasets."""
    return pool_path(grid, pool_name(cell), fold_folder(cell.fold)) if cell.train_on else ""


def pool_name(cell: Cell) -> str:
    """Name of the pool of datasets that a cell reads: these, joined by +."""
    return "+".join(sorted(read_by(cell)))


def pool_path(grid: Any, pool: str, fold: str) -> str:
    """Path of the file of a pool; pool: its datasets, joined by +; fold: as `fold_folder` says."""
    return f"results/{grid.name}/pools/{pool}{fold}.parquet"


def compared(grid: Any, path: str) -> tuple[list[str], list[str]]:
    """Folders of the datasets that are pooled, and of all whose test images are kept out.

    These are the pooled ones in the cells' own fold, and the others that the study tests, in all
    their folds: a cell of any of these may start from a cell of the pool. path: of the pool's file;
    empty lists if no cell has it.
    """
    cells = [cell for cell in grid.cells if pool_file(grid, cell) == path]
    if not cells:
        return [], []
    names = sorted(read_by(cells[0]))
    pooled = [division(grid, cells[0], name) for name in names]
    other_names = [name for name in grid.tested() if name not in names]
    tested = [[f"results/data/{name}", *divisions(grid.folds, name)] for name in other_names]
    others = list(dict.fromkeys(chain.from_iterable(tested)))
    return pooled, [*pooled, *others]


def training_arrays(grid: Any, cell: Cell) -> list[str]:
    """Paths of the pixels that a cell's training reads, its own dataset's first."""
    shown = [(name, array_suffix(grid.image_on(cell, name))) for name in read_by(cell)]
    return [f"results/data/{name}/pixels{suffix}.npy" for name, suffix in shown]
