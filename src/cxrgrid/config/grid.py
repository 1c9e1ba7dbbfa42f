"""From a config to the cells of its grid: every value checked, with the nearest valid name.

`config.yaml` → `Grid(config)` → `Cell` → `cell.json`. The Snakefile does this at every parse, and
again in each job: no torch, no pandas, no timm here.
"""

import hashlib
import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.backbone_names import with_path_names
from cxrgrid.config.cell import Cell, Point
from cxrgrid.config.check_cells import check_blocks, check_override, check_recipe, file_of
from cxrgrid.config.check_dataset import check_selection
from cxrgrid.config.check_files import check_external_files, check_root, check_shared
from cxrgrid.config.check_recipes import built_in, check_recipes
from cxrgrid.config.check_report import check_external, check_report
from cxrgrid.config.check_starts import check_folds, check_start, input_of, weights_file
from cxrgrid.config.checks import (
    FIGURES,
    TABLES,
    check_study,
    checked,
    declares,
    modules,
)
from cxrgrid.config.design import points
from cxrgrid.config.errors import UserError
from cxrgrid.config.factors import study_levels
from cxrgrid.config.folds import study_folds
from cxrgrid.config.former_names import check_former_names
from cxrgrid.config.identity import RESULTS, same
from cxrgrid.config.idle import idle_figures, idle_tables
from cxrgrid.config.image_settings import of_cell, said_there
from cxrgrid.config.label_names import check_parted, check_same_as
from cxrgrid.config.overrides import check_factors, overridden, with_overrides
from cxrgrid.config.packaged_weights import check_installed, packaged
from cxrgrid.config.pooling import Pooling, check_idle, read_by
from cxrgrid.config.preparation import Image, array_suffix, other_image
from cxrgrid.config.run_words import MOST_CELLS, Reread, limit
from cxrgrid.config.same_training import check_trainings
from cxrgrid.config.shifts import strangers
from cxrgrid.config.study import Block
from cxrgrid.config.transfers import left_out, targets_of, transfers
from cxrgrid.config.twin_datasets import check_twins
from cxrgrid.config.varied import check_primary

FROZEN = ".snakemake/cxrgrid"


