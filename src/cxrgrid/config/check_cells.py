"""Checks of what the grid's axes, weights, overrides and recipes name and ask for."""

from cxrgrid.config.augmentation import changing
from cxrgrid.config.cell import Cell
from cxrgrid.config.check_dataset import POLICIES, check_ages, check_policies
from cxrgrid.config.check_starts import check_source
from cxrgrid.config.check_values import once
from cxrgrid.config.checks import TESTED, backbones, check_backbone, task_of
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.recipe import Recipe
from cxrgrid.config.source import Source
from cxrgrid.config.study import Block, Override, Study


def check_blocks(blocks: list[Block], study: Study, recipes: dict) -> None:
    """`UserError` if the grid has no block, or at the first name in one that is not known."""
    if not blocks:
        raise UserError("grid: an empty list makes no cell; give a grid, or several in a list")
    known_backbones = backbones()
    for block in blocks:
        check_block(block, study, recipes, known_backbones)


def check_block(block: Block, study: Study, recipes: dict, known_backbones: set[str]) -> None:
    """`UserError` at the first unknown name on the axes or under `weights:`."""
    for axis in ("datasets", "backbones", "inits", "recipes", "seeds"):
        if not getattr(block, axis):
            raise UserError(f"grid.{axis}: an empty list makes no cell; give one or more")
        once(getattr(block, axis), f"grid.{axis}")
    for name in block.datasets:
        known(name, study.datasets, "grid.datasets", "dataset")
    for name in block.backbones:
        check_backbone(name, known_backbones, "grid.backbones")
    for name in block.recipes:
        known(name, recipes, "grid.recipes", "recipe")
    for name in block.inits:
        if name != "scratch" and not study.weights:
            raise UserError(
                f"grid.inits: no {name!r} under weights; for published weights add "
                f"`weights: {{{name}: timm}}`"
            )
        known(name, ["scratch", *study.weights], "grid.inits", "init")
    for name, source in study.weights.items():
        if isinstance(source, Source):
            where = f"weights.{name}"
            check_source(source, where)
            if source.file or source.package:
                continue
            known(source.dataset, study.datasets, f"{where}.dataset", "dataset")
            known(source.recipe, recipes, f"{where}.recipe", "recipe")
            known(source.init, ["scratch", *study.weights], f"{where}.init", "init")
            if source.backbone:
                check_backbone(source.backbone, known_backbones, f"{where}.backbone")


def check_override(override: Override, cells: list[Cell], where: str) -> None:
    """`UserError` for an override that names a value that no cell has: a typo."""
    for axis in ("dataset", "backbone", "init", "recipe"):
        if wanted := getattr(override, axis):
            known(wanted, {getattr(cell, axis) for cell in cells}, f"{where}.{axis}", axis)


def file_of(source: str | Source | None) -> str:
    """Path of the file or folder that an entry of `weights:` names; empty if it names a cell."""
    return getattr(source, "file", source) or ""


LOSSES = {
    "multilabel": ("auto", "bce", "focal", "asymmetric", "logit_adjusted"),
    "multiclass": ("auto", "ce", "focal", "logit_adjusted"),
}


def check_recipe(recipe: Recipe, dataset: Dataset, where: str) -> None:
    """`UserError` at the first setting that this run could not use or would never reach."""
    if dataset.split.name == TESTED:
        raise UserError(
            f"{where}: split {TESTED!r} makes every image a test image, so that nothing can be "
            "trained; name the dataset under `transfer` alone"
        )
    check_task(recipe, task_of(dataset), where)
    check_training_part(recipe, dataset, where)
    check_schedule(recipe, where)
    check_head(recipe, where)
    if recipe.accumulate > recipe.batch_size:
        parts = f"{recipe.accumulate} parts of {recipe.batch_size} images"
        raise UserError(f"{where}: accumulate: {parts}; at most batch_size")
    if recipe.freeze_epochs and recipe.train == "head":
        raise UserError(f"{where}: train: head never unfreezes; leave out freeze_epochs")
    if recipe.freeze_epochs >= recipe.epochs:
        raise UserError(f"{where}: freeze_epochs {recipe.freeze_epochs} {run(recipe)}")


