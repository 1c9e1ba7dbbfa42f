"""Settings, inputs and flags of Snakemake's rules, from a grid and the wildcards."""

import json
import shlex
import sys
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from cxrgrid.config.cell import Cell
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.folds import divisions
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.identity import Nothing, Unrecorded, another, command_text
from cxrgrid.config.image_settings import said_flag
from cxrgrid.config.label_names import labels_of, same_labels
from cxrgrid.config.pooling import (
    compared,
    division,
    pool_file,
    pool_path,
    read_by,
    training_arrays,
)
from cxrgrid.config.preparation import array_suffix
from cxrgrid.config.steps import indexing, step
from cxrgrid.config.wildcards import named, quick


@quick
class Rules:
    """Input and parameter functions of one grid's rules; each takes Snakemake's wildcards.

    recorded: returns the params that Snakemake has recorded for a file. A command's settings are
    compared with them by identity, so that a result with the same settings is not made again.
    ancient: Snakemake's mark of an input that only has to be there, whatever its age.
    changed: datasets that are to be read again, as their files have changed.
    remember: called with each cell and its folder (cluster/other_settings.py).
    local: Snakemake's mark of a file that lies here, wherever the results do.
    """

    def __init__(
        self,
        grid: Grid,
        recorded: Callable[[str], list[str]],
        ancient: Callable[[str], str] = str,
        changed: Collection[str] = (),
        remember: Callable[[Cell, str], None] = lambda cell, folder: None,
        local: Callable[[str], str] = str,
    ):
        self.grid, self.recorded, self.ancient = grid, recorded, ancient
        self.changed, self.remember, self.local = changed, remember, local
        self.study = Unrecorded(grid.frozen)  # a param: in a rule's text, each edit would change it

    def settings(self, settings: msgspec.Struct, output: str) -> str:
        """JSON of a command's settings; output: a file that the command makes."""
        return command_text(settings, self.recorded(output))

    def config(self, wildcards: Any) -> str:
        """Path of the run's copy of its config; the config itself, if that is what is recorded."""
        whole = self.grid.to_json()
        known_as = self.recorded(f"results/{self.grid.name}/study.json")
        return whole if whole in known_as else self.grid.frozen

    def cell(self, wildcards: Any) -> str:
        """Settings of the cell that the wildcards name."""
        cell = named(self.grid, wildcards)
        return self.settings(cell, f"{self.grid.folder(cell)}/cell.json")

    def dataset(self, wildcards: Any) -> Dataset:
        """The settings of the dataset that the wildcards name."""
        known(wildcards.dataset, self.grid.study.datasets, "datasets", "dataset")
        return self.grid.study.datasets[wildcards.dataset]

    def phantom(self, wildcards: Any) -> str:
        """Settings of `phantom`: the adapter and the cohort."""
        dataset = self.dataset(wildcards)
        if dataset.phantom is None:
            raise UserError(f"datasets.{wildcards.dataset}: has no `phantom` to draw")
        settings = step("phantom", dataset.phantom, adapter=dataset.adapter)
        return self.settings(settings, self.drawn(wildcards)[0])

    def drawn(self, wildcards: Any) -> list[str]:
        """Folder of the phantom, if the dataset is one."""
        dataset = self.dataset(wildcards)
        root = f"results/data/{wildcards.dataset}/phantom"
        return [self.local(root)] if dataset.phantom else []

    def index(self, wildcards: Any) -> str:
        """Settings of `index`: the folder of the images, and the labels."""
        dataset = self.dataset(wildcards)
        root = str(self.drawn(wildcards)[0]) if dataset.phantom else dataset.root
        settings = indexing(wildcards.dataset, dataset, root)
        text = self.settings(settings, f"results/data/{wildcards.dataset}/index.parquet")
        # Another text of the same settings: Snakemake makes again what was made with the other.
        return another(text) if wildcards.dataset in self.changed else text

    def image(self, wildcards: Any) -> str:
        """Settings of `pixels`: the image recipe of an array."""
        dataset = self.dataset(wildcards)
        recipes = self.grid.arrays(wildcards.dataset)
        if wildcards.image not in recipes:
            names = ", ".join(f"pixels{suffix}.npy" for suffix in recipes)
            sys.exit(
                f"error: the study {self.grid.name!r} has no use for pixels{wildcards.image}.npy "
                f"of {wildcards.dataset}; its cells ask for {names}"
            )
        bad = {"unreadable": dataset.unreadable, "suspicious": dataset.suspicious}
        settings = step("pixels", recipes[wildcards.image], **bad)
        return self.settings(
            settings, f"results/data/{wildcards.dataset}/pixels{wildcards.image}.npy"
        )

    def readable(self, wildcards: Any) -> list[str]:
        """For an array with other image settings: the file that says which images are readable."""
        return [f"results/data/{wildcards.dataset}/pixels.parquet"] if wildcards.image else []

    def pixels(self, wildcards: Any) -> str:
        """The array that a cell is trained on, or is shown of the target in the wildcards."""
        cell = named(self.grid, wildcards)
        dataset = getattr(wildcards, "target", cell.dataset)
        suffix = array_suffix(self.grid.image_on(cell, dataset))
        return f"results/data/{dataset}/pixels{suffix}.npy"

    def training(self, wildcards: Any) -> dict[str, list[str]]:
        """A training's files: the tables of the datasets that it reads and its arrays of pixels, of
        each its own dataset's first; the weights that it starts from, if any; and of a cell that
        pools datasets the file of images that it may not train on: what a later test set shares
        with the training images, `score` leaves out, so that nothing trains again for it.
        """
        cell = named(self.grid, wildcards)
        self.remember(cell, self.grid.folder(cell))
        return {
            "tables": [f"{folder}/table.parquet" for folder in self.training_folders(wildcards)],
            "pixels": training_arrays(self.grid, cell),
            "weights": [self.given(cell.weights)] if cell.weights else [],
            "pool": [self.ancient(path) for path in self.pool(wildcards)],
        }

    def training_folders(self, wildcards: Any) -> list[str]:
        """The folders of those tables."""
        cell = named(self.grid, wildcards)
        return [division(self.grid, cell, name) for name in read_by(cell)]

    def pool(self, wildcards: Any) -> list[str]:
        """The file of images that the cell may not train on, if it pools datasets."""
        pool = pool_file(self.grid, named(self.grid, wildcards))
        return [pool] if pool else []

    def data(self, wildcards: Any, input: Any) -> str:
        """The folders that a training reads, and the flags with its pool file and its weights.

        All of them where Snakemake has put them: of results in a storage, copies.
        """
        folders = [path.rpartition("/")[0] for path in input.tables]
        flags = [f"--pool {path}" for path in input.pool]
        moved = [path for path in input.weights if path != named(self.grid, wildcards).weights]
        return " ".join([*folders, *flags, *(f"--weights {path}" for path in moved)])

    def pooled(self, wildcards: Any) -> tuple[list[str], list[str]]:
        """`pooling.compared` of the pool that the wildcards name."""
        path = pool_path(self.grid, wildcards.pool, wildcards.fold)
        found = compared(self.grid, path)
        if not found[0]:
            sys.exit(f"error: no cell of the study {self.grid.name!r} asks for {path}")
        return found

    def pool_tables(self, wildcards: Any) -> list[str]:
        """Tables of the datasets that a pool compares."""
        return [f"{folder}/table.parquet" for folder in self.pooled(wildcards)[1]]

    def pool_hashes(self, wildcards: Any) -> list[str]:
        """Perceptual hashes of the datasets that a pool compares."""
        return [f"{folder}/hashes.npy" for folder in self.pooled(wildcards)[1]]

    def pool_folders(self, wildcards: Any, input: Any) -> str:
        """Folders of the datasets that are pooled, and the flag with those that are tested."""
        trained, _ = self.pooled(wildcards)
        tested = [path.rpartition("/")[0] for path in input.tables]  # the pooled ones first
        return " ".join([*tested[: len(trained)], "--tested", *tested])

    def split(self, wildcards: Any) -> str:
        """Settings of `split`: of the dataset's own fold, or of the one in the wildcards."""
        split = self.dataset(wildcards).split
        if wildcards.fold:
            fold = int(wildcards.fold.removeprefix("/fold"))
            if fold not in self.grid.folds[wildcards.dataset]:
                sys.exit(
                    f"error: the study {self.grid.name!r} does not test fold {fold} of "
                    f"{wildcards.dataset}; see grid.folds"
                )
            split = msgspec.structs.replace(split, fold=fold)
        table = f"results/data/{wildcards.dataset}{wildcards.fold}/table.parquet"
        return self.settings(step("split", split), table)

    def tables(self, wildcards: Any) -> list[str]:
        """The target's table.parquet, one per tested fold."""
        return [
            f"{folder}/table.parquet" for folder in divisions(self.grid.folds, wildcards.target)
        ]

    def divisions(self) -> list[str]:
        """`folds.divisions` of all datasets that the study reads."""
        return [f for name in self.grid.used() for f in divisions(self.grid.folds, name)]

    def audits(self, wildcards: Any) -> list[str]:
        """The target's audit.json, one per tested fold."""
        return [f"{folder}/audit.json" for folder in divisions(self.grid.folds, wildcards.target)]

    def lists(self, wildcards: Any) -> list[str]:
        """The user's own files that list the split of a dataset."""
        files = self.dataset(wildcards).split.files
        return [self.given(path) for path in files.paths()] if files else []

    def interval(self, wildcards: Any) -> str:
        """Kind of interval of the scores; a default, unlike a setting, stands in no study.json."""
        return self.grid.study.report.interval

    def predictions(self, wildcards: Any) -> list[str]:
        """Paths of the cells' predictions on the target and on their own validation images."""
        return [
            f"{self.grid.folder(cell)}/predictions/{name}.parquet"
            for cell in self.grid.cells
            if cell.dataset == wildcards.target
            and (not self.grid.incomplete or finished(self.grid.folder(cell), cell))
            for name in ("val", cell.dataset)
        ]

    def transferred(self, wildcards: Any) -> list[str]:
        """Paths of the predictions on the target by other datasets' cells, and of the overlaps."""
        found = [path for path, target in self.grid.across() if target == wildcards.target]
        return [f"results/{self.grid.name}/overlap.parquet", *found] if found else []

    def same(self, wildcards: Any) -> str | Nothing:
        """Flags of `predict`: the labels that both share, where not all go by one name; and the
        image settings that the recipe says of the target too.
        """
        cell, target = named(self.grid, wildcards), wildcards.target
        source, said = cell.dataset, said_flag(self.grid, cell, [target])
        datasets = self.grid.study.datasets
        same = same_labels(source, target, datasets)
        ours, theirs = labels_of(datasets[source]), labels_of(datasets[target])
        if same == {label: label for label in theirs if label in ours}:
            return said or Nothing()
        return f"--same {shlex.quote(json.dumps(same))} {said}".rstrip()

    def external(self, wildcards: Any) -> list[str]:
        """Paths of the target's predictions by external models."""
        models = [m for m in self.grid.study.external.values() if m.dataset == wildcards.target]
        return [self.given(path) for model in models for path in model.files()]

    def tests(self, wildcards: Any) -> list[str]:
        """Paths of the files that list the images of the target's test sets."""
        tests = self.grid.study.datasets[wildcards.target].tests
        return [self.given(one.files) for one in tests.values() if one.files]

    def given(self, path: str) -> str:
        """A path of the config: of what no rule makes, marked as a file of the user's own."""
        return path if path.startswith("results/") else self.local(path)

    def leakage(self, wildcards: Any) -> str:
        """Flag with which `audit` accepts patients in two splits, if the config allows that."""
        return "--allow-leakage" if self.dataset(wildcards).allow_leakage else ""
