"""Models of a study with their predictions, and their results on each test set."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from cxrgrid.comparison.measured import Measured, measure
from cxrgrid.comparison.planned_pairs import EXTERNAL
from cxrgrid.config.cell import Cell, fold_folder
from cxrgrid.config.checks import TESTED
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.study import External, Report
from cxrgrid.evaluation import test_sets, transfer_predictions
from cxrgrid.evaluation.predictions import Predictions, only, read
from cxrgrid.evaluation.same_images import aligned, by_image, check_same
from cxrgrid.evaluation.subgroup_gaps import joined
from cxrgrid.evaluation.test_sets import TestSet

# A configuration, its seed, and its predictions on each fold's test images.
Models = Iterable[tuple[tuple, int, list[Predictions]]]


def cells(grid: Grid, folder: Path, dataset: str) -> Iterator[tuple[tuple, int, list[Predictions]]]:
    """Each model of a dataset whose folds have all finished, with its predictions on test images.

    Of a dataset that is not cross-validated, each finished cell. Then each model from elsewhere, if
    it has predicted the same images.
    """
    firsts: dict[int, Predictions] = {}
    planned: dict[tuple, list[Cell]] = {}
    for cell in [cell for cell in grid.cells if cell.dataset == dataset]:
        planned.setdefault((cell.configuration(), cell.seed), []).append(cell)
    for (configuration, seed), folds in planned.items():
        if not all(finished(folder / cell.path(), cell) for cell in folds):
            continue
        found = []
        for cell in folds:
            made = by_image(read(folder / cell.path() / f"predictions/{dataset}.parquet"))
            check_same(firsts.setdefault(cell.fold, made), made)
            found.append(made)
        yield configuration, seed, found
    for name, model in grid.study.external.items() if firsts else ():
        if model.dataset == dataset:
            yield external(dataset, name), 0, of_external(name, model, list(firsts.values()))


def external(dataset: str, name: str) -> tuple[str, ...]:
    """The configuration of a model from elsewhere."""
    return (dataset, name, EXTERNAL, EXTERNAL)


def of_external(name: str, model: External, folds: list[Predictions]) -> list[Predictions]:
    """The predictions of a model from elsewhere on each fold's test images."""
    path = Path(model.predictions)
    made = aligned(path, read(path), joined(folds), f"external.{name}")
    return [only(made, set(fold.image)) for fold in folds]


def elsewhere(
    grid: Grid, folder: Path, dataset: str, target: str
) -> list[tuple[tuple, int, list[Predictions]]]:
    """Each model of a dataset with its predictions on another's test images, those common to all.

    None of a cross-validated dataset, whose folds would all be tested on the same patients.
    """
    if len(grid.folds[dataset]) > 1:
        return []
    seen = transfer_predictions.read_seen(folder.parent / "overlap.parquet", target)
    paths = transfer_predictions.paths(grid, folder, target)
    own = {cell: path for cell, path in paths.items() if cell.dataset == dataset}
    read_all = transfer_predictions.read(grid, own, target, seen, None)
    found = [(cell, by_image(test)) for cell, _, test in read_all]
    common = set.intersection(*(set(test.image) for _, test in found)) if found else set()
    return [(cell.configuration(), cell.seed, [only(test, common)]) for cell, test in found]


def on_set(models: Models, chosen: TestSet | None, how: Report) -> Measured:
    """Results of a dataset's models on all images that they predict, or on one test set."""
    if chosen:
        each = ((model, seed, map(chosen.select, folds)) for model, seed, folds in models)
        sets = ((model, seed, [one for one in folds if one.image]) for model, seed, folds in each)
        models = ((model, seed, folds) for model, seed, folds in sets if folds)
    return measure(models, how)


def measured_sets(
    grid: Grid, folder: Path, data: Path
) -> dict[tuple[str, str], dict[str, Measured]]:
    """Results by test set and dataset. data: results/data.

    A test set is its name (`all`: all test images) and the dataset that it belongs to, empty for
    each model's own: or one of which every image is a test image.
    """
    sets: dict[tuple[str, str], dict[str, Measured]] = {}
    for dataset in {cell.dataset: None for cell in grid.cells}:
        alone = [
            target
            for target in grid.transfers.get(dataset, [])
            if grid.study.datasets[target].split.name == TESTED
        ]
        for target in ["", *alone]:
            tests = grid.study.datasets[target or dataset].tests
            name = target or dataset
            folds = [f"{name}{fold_folder(fold)}" for fold in grid.folds[name]]
            first, *others = [data / fold / "table.parquet" for fold in folds]
            chosen_sets = {"all": None} | test_sets.read(first, tests, None, others)
            for name, chosen in chosen_sets.items():
                # Read anew for each: all models at once would fill the memory.
                models = (
                    elsewhere(grid, folder, dataset, target)
                    if target
                    else cells(grid, folder, dataset)
                )
                found = on_set(models, chosen, grid.study.report)
                sets.setdefault((name, target), {})[dataset] = found
        logging.info(f"{dataset}: {len(sets['all', ''][dataset].values)} models measured")
    return sets
