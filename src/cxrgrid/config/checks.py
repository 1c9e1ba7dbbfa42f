"""Checks of a config: values against their types, names against what exists.

Every refusal is a `UserError`: one line with the value, the place and the nearest valid name.
"""

import ast
import contextlib
import functools
import importlib
import importlib.util
import re
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from cxrgrid.config.backbone_names import timm_name
from cxrgrid.config.check_values import at_path, check_case, check_plain, choices_at, in_words, once
from cxrgrid.config.dataset import Dataset, Subset, TestSet
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.preparation import Split
from cxrgrid.config.study import BANDS, Source, Study

T = TypeVar("T", bound=msgspec.Struct)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
ADAPTERS = Path(__file__).parents[1] / "datasets"
FIGURES = Path(__file__).parents[1] / "figures"
TABLES = Path(__file__).parents[1] / "tables"
MODELS = Path(__file__).parents[1] / "models"
RENAMING = "register_model_deprecations"  # timm's function, given {old name: new name}
OVERALL = ("all", "macro", "micro", "weighted", "samples", *BANDS)  # rows that are no label
TESTED = "test"  # the split of a dataset whose every image is a test image
DRAWN = ("patient", "image", TESTED)  # splits that `split` makes itself


def checked(value: Any, kind: type[T], where: str) -> T:
    """`value` as a `kind`, or a `UserError` that names the setting and the nearest valid name."""
    check_keys(value, kind, where)
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).rstrip("`").partition(" - at `$")
        said = in_words(message, at_path(value, path), choices_at(kind, path))
        path = re.sub(r"\[\.\.\.\]", "", path)
        raise UserError(f"{where}{path}: {said}") from None


def check_keys(value: Any, kind: type[msgspec.Struct], where: str) -> None:
    """Refuse unknown and missing keys, also in the structs below `kind`."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected settings (key: value), got {value!r}")
    fields = fields_of(kind)
    for key, below in value.items():
        known(key, fields, where, "setting")
        _, inner, words = fields[key]
        for word in below if isinstance(below, list) else [below]:
            if words and isinstance(word, str):
                known(word, words, f"{where}.{key}", "choice")
        if inner and isinstance(below, dict):
            check_keys(below, inner, f"{where}.{key}")
    for name, (required, _, _) in fields.items():
        if required and name not in value:
            raise UserError(f"{where}: the setting {name!r} is missing")


@functools.cache
def fields_of(kind: type[msgspec.Struct]) -> dict[str, tuple]:
    """{setting: (required, struct in its type, words in its type)} of a struct."""
    return {
        field.name: (field.required, struct_in(field.type), words_in(field.type))
        for field in msgspec.structs.fields(kind)
    }


def words_in(annotation: Any) -> tuple[str, ...]:
    """The words that a setting, or an entry of its list, accepts; empty for anything else."""
    while hasattr(annotation, "__metadata__"):  # Annotated[…]
        annotation = annotation.__origin__
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    return choices if all(isinstance(choice, str) for choice in choices) else ()


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct that a setting holds, alone or as one of several choices."""
    while hasattr(annotation, "__metadata__"):  # Annotated[…]
        annotation = annotation.__origin__
    choices = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    structs = (c for c in choices if isinstance(c, type) and issubclass(c, msgspec.Struct))
    return next(structs, None)


def check_name(name: Any, where: str) -> None:
    """`UserError` unless a name has letters, digits, `.`, `_` and `-` only: it becomes a folder."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(
            f"{where}: the name {name!r} may hold letters, digits, '.', '_' and '-' only"
        )


def declares(path: Path, name: str) -> bool:
    """True if a module sets a constant; it is not imported."""
    return f"\n{name} = " in path.read_text("utf-8")


def modules(folder: Path) -> list[str]:
    """Sorted names of the modules in one of the package's folders."""
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