class Grid:
    """A study, completely checked: `UserError` at the first value that no run could use.

    Attributes: `study` (the settings), `cells` (all of them, in the order of the axes, then the
    cells that others start from), `transfers` (for each dataset that is trained on, the others on
    which its cells are tested), `levels` (of each recipe, by name: its base recipe and its level of
    every factor of the study, as text), `folds` (of each dataset the folds that are tested in turn;
    0 alone where it is not cross-validated).
    """

    def __init__(self, config: dict[str, Any]):
        self.config = dict(config)
        # Not a setting of the study: asks for a report on what is there (see Snakefile, onerror).
        self.incomplete = bool(self.config.pop("incomplete", False))
        # Nor is this: how many cells a run trains without being asked (cluster/forecast.py).
        self.max_cells = limit(self.config.pop("max_cells", MOST_CELLS))
        # Nor this: which data that have changed are read again (cluster/changed_data.py).
        reread = self.config.pop("reread", [])
        check_report(self.config.get("report", {}))
        check_external(self.config.get("external"), self.config.get("datasets", {}))
        self.study = check_study(with_path_names(self.config))
        self.reread = Reread(reread, list(self.study.datasets))
        for name, dataset in self.study.datasets.items():
            check_selection(name, dataset)
            check_same_as(name, dataset)
        check_parted(self.study.datasets)
        self.name = self.study.study
        self.recipes = check_recipes(self.study, {block.design for block in self.blocks()})
        check_blocks(self.blocks(), self.study, self.recipes)
        levels = study_levels(self.recipes, built_in())
        self.levels = with_overrides(levels, self.recipes, self.study.overrides)
        self.folds = study_folds(self.study, self.blocks())
        axis = list(dict.fromkeys(name for b in self.blocks() for name in b.datasets))
        self.pooling = Pooling(self.study, axis)
        self.by_path: dict[str, Cell] = {}
        self.alike: dict[str, dict[str, Any]] = {}  # see `said`
        for block in self.blocks():
            for point in points(block, self.recipes, self.folds):
                self.add(point, above=())
        self.cells = list(self.by_path.values())
        for number, override in enumerate(self.study.overrides):
            check_override(override, self.cells, f"overrides[{number}]")
            check_factors(override, self.cells, self.recipes, f"overrides[{number}]")
        check_idle(self.recipes, self.cells)
        for block in self.blocks():
            check_trainings(self, points(block, self.recipes, self.folds))
        self.transfers = transfers(self.study, list({cell.dataset: 0 for cell in self.cells}))
        check_primary(self)

    def blocks(self) -> list[Block]:
        """The blocks of the grid, of which there may be one or several."""
        return self.study.grid if isinstance(self.study.grid, list) else [self.study.grid]

    def sources(self) -> list[str]:
        """Datasets of cells that only lend their weights: the study does not ask about them."""
        asked = {name for block in self.blocks() for name in block.datasets}
        return [name for name in self.targets() if name not in asked]

    def add(self, point: Point, above: tuple[Point, ...]) -> Cell:
        """Resolve one cell, and first the cell that it starts from; above: those that start here.

        `UserError` for a chain that comes back, or has trained on images that a cell above tests.
        """
        where = point.path()
        if point in above:
            raise UserError(f"weights.{point.init}: the cell {where} would start from itself")
        if where not in self.by_path or above:
            weights = self.start(point, (*above, point))
        if where not in self.by_path:
            settings = overridden(self.study.overrides, point, self.recipes[point.recipe])
            settings |= self.pooling.settings(settings, point.dataset, f"cell {where}")
            images = of_cell(self, settings, point)
            cell = checked(
                {
                    **settings,
                    **images,
                    "study": self.name,
                    **point._asdict(),
                    "weights": weights,
                    "weights_sha256": getattr(self.study.weights.get(point.init), "sha256", ""),
                    **input_of(self.study.weights.get(point.init)),
                    "results": RESULTS["train"],
                },
                Cell,
                f"cell {where}",
            )
            check_recipe(cell, self.study.datasets[point.dataset], f"cell {where}")
            self.by_path[where] = cell
        check_folds(self.by_path[where], above, self.folds)
        check_twins(self.by_path[where], above, self)
        return self.by_path[where]

    def start(self, point: Point, above: tuple[Point, ...]) -> str:
        """Path of the weights file that a cell starts from; empty for scratch."""
        if point.init == "scratch":
            return ""
        source = self.study.weights[point.init]
        if source == "timm":
            return f"results/weights/{point.backbone}.safetensors"
        if file := file_of(source):
            return weights_file(file, point.backbone)
        if source.package:
            return packaged(source.package, point.backbone, f"weights.{point.init}.package")
        folds = self.folds[source.dataset]
        start = Point(
            source.dataset,
            source.backbone or point.backbone,
            source.init,
            source.recipe,
            point.fold if point.fold in folds else folds[0],
            point.seed if source.seed is None else source.seed,
        )
        return f"{self.folder(self.add(start, above))}/model.safetensors"

    def across(self) -> list[tuple[str, str]]:
        """(path, target) of predictions on other datasets; of an incomplete run those there."""
        pairs = [(c, target) for c in self.cells for target in targets_of(self, c)]
        paths = [(f"{self.folder(c)}/transfer/{target}.parquet", target) for c, target in pairs]
        return [pair for pair in paths if not self.incomplete or Path(pair[0]).is_file()]

    def entry(self, recipe: str) -> str:
        """The name under which a recipe is compared: with `choose`, all its levels share one."""
        found = self.recipes[recipe]
        return found.base if found.choose else recipe

    def folder(self, cell: Cell) -> str:
        """Folder of a cell's files."""
        return f"results/{self.name}/cells/{cell.path()}"

    def targets(self) -> list[str]:
        """Datasets on whose test images cells are scored, in the order of the cells."""
        cells = [c for c in self.cells if not self.incomplete or finished(self.folder(c), c)]
        return list(dict.fromkeys(cell.dataset for cell in cells))

    def shown(self) -> list[str]:
        """`targets` in the order of figures: those that only lend their weights come last."""
        lend = self.sources()
        return sorted(self.targets(), key=lambda name: name in lend)

    def tested(self) -> list[str]:
        """Datasets on whose test images anything is scored: `targets`, then the others."""
        return list(dict.fromkeys([*self.targets(), *(target for _, target in self.across())]))

    def used(self) -> list[str]:
        """Datasets that the study reads: `tested`, then those that are trained on only."""
        return list(dict.fromkeys([*self.tested(), *chain.from_iterable(map(read_by, self.cells))]))

    def image_on(self, cell: Cell, dataset: str) -> dict[str, Any]:
        """The image settings of a cell that differ from those of a dataset that it is shown.

        The cell's own settings, and its size: a network sees other images at the size it learnt.
        """
        if dataset == cell.dataset:
            return cell.image
        size = cell.image.get("size", self.study.datasets[cell.dataset].image.size)
        given = {**self.said(cell, [dataset]), **cell.image, "size": size}
        return other_image(self.study.datasets[dataset].image, given)

    def said(self, cell: Cell, names: Iterable[str]) -> dict[str, Any]:
        """Image settings that a cell's recipe and dataset share, and one of other datasets not."""
        alike = self.alike.get(cell.path(), {}) if self.alike else {}
        return said_there(alike, [self.study.datasets[name].image for name in names])

    def arrays(self, dataset: str) -> dict[str, Image]:
        """The image recipes in which cells are shown a dataset, by the suffix of their arrays."""
        own, others = self.study.datasets[dataset].image, strangers(self)
        shown = [cell.image for cell in self.cells if cell.dataset == dataset]
        beside = {n: [*self.transfers.get(n, []), *others.get(n, [])] for n in self.folds}
        there = [c for c in self.cells if dataset in [*beside.get(c.dataset, []), *c.train_on]]
        shown += [self.image_on(cell, dataset) for cell in there]
        return {
            array_suffix(image): msgspec.structs.replace(own, **image) for image in [{}, *shown]
        }

    def figures(self) -> list[str]:
        """Names of the report's figures: those asked for, or all that have something to show."""
        idle = idle_figures(self)
        every = [name for name in modules(FIGURES) if name not in idle]
        return list(self.study.report.figures) or every

    def tables(self) -> list[str]:
        """The tables of the report: all that there are, but those that nothing was asked for."""
        return [name for name in modules(TABLES) if name not in idle_tables(self)]

    def rows(self) -> list[str]:
        """The tables whose rows `table` writes; the others say whose file they are read from."""
        return [name for name in self.tables() if not declares(TABLES / f"{name}.py", "ROWS_OF")]

    def to_json(self) -> str:
        """The config as run, for `study.json`."""
        return json.dumps(self.config, sort_keys=True)

    @property
    def frozen(self) -> str:
        """The file to which a run copies its config: what its jobs read (cluster/run_config.py)."""
        name = hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
        return f"{FROZEN}/{name}.json"

    def check_files(self) -> list[str]:
        """`UserError` if what a run would read is not there, or is another study's; warnings."""
        for name in self.used():
            check_root(name, self.study.datasets[name])
        for cell in self.cells:
            source = self.study.weights.get(cell.init)
            if source != "timm" and file_of(source):
                check_start(cell.weights, f"weights.{cell.init}")
            package = getattr(source, "package", "")
            if package and not Path(cell.weights).is_file():
                check_installed(package, f"weights.{cell.init}")
        check_external_files(self.study.external)
        check_former_names(self, finished)
        studies = sorted(Path("results").glob("*/study.json"))
        warnings = [warning for path in studies for warning in check_shared(self, path)]
        return [*left_out(self), *warnings]


def finished(folder: str | Path, cell: Cell) -> bool:
    """True if `folder` has the cell's predictions, and a cell.json of the same identity."""
    folder = Path(folder)
    try:
        alike = same((folder / "cell.json").read_text("utf-8"), cell)
    except (OSError, UnicodeDecodeError):
        return False
    names = ("val", cell.dataset)
    return alike and all((folder / f"predictions/{name}.parquet").is_file() for name in names)
