"""From a config to the cells of its grid: every value checked, with the nearest valid name.

`config.yaml` → `Grid(config)` → `Cell` → `cell.json`. The Snakefile does this at every parse, in
each job again: no torch, no pandas, no timm here.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.check_cells import check_block, check_override, file_of
from cxrgrid.config.check_dataset import check_selection
from cxrgrid.config.check_files import check_external_files, check_root, check_shared
from cxrgrid.config.check_recipe import check_recipe
from cxrgrid.config.check_report import check_external, check_report, idle_figures
from cxrgrid.config.checks import (
    FIGURES,
    UserError,
    backbones,
    check_recipes,
    check_study,
    checked,
    known,
    modules,
    suggest,
    task_of,
)
from cxrgrid.config.transfers import transfers
from cxrgrid.settings import Block, Cell, Dataset, Override

OFF = {"files": None, "folds": 0, "fold": 0}  # options of a split that are off
CELL = "{dataset}/{backbone}/{init}/{recipe}/seed{seed}"


class Grid:
    """A study, checked whole: `UserError` at the first value that no run could use.

    Attributes: `study` (the settings), `cells` (all of them, in the order of the axes, then the
    cells that others start from), `transfers` (for each dataset that is trained on, the others on
    which its cells are tested).
    """

    AXES = ("dataset", "backbone", "init", "recipe", "seed")

    def __init__(self, config: dict[str, Any]):
        self.config = dict(config)
        # Not a setting of the study: asks for a report on what is there (see Snakefile, onerror).
        self.incomplete = bool(self.config.pop("incomplete", False))
        check_report(self.config.get("report", {}))
        check_external(self.config.get("external"), self.config.get("datasets", {}))
        self.study = check_study(self.config)
        for name, dataset in self.study.datasets.items():
            check_selection(name, dataset)
        self.name = self.study.study
        self.recipes = check_recipes(self.study)
        known_backbones = backbones()
        for block in self.blocks():
            check_block(block, self.study, self.recipes, known_backbones)
        self.by_path: dict[str, Cell] = {}
        for block in self.blocks():
            for point in itertools.product(
                block.datasets, block.backbones, block.inits, block.recipes, block.seeds
            ):
                self.add(*point, path=())
        self.cells = list(self.by_path.values())
        for number, override in enumerate(self.study.overrides):
            check_override(override, self.cells, f"overrides[{number}]")
        sources = list(dict.fromkeys(cell.dataset for cell in self.cells))
        self.transfers = transfers(self.study, sources)

    def blocks(self) -> list[Block]:
        """The grid's blocks: one, or a list."""
        return self.study.grid if isinstance(self.study.grid, list) else [self.study.grid]

    def add(
        self, dataset: str, backbone: str, init: str, recipe: str, seed: int, path: tuple
    ) -> Cell:
        """Resolve one cell, and first the cell that it starts from."""
        where = f"{dataset}/{backbone}/{init}/{recipe}/seed{seed}"
        if where in path:
            raise UserError(f"weights.{init}: the cell {where} would start from itself")
        if where not in self.by_path:
            weights = self.start(dataset, backbone, init, seed, (*path, where))
            settings = msgspec.structs.asdict(self.recipes[recipe])
            for override in self.study.overrides:
                if matches(override, dataset, backbone, init, recipe):
                    settings |= override.set
            cell = checked(
                {
                    **settings,
                    "study": self.name,
                    "dataset": dataset,
                    "backbone": backbone,
                    "init": init,
                    "recipe": recipe,
                    "seed": seed,
                    "weights": weights,
                    "weights_sha256": getattr(self.study.weights.get(init), "sha256", ""),
                },
                Cell,
                f"cell {where}",
            )
            check_recipe(cell, task_of(self.study.datasets[dataset]), f"cell {where}")
            self.by_path[where] = cell
        return self.by_path[where]

    def start(self, dataset: str, backbone: str, init: str, seed: int, path: tuple) -> str:
        """The weights file of an init; empty for scratch."""
        if init == "scratch":
            return ""
        source = self.study.weights[init]
        if source == "timm":
            return f"results/weights/{backbone}.safetensors"
        if file := file_of(source):
            file = file.replace("{backbone}", backbone)
            return file if file.endswith(".safetensors") else f"{file}/{backbone}.safetensors"
        start = self.add(
            source.dataset,
            source.backbone or backbone,
            source.init,
            source.recipe,
            seed if source.seed is None else source.seed,
            path,
        )
        return f"{self.folder(start)}/model.safetensors"

    # What the rules ask for. Each takes Snakemake's wildcards, so that a rule names it as it is.

    def named(self, wildcards: Any) -> Cell:
        """The cell that the wildcards name."""
        where = CELL.format_map(vars(wildcards))
        if where not in self.by_path:
            # Only a path typed by hand gets here. Snakemake would show a traceback of a UserError.
            near = suggest(where, list(self.by_path))
            sys.exit(f"error: the study {self.name!r} has no cell {where}; {near}")
        return self.by_path[where]

    def cell(self, wildcards: Any) -> str:
        """`cell.json` of the cell that the wildcards name."""
        return msgspec.json.encode(self.named(wildcards)).decode()

    def weights(self, wildcards: Any) -> list[str]:
        """The weights file that the cell starts from, if any."""
        weights = self.named(wildcards).weights
        return [weights] if weights else []

    def dataset(self, wildcards: Any) -> Dataset:
        """The settings of the dataset that the wildcards name."""
        known(wildcards.dataset, self.study.datasets, "datasets", "dataset")
        return self.study.datasets[wildcards.dataset]

    def phantom(self, wildcards: Any) -> str:
        """What `phantom` needs: the adapter and the cohort."""
        dataset = self.dataset(wildcards)
        if dataset.phantom is None:
            raise UserError(f"datasets.{wildcards.dataset}: has no `phantom` to draw")
        return to_json(dataset.phantom, adapter=dataset.adapter)

    def drawn(self, wildcards: Any) -> list[str]:
        """The folder of the phantom, for a dataset that is one."""
        dataset = self.dataset(wildcards)
        return [f"results/data/{wildcards.dataset}/phantom"] if dataset.phantom else []

    def index(self, wildcards: Any) -> str:
        """What `index` needs: where the images lie and what the labels are."""
        dataset = self.dataset(wildcards)
        root = self.drawn(wildcards)[0] if dataset.phantom else dataset.root
        names = ("adapter", "labels", "task", "patient", "columns")
        settings = {name: getattr(dataset, name) for name in names}
        return to_json(settings | dataset.taken(), dataset=wildcards.dataset, root=root)

    def image(self, wildcards: Any) -> str:
        """What `pixels` needs: the image recipe, and how many may be unreadable."""
        dataset = self.dataset(wildcards)
        return to_json(dataset.image, unreadable=dataset.unreadable)

    def split(self, wildcards: Any) -> str:
        """What `split` needs; without options that are off, so that a new one reruns nothing."""
        settings = msgspec.to_builtins(self.dataset(wildcards).split)
        off = {name for name, value in OFF.items() if settings[name] == value}
        return to_json({name: settings[name] for name in settings if name not in off})

    def lists(self, wildcards: Any) -> list[str]:
        """The user's own files that list the split of a dataset."""
        files = self.dataset(wildcards).split.files
        return files.paths() if files else []

    def predictions(self, wildcards: Any) -> list[str]:
        """The cells' predictions on the target, and on their own validation images."""
        return [
            f"{self.folder(cell)}/predictions/{name}.parquet"
            for cell in self.cells
            if cell.dataset == wildcards.target
            and (not self.incomplete or finished(self.folder(cell), cell))
            for name in ("val", cell.dataset)
        ]

    def transferred(self, wildcards: Any) -> list[str]:
        """What cells of other datasets say of the target, and which test images they know."""
        found = [path for path, target in self.across() if target == wildcards.target]
        return [f"results/{self.name}/overlap.parquet", *found] if found else []

    def across(self) -> list[tuple[str, str]]:
        """The predictions of cells on other datasets, with these; of an incomplete run what is."""
        pairs = [(c, target) for c in self.cells for target in self.transfers.get(c.dataset, [])]
        paths = [(f"{self.folder(c)}/transfer/{target}.parquet", target) for c, target in pairs]
        return [pair for pair in paths if not self.incomplete or Path(pair[0]).is_file()]

    def external(self, wildcards: Any) -> list[str]:
        """The files of the models from elsewhere that the target has."""
        models = [m for m in self.study.external.values() if m.dataset == wildcards.target]
        return [path for model in models for path in model.files()]

    def folder(self, cell: Cell) -> str:
        """Where the cell's files lie."""
        return f"results/{self.name}/cells/{cell.path()}"

    def targets(self) -> list[str]:
        """The datasets on whose test images cells are scored, in the order of the cells."""
        cells = [c for c in self.cells if not self.incomplete or finished(self.folder(c), c)]
        return list(dict.fromkeys(cell.dataset for cell in cells))

    def tested(self) -> list[str]:
        """The datasets on whose test images anything is scored: `targets`, then the others."""
        return list(dict.fromkeys([*self.targets(), *(target for _, target in self.across())]))

    def figures(self) -> list[str]:
        """The figures that the report shows: those asked for, or all that have what to show."""
        idle = idle_figures(self)
        every = [name for name in modules(FIGURES) if name not in idle]
        return list(self.study.report.figures) or every

    def to_json(self) -> str:
        """The config as run, for `study.json`."""
        return json.dumps(self.config, sort_keys=True)

    def leakage(self, wildcards: Any) -> str:
        """The flag with which `audit` lets a patient stand in two splits, if the config says so."""
        return "--allow-leakage" if self.dataset(wildcards).allow_leakage else ""

    def check_files(self) -> None:
        """`UserError` if what a run would read is not there, or is another study's."""
        for name in self.tested():
            check_root(name, self.study.datasets[name])
        for cell in self.cells:
            source = self.study.weights.get(cell.init)
            if source != "timm" and file_of(source) and not Path(cell.weights).is_file():
                raise UserError(f"weights.{cell.init}: no file {cell.weights!r}")
        check_external_files(self.study.external)
        for path in sorted(Path("results").glob("*/study.json")):
            check_shared(self, path)


def finished(folder: str | Path, cell: Cell) -> bool:
    """Whether the cell's predictions lie in `folder`, made with just these settings."""
    folder = Path(folder)
    try:
        same = msgspec.json.decode((folder / "cell.json").read_bytes(), type=Cell) == cell
    except (OSError, msgspec.DecodeError):
        return False
    names = ("val", cell.dataset)
    return same and all((folder / f"predictions/{name}.parquet").is_file() for name in names)


def to_json(settings: Any, **more: Any) -> str:
    """Settings as one line of JSON, keys in a fixed order: what a printed command carries."""
    plain = msgspec.to_builtins(settings)
    return json.dumps({**more, **plain})


def matches(override: Override, dataset: str, backbone: str, init: str, recipe: str) -> bool:
    """Whether an override reaches a cell."""
    axes = ((override.dataset, dataset), (override.backbone, backbone))
    axes += ((override.init, init), (override.recipe, recipe))
    return all(wanted in ("", value) for wanted, value in axes)