@functools.cache
def adapter_facts(adapter: str) -> dict[str, Any]:
    """The constants of an adapter (TASK, LABELS, SOURCE, …), read without importing it (pandas).

    They are literals, or another adapter's: `LABELS = chexpert.LABELS`.
    """
    tree = ast.parse((ADAPTERS / f"{adapter}.py").read_text("utf-8"))
    found = {}
    for node in [node for node in tree.body if isinstance(node, ast.Assign)]:
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id.isupper():
                with contextlib.suppress(ValueError):  # is computed
                    found[target.id] = constant(node.value)
    return found


def constant(node: ast.expr) -> Any:
    """The value of a literal, or of another adapter's constant; `ValueError` for anything else."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        facts = adapter_facts(node.value.id) if node.value.id in modules(ADAPTERS) else {}
        if node.attr in facts:
            return facts[node.attr]
    return ast.literal_eval(node)


@functools.cache
def backbones() -> frozenset[str]:
    """All timm model names, with and without weight tag, from its source: importing takes 8 s."""
    spec = importlib.util.find_spec("timm")
    folders = [MODELS, *(Path(path) / "models" for path in spec.submodule_search_locations)]
    text = "\n".join(path.read_text("utf-8") for folder in folders for path in folder.glob("*.py"))
    names = set(re.findall(r"^@register_model\s+def (\w+)\(", text, re.MULTILINE))
    quoted = re.findall(r"['\"](\w+)\.([\w.-]+)['\"]", text)
    return frozenset(names | {f"{name}.{tag}" for name, tag in quoted if name in names})


def renamed() -> dict[str, str]:
    """timm's own table of renamed models, {old: new}, from its source."""
    found: dict[str, str] = {}
    for folder in importlib.util.find_spec("timm").submodule_search_locations:
        for path in (Path(folder) / "models").glob("*.py"):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == RENAMING:
                    found |= ast.literal_eval(call.args[1])
    return found


def check_backbone(name: str, names: frozenset[str], where: str) -> None:
    """`UserError` unless timm knows `name`; `names` are those of `backbones()`."""
    if timm_name(name) != name:  # from a hub or a folder, checked as it was read
        return
    if name not in names and name.split(".")[0] in names:
        # timm makes a few tags by program: only in this doubt it is worth asking timm itself.
        names = names | set(importlib.import_module("timm").list_pretrained())
    if name not in names and (now := renamed().get(name)):
        raise UserError(f"{where}: no backbone {name!r}; timm calls it {now!r} now")
    known(name, names, where, "backbone")


def task_of(dataset: Dataset) -> str:
    """The task, `multilabel` or `multiclass`, from the dataset's setting or else its adapter."""
    return adapter_facts(dataset.adapter)["TASK"] if dataset.task == "auto" else dataset.task


def check_study(config: dict[str, Any]) -> Study:
    """The study of a raw config, all names checked but those of recipes and the grid's axes."""
    check_plain(config)
    check_keys(config, Study, "config")
    for part in ("datasets", "recipes", "weights"):
        if not isinstance(config.get(part, {}), dict):
            raise UserError(f"{part}: expected settings (name: value), got {config[part]!r}")
        check_case([*config.get(part, {}), *["scratch"] * (part == "weights")], part)
    for name, value in config["datasets"].items():
        check_name(name, "datasets")
        for kind, struct in (("subsets", Subset), ("tests", TestSet)):
            for part, settings in named_parts(value, kind):
                checked(settings, struct, f"datasets.{name}.{kind}.{part}")
        checked(value, Dataset, f"datasets.{name}")
    for name, value in config.get("weights", {}).items():
        check_name(name, "weights")
        if not value:
            raise UserError(f"weights.{name}: {value!r} says nothing; write timm or a file's path")
        if isinstance(value, dict):
            checked(value, Source, f"weights.{name}")
    study = checked(config, Study, "config")
    check_name(study.study, "study")
    for name, dataset in study.datasets.items():
        check_dataset(name, dataset)
    once(study.report.figures, "report.figures")
    for name in study.report.figures:
        known(name, modules(FIGURES), "report.figures", "figure")
    return study


