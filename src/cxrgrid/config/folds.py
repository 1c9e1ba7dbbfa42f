"""Folds of each dataset that the grid tests in turn."""

from cxrgrid.config.cell import fold_folder
from cxrgrid.config.errors import UserError
from cxrgrid.config.study import Block, Study

SINGLE = (0,)  # of a dataset that the grid does not cross-validate


def study_folds(study: Study, blocks: list[Block]) -> dict[str, tuple[int, ...]]:
    """{dataset: numbers of its tested folds}; SINGLE where it has one split.

    `UserError` for folds that a dataset does not have, or that differ between blocks.
    """
    found: dict[str, tuple[int, ...]] = dict.fromkeys(study.datasets, SINGLE)
    asked: dict[str, tuple[int, ...]] = {}
    for block in blocks:
        folds = block_folds(block, study)
        for name in block.datasets:
            if asked.setdefault(name, folds[name]) != folds[name]:
                raise UserError(
                    f"grid.folds: {name} has the folds {words(asked[name])} in one block and "
                    f"{words(folds[name])} in another; its configurations are compared on the same "
                    "patients: give all its blocks the same `folds`"
                )
    return found | asked


def block_folds(block: Block, study: Study) -> dict[str, tuple[int, ...]]:
    """The folds of each dataset of a block."""
    splits = {name: study.datasets[name].split for name in block.datasets}
    if block.folds and not any(split.folds for split in splits.values()):
        raise UserError(
            f"grid.folds: no dataset of the block has folds ({', '.join(splits)}); set "
            f"datasets.{block.datasets[0]}.split.folds: 5, or leave grid.folds out"
        )
    found = {}
    for name, split in splits.items():
        if not block.folds or not split.folds:
            found[name] = SINGLE
            continue
        if split.fold:
            raise UserError(
                f"datasets.{name}.split.fold: grid.folds names the tested folds; leave it out"
            )
        folds = tuple(range(split.folds)) if block.folds == "all" else tuple(sorted(block.folds))
        check_numbers(folds, split.folds, name)
        found[name] = folds
    return found


def check_numbers(folds: tuple[int, ...], many: int, dataset: str) -> None:
    """`UserError` for a fold twice, or one that a dataset does not have."""
    if folds[-1] >= many:
        raise UserError(
            f"grid.folds: no fold {folds[-1]} of {dataset}; it has {many}, numbered 0 to {many - 1}"
        )
    if len(set(folds)) < len(folds):
        raise UserError(f"grid.folds: {words(folds)} names a fold twice")


def words(folds: tuple[int, ...]) -> str:
    """Numbers of folds for a message: `0, 1, 2`."""
    return ", ".join(map(str, folds))


def divisions(folds: dict[str, tuple[int, ...]], dataset: str) -> list[str]:
    """Folders of a dataset's table.parquet and audit.json, one per tested fold."""
    return [f"results/data/{dataset}{fold_folder(fold)}" for fold in folds[dataset]]