# What a classifier that is fitted at once has no use for, beside its augmentation.
OF_STEPS = ("loss", "label_smoothing", "sampling", "dataset_sampling", "steps_per_epoch")
OF_STEPS += ("ema_decay", "compile", "patience")


def check_head(recipe: Recipe, where: str) -> None:
    """`UserError` for a fitted classifier with settings that it could not use."""
    if recipe.head == "linear":
        return
    if recipe.train != "head":
        raise UserError(f"{where}: head: {recipe.head} is for a frozen network; set train: head")
    usual = Recipe()
    names = changing(recipe)
    names += [name for name in OF_STEPS if getattr(recipe, name) != getattr(usual, name)]
    if names:
        raise UserError(
            f"{where}: head: {recipe.head} is fitted once, to the images as they are, and has no "
            f"use for {', '.join(names)}; leave out what is not needed, or set head: linear"
        )


def check_training_part(recipe: Recipe, dataset: Dataset, where: str) -> None:
    """A label policy of the recipe's own, and the filter of who is trained on."""
    policies = {name: getattr(recipe, name) for name in POLICIES}
    if any(policies.values()) and task_of(dataset) == "multiclass":
        raise UserError(f"{where}: uncertain and blank are for task: multilabel; leave them out")
    if recipe.blank == "auto":
        raise UserError(f"{where}: blank: absent or ignore; leave it out for the dataset's own")
    check_policies(where, policies, dataset, empty=True)
    check_ages(f"{where}: train_where", recipe.train_where.age)


def check_task(recipe: Recipe, task: str, where: str) -> None:
    """`UserError` unless loss and monitor are defined for the task."""
    if recipe.loss not in LOSSES[task]:
        raise UserError(
            f"{where}: loss {recipe.loss!r} is not for {task}; choose {', '.join(LOSSES[task])}"
        )
    if recipe.monitor == "accuracy" and task == "multilabel":
        raise UserError(
            f"{where}: monitor 'accuracy' rewards calling every label absent; "
            "choose balanced_accuracy, auroc, ap, f1, sensitivity or loss"
        )


def check_schedule(recipe: Recipe, where: str) -> None:
    """`UserError` unless the schedule's periods end within the run and min_lr is below lr."""
    left = recipe.epochs - recipe.warmup_epochs
    if left <= 0:
        raise UserError(f"{where}: warmup_epochs {recipe.warmup_epochs:g} {run(recipe)}")
    if recipe.min_lr >= recipe.lr:
        raise UserError(f"{where}: min_lr {recipe.min_lr:g} is not below lr {recipe.lr:g}")
    if recipe.schedule == "restarts" and recipe.restart_epochs > left:
        raise UserError(f"{where}: restart_epochs {recipe.restart_epochs} {run(recipe)}")
    if recipe.schedule == "step" and recipe.step_epochs >= left:
        raise UserError(f"{where}: step_epochs {recipe.step_epochs} {run(recipe)}")
    if recipe.schedule == "plateau" and recipe.plateau_epochs + 1 >= left:
        raise UserError(f"{where}: plateau_epochs {recipe.plateau_epochs} {run(recipe)}")
    if recipe.schedule == "onecycle" and recipe.warmup_epochs:
        raise UserError(
            f"{where}: onecycle warms up by itself (pct_start); leave out warmup_epochs"
        )


def run(recipe: Recipe) -> str:
    """Second half of the error for a period that is longer than the run."""
    warmup = f" with {recipe.warmup_epochs:g} of warm-up" if recipe.warmup_epochs else ""
    return f"outlasts the run of {recipe.epochs} epochs{warmup}; choose fewer, or more epochs"