def named_parts(value: Any, kind: str) -> Any:
    """Items of a raw dataset's raw `subsets` or `tests`; empty if they are malformed."""
    parts = value.get(kind) if isinstance(value, dict) else None
    return parts.items() if isinstance(parts, dict) else []


def check_dataset(name: str, dataset: Dataset) -> None:
    """`UserError` at the first invalid adapter, label, root or split of a dataset."""
    where = f"datasets.{name}"
    if name == "val":
        raise UserError(f"{where}: 'val' names the validation predictions; choose another name")
    known(dataset.adapter, modules(ADAPTERS), f"{where}.adapter", "adapter")
    facts = adapter_facts(dataset.adapter)
    once(dataset.labels, f"{where}.labels")
    for label in dataset.labels:
        if label in OVERALL:
            raise UserError(
                f"{where}.labels: {label!r} names a row of the scores; rename the label"
            )
        if facts["LABELS"]:
            there = [*facts["LABELS"], *facts.get("EXTRA", [])]
            known(label, there, f"{where}.labels", "label")
    if dataset.adapter == "csv" and not dataset.labels:
        raise UserError(f"{where}.labels: name the label columns of {dataset.columns.file}")
    if dataset.phantom is None and not dataset.root:
        raise UserError(f"{where}.root: is missing. {facts['SOURCE']}")
    if dataset.phantom and not facts.get("PHANTOM"):
        raise UserError(f"{where}.phantom: the adapter {dataset.adapter!r} has no phantom")
    check_split(dataset.split, facts.get("SPLITS", []), f"{where}.split")
    if dataset.split.folds:
        if dataset.split.name == TESTED:
            raise UserError(f"{where}.split.folds: {TESTED!r} has no training images to divide")
        fixed = facts.get("VALIDATED", []) + ["column"] * ("val" in dataset.columns.parts)
        check_folds(dataset.split, fixed, f"{where}.split")
        if dataset.phantom and dataset.split.name != "image":  # others are known once listed
            check_enough(dataset.split.folds, dataset.phantom.patients, f"{where}.split")


def check_split(split: Split, shipped: list[str], where: str) -> None:
    """`UserError` for an invalid name, share or fold of a split; shipped: the adapter's lists."""
    if abs(sum(split.fractions) - 1) > 1e-6 or min(split.fractions) == 0:
        raise UserError(f"{where}.fractions: three shares above 0 that add up to 1, please")
    if split.files is None:
        known(split.name, [*DRAWN, *shipped], f"{where}.name", "split")
    elif split.name in (*DRAWN, *shipped):
        raise UserError(
            f"{where}.name: {split.name!r} is what another split is called; give your lists a name "
            "of their own, which every number will carry"
        )
    if split.fold >= max(1, split.folds):
        raise UserError(f"{where}.fold: no fold {split.fold}; folds: {split.folds}")


def check_folds(split: Split, validated: list[str], where: str) -> None:
    """`UserError` for fewer than two folds, or a fixed validation list beside them.

    validated: the adapter's lists that have a validation part.
    """
    if split.folds < 2:
        raise UserError(f"{where}.folds: two or more, or 0 for a single split")
    if split.name in validated or (split.files and split.files.val):
        raise UserError(
            f"{where}.folds: {split.name!r} has a fixed validation list, which cannot stay apart "
            "when every training-list patient is tested; leave `folds` out, or choose `patient`"
        )


def check_enough(folds: int, patients: int, where: str) -> None:
    """`UserError` for more folds than patients: each of them tests one or more."""
    if folds > patients:
        raise UserError(
            f"{where}.folds: {folds} folds of {patients:,} patients; each fold tests one or "
            f"more: at most {patients:,}"
        )
