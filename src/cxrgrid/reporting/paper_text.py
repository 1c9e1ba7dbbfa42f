"""Text for a paper, from the study's settings and results: a methods section and captions.

Only what the settings say and the files hold: the study's aim, its clinical setting and the
approval of an ethics board are the authors' to add.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from cxrgrid.config.cell import Cell
from cxrgrid.config.checks import task_of
from cxrgrid.config.operating_points import Target
from cxrgrid.config.study import Source
from cxrgrid.evaluation.wording import many, whole
from cxrgrid.io.atomic import write_text
from cxrgrid.reporting import nested_choice
from cxrgrid.reporting.markdown import escape
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import Table

LOSSES = {"bce": "binary cross-entropy", "ce": "cross-entropy"}
LOSSES |= {"focal": "focal loss (Lin et al. 2017)"}
LOSSES |= {"asymmetric": "asymmetric loss (Ridnik et al. 2021)"}
LOSSES |= {"logit_adjusted": "logit-adjusted loss (Menon et al. 2021)"}
SCHEDULES = {"constant": "constant", "cosine": "decayed along a cosine"}
SCHEDULES |= {"restarts": "decayed along a cosine with restarts", "step": "decayed in steps"}
SCHEDULES |= {"plateau": "decayed when validation stopped improving"}
SCHEDULES |= {"onecycle": "varied by the one-cycle policy (Smith)"}
# Augmentations: setting, its text, and the factor from its value to the number that is shown.
AUGMENTED = {
    "rotate": ("rotation by up to {:g}°", 1),
    "shear": ("shearing by up to {:g}°", 1),
    "shift": ("shifts by up to {:g} % of the side", 100),
    "scale": ("scaling by up to {:g} %", 100),
    "brightness": ("changes of brightness by up to {:g} % of the grey range", 100),
    "contrast": ("changes of contrast by up to {:g} %", 100),
    "noise": ("Gaussian noise with a standard deviation of up to {:g} % of the grey range", 100),
    "erasing": ("erasing of a rectangle with probability {:g}", 1),
    "mixup": ("mixup (alpha {:g})", 1),
}
INTERVALS = {
    "percentile": "95 % percentile intervals over {:,} bootstrap resamples of patients",
    "bca": "95 % BCa intervals over {:,} bootstrap resamples of patients",
    "wilson": "95 % Wilson intervals, moderated for the correlation of images of one patient",
}
SPLITS = {"patient": "split by patient, stratified by label,", "image": "split by image"}


def write(frames: Frames, tables: dict[str, Table], figures: dict[str, dict], out: Path) -> None:
    """Write methods.md, methods.tex and captions.md to the report's folder."""
    parts = methods(frames)
    text = "\n\n".join(f"**{title}.** {words}" for title, words in parts)
    write_text(out / "methods.md", f"{text}\n")
    text = "\n\n".join(rf"\paragraph{{{escape(title)}.}} {escape(words)}" for title, words in parts)
    write_text(out / "methods.tex", f"{text}\n")
    write_text(out / "captions.md", "\n\n".join(captions(tables, figures)) + "\n")


def methods(frames: Frames) -> list[tuple[str, str]]:
    """(heading, text) of each paragraph of a methods section."""
    return [
        ("Data", " ".join(dataset(name, frames) for name in frames.facts)),
        ("Models and training", " ".join(training(frames))),
        ("Evaluation", " ".join(evaluation(frames))),
        ("Software", software(frames)),
    ]


