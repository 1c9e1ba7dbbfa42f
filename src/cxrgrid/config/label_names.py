"""Labels of the same finding under other names in other datasets.

`label_names.csv` holds one row per finding: its common name, what each publisher calls it, and the
sources; `near_labels.csv` the names that mean nearly the same and stay apart. A dataset's `same_as`
says the rest. Sources: Wang 2017 (CVPR, ChestX-ray14), Irvin 2019 (AAAI, CheXpert), Johnson 2019
(Scientific Data, MIMIC-CXR), Bustos 2020 (Medical Image Analysis, PadChest), Nguyen 2022
(Scientific Data, VinDr-CXR), Shih 2019 (Radiology: AI, RSNA), SIIM-ACR 2019 (Kaggle), Kermany 2018
(Cell), Rahman 2021 (Computers in Biology and Medicine), Cohen 2022 (TorchXRayVision, arXiv
2111.00595).
"""

import csv
import functools
from pathlib import Path

from cxrgrid.config.checks import adapter_facts
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError, known

TABLE, NEAR = (Path(__file__).with_name(f"{name}.csv") for name in ("label_names", "near_labels"))


@functools.cache
def published() -> dict[str, str]:
    """{name of a label in any publisher's dataset: its common name}."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [{**row, "source": ""} for row in csv.DictReader(file)]
    return {name: row["label"] for row in rows for name in row.values() if name}


@functools.cache
def near() -> dict[tuple[str, str], str]:
    """{two names that mean nearly the same: in what they differ}, in both orders."""
    with NEAR.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pairs = {(row["one"], row["other"]): row["difference"] for row in rows}
    return pairs | {(other, one): text for (one, other), text in pairs.items()}


def labels_of(dataset: Dataset) -> tuple[str, ...]:
    """Labels of a dataset in its order; empty if they are known only once its files are read."""
    return dataset.labels or tuple(adapter_facts(dataset.adapter)["LABELS"])


def common_names(dataset: Dataset) -> dict[str, str]:
    """{label of a dataset: the name by which it is known across datasets}; none of one apart."""
    others = {label: dataset.same_as.get(label, label) for label in labels_of(dataset)}
    return {label: published().get(name, name) for label, name in others.items() if name}


def name_in(dataset: Dataset, label: str) -> str:
    """The dataset's name of a label that is named as elsewhere; `label` itself if it has none."""
    common = published().get(label, label)
    return next((own for own, name in common_names(dataset).items() if name == common), label)


def check_same_as(name: str, dataset: Dataset) -> None:
    """`UserError` if `same_as` renames a label that is not there, or claims a name twice."""
    labels = labels_of(dataset)
    for label in dataset.same_as if labels else ():
        known(label, labels, f"datasets.{name}.same_as", "label")
    if dataset.same_as:
        check_claims(name, dataset)


def check_parted(datasets: dict[str, Dataset]) -> None:
    """`UserError` if another name in `same_as` takes a label from a dataset that shares it now."""
    names = {name: common_names(dataset) for name, dataset in datasets.items()}
    for name, dataset in datasets.items():
        for label, other in dataset.same_as.items():
            known_as = published().get(label, label)
            if not other or known_as in names[name].values():
                continue
            for there, theirs in names.items():
                if shared := next((own for own, each in theirs.items() if each == known_as), ""):
                    raise UserError(
                        f"datasets.{name}.same_as: as {other!r} alone, {label} would part from "
                        f"{shared} of {there}; to join all, say it where the name is {other!r} "
                        f"(same_as: {{{other}: {label}}}); to keep it apart, write {label}: ''"
                    )


def check_claims(name: str, dataset: Dataset) -> None:
    """`UserError` if two labels of a dataset have the same name across datasets."""
    where, claims = f"datasets.{name}", {}
    for label, common in common_names(dataset).items():
        if common in claims:
            raise UserError(
                f"{where}: {claims[common]!r} and {label!r} would both be {common!r} elsewhere; "
                f"name one otherwise in {where}.same_as, or leave it out of {where}.labels"
            )
        claims[common] = label


def same_labels(source: str, target: str, datasets: dict[str, Dataset]) -> dict[str, str]:
    """{label of the target: the same label of the source}, in the target's order."""
    by_name = {name: label for label, name in common_names(datasets[source]).items()}
    theirs = common_names(datasets[target])
    return {label: by_name[name] for label, name in theirs.items() if name in by_name}


def renamed(same: dict[str, str]) -> dict[str, str]:
    """The labels among {one name: other name} whose two names differ."""
    return {label: name for label, name in same.items() if label != name}


def kept_apart(source: str, target: str, datasets: dict[str, Dataset]) -> list[str]:
    """Sentences on labels of two datasets that mean nearly the same, which neither shares."""
    same = same_labels(source, target, datasets)
    ours = [label for label in labels_of(datasets[source]) if label not in same.values()]
    theirs = [label for label in labels_of(datasets[target]) if label not in same]
    return [
        f"{one} ({source}) and {other} ({target}) are kept apart: {near()[one, other]}"
        for one in ours
        for other in theirs
        if (one, other) in near()
    ]