def listed(words: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def dataset(name: str, frames: Frames) -> str:
    """Images, patients, parts, labels and pixels of a dataset."""
    settings, facts = frames.grid.study.datasets[name], frames.facts[name]
    rows = frames.counts[frames.counts["dataset"] == name].drop_duplicates("split")
    images = {row.split: int(row.images) for row in rows.itertuples()}
    kept = facts["accounting"][-1]
    said = f"The dataset {name} had {kept['images']:,} images of {kept['patients']:,} patients"
    said += ", all of them drawn phantoms." if settings.phantom else "."
    folds = len({cell.fold for cell in frames.grid.cells if cell.dataset == name})
    if folds > 1:
        said += f" It was cross-validated in {folds} folds of patients."
    else:
        way = SPLITS.get(facts["split"], f"split by the list {facts['split']!r}")
        numbers = [f"{images.get(part, 0):,}" for part in ("train", "val", "test")]
        said += f" It was {way} into {numbers[0]} images for training, {numbers[1]} for validation"
        said += f" and {numbers[2]} for testing."
    if facts.get("leakage"):
        said += " Some patients were in more than one of these parts."
    if name in frames.grid.sources():
        said += " It was used for pretraining only."
    noun = "mutually exclusive classes" if facts["task"] == "multiclass" else "labels"
    said += f" Its {noun} were {listed([label.replace('_', ' ') for label in facts['labels']])}."
    said += "".join(f" {note}" for note in facts.get("policy", {}).get("notes", []))
    side = facts["image"]["size"] if "image" in facts else settings.image.size
    return f"{said} Images were converted to {side} × {side} pixels of 256 grey levels."


def training(frames: Frames) -> list[str]:
    """Sentences on backbones, initial weights and each recipe."""
    cells = frames.grid.cells
    sizes = frames.cells.groupby("backbone", sort=False)["parameters"].first()
    names = [
        f"{name} ({size / 1e6:.1f} million parameters)" if pd.notna(size) else name
        for name, size in sizes.items()
    ]
    inits = [start(name, frames) for name in dict.fromkeys(cell.init for cell in cells)]
    said = [f"The networks were {listed(names)}, as implemented in timm."]
    said += [f"Initial weights were {listed(inits, 'or')}."]
    bases: dict[str, list[Cell]] = {}
    for cell in cells:
        bases.setdefault(frames.grid.levels[cell.recipe]["recipe"], []).append(cell)
    said += [recipe(name, own, frames) for name, own in bases.items()]
    said += [f"Varied were {listed(found)}." for found in [varied(frames)] if found]
    replicates = many(len({cell.seed for cell in cells}), "seed")
    return [*said, f"Each configuration was trained with {replicates}."]


def start(init: str, frames: Frames) -> str:
    """An init in words."""
    source = frames.grid.study.weights.get(init)
    if init == "scratch":
        return "random"
    if isinstance(source, Source) and source.dataset:
        return f"those of the same network trained on {source.dataset} ({init})"
    if source == "timm":
        return f"the published ones of timm ({init})"
    return f"those of a checkpoint ({init})"


def recipe(name: str, cells: list[Cell], frames: Frames) -> str:
    """The settings of a recipe, as the first of its cells has them."""
    cell = cells[0]
    tasks = {task_of(frames.grid.study.datasets[each.dataset]) for each in cells}
    auto = [LOSSES["ce" if task == "multiclass" else "bce"] for task in sorted(tasks, reverse=True)]
    loss = listed(auto, "or") if cell.loss == "auto" else LOSSES[cell.loss]
    epochs = "epoch" if cell.warmup_epochs == 1 else "epochs"
    warm = f"warmed up over {cell.warmup_epochs:g} {epochs} and then " if cell.warmup_epochs else ""
    end = f", stopping after {cell.patience} epochs without improvement" if cell.patience else ""
    most = "up to " if cell.patience else ""
    only = "the classifier alone was" if cell.train == "head" else "networks were"
    better = (
        "lowest validation loss" if cell.monitor == "loss" else f"best validation {cell.monitor}"
    )
    said = (
        f"With the recipe {name}, {only} trained for {most}{cell.epochs} epochs{end} with the "
        f"optimiser {cell.optimizer} (batch size {cell.batch_size}, peak learning rate "
        f"{cell.lr:g}, {warm}{SCHEDULES[cell.schedule]}, weight decay {cell.weight_decay:g}), "
        f"minimising {loss}."
    )
    changes = [
        text.format(getattr(cell, setting) * factor)
        for setting, (text, factor) in AUGMENTED.items()
        if getattr(cell, setting)
    ]
    changes += ["mirroring"] if cell.hflip else []
    changes += [f"random crops of at least {cell.crop:.0%} of the area"] if cell.crop < 1 else []
    said += f" Augmentation: {listed(changes)}." if changes else " There was no augmentation."
    return f"{said} The weights of the epoch with the {better.replace('auroc', 'AUROC')} were used."


def varied(frames: Frames) -> list[str]:
    """Factors of the recipes with their levels: `lr (0.001, 0.0003)`."""
    used = {cell.recipe for cell in frames.grid.cells}
    levels = pd.DataFrame([frames.grid.levels[name] for name in sorted(used)]).drop(
        columns="recipe"
    )
    found = {factor: list(dict.fromkeys(filter(None, levels[factor]))) for factor in levels}
    return [f"{factor} ({', '.join(text)})" for factor, text in found.items() if len(text) > 1]


def evaluation(frames: Frames) -> list[str]:
    """Sentences on metric, thresholds, intervals and comparisons."""
    report = frames.grid.study.report
    kind = INTERVALS[report.interval].format(report.resamples)
    said = [f"The primary metric was {frames.metric_name}, averaged over labels."]
    points = [point(one) for one in report.operating_points]
    said += [
        f"Decision thresholds were {listed(points)}; fitted ones were chosen on validation images."
    ]
    if report.calibrate == "temperature":
        said += ["Probabilities were calibrated by temperature scaling on validation images."]
    said += [f"Intervals are {kind}; those of means over seeds add the variance between seeds."]
    if len(frames.comparisons):
        said += [
            "Configurations were compared on the same patients; p values are two-sided, and all "
            "but that of the primary effect were adjusted for multiplicity by Holm's method."
        ]
    chosen = "Epochs, thresholds and the configurations that are recommended"
    said += [f"{chosen} were chosen on validation images alone."]
    return [
        *said,
        *filter(None, (nested_choice.sentence(frames, name) for name in frames.grid.targets())),
    ]


def point(one: object) -> str:
    """An operating point in words."""
    if one == "youden":
        return "those that maximise Youden's index"
    if one == "f1":
        return "those that maximise F1"
    if isinstance(one, Target):
        name, value = next((n, getattr(one, n)) for n in one.__struct_fields__ if getattr(one, n))
        return f"those that reach a {name} of {value:g}"
    return f"{one:g}" if isinstance(one, int | float) else str(one)


def software(frames: Frames) -> str:
    """Versions, hardware and cost."""
    done = frames.cells[frames.cells["state"] == "done"]
    try:
        ours = f"cxrgrid {version('cxrgrid')}"
    except PackageNotFoundError:
        ours = "cxrgrid"
    found = {name: done[name].dropna().unique().tolist() for name in ("versions", "hardware")}
    said = f"The study was run with {listed([ours, *found['versions'][:3]], 'on')}"
    said += (
        f", on {listed([str(one) for one in found['hardware'][:3]])}." if found["hardware"] else "."
    )
    hours = pd.to_numeric(done["total_seconds"], "coerce").sum() / 3600
    return f"{said} Its {whole(len(done))} trainings took {hours:.1f} hours in all."


def captions(tables: dict[str, Table], figures: dict[str, dict]) -> list[str]:
    """A caption for each table and figure that shows something."""
    found = [
        ("Table", one.title, one.caption, one.method) for one in tables.values() if one.sections
    ]
    found += [("Figure", f["title"], f["caption"], f["method"]) for f in figures.values()]
    return [f"**{kind}. {title}.** {' '.join(filter(None, text))}" for kind, title, *text in found]
