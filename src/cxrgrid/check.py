"""What a config may say: values against their types, names against what there is.

Every refusal is a `UserError`: one line with the value, the place and the nearest valid name.
"""

import ast
import difflib
import importlib
import importlib.util
import re
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec


class UserError(Exception):
    """A mistake that one line can explain: what is wrong, where it stands, what to do."""


T = TypeVar("T", bound=msgspec.Struct)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
ADAPTERS = Path(__file__).parent / "datasets"
FIGURES = Path(__file__).parent / "figures"
MODELS = Path(__file__).parent / "models"


def suggest(name: str, known: list[str] | set[str] | tuple[str, ...]) -> str:
    """', did you mean …?' or the list of what there is."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    names = sorted(map(str, known))
    shown = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"known: {shown}" if names else "none is defined"


def known(name: str, names: Any, where: str, what: str) -> None:
    """`UserError` with the nearest valid name unless `name` is one of `names`."""
    if name not in names:
        raise UserError(f"{where}: no {what} {name!r}; {suggest(name, names)}")


def checked(value: Any, kind: type[T], where: str) -> T:
    """`value` as a `kind`, or a `UserError` that names the setting and the nearest valid name."""
    check_keys(value, kind, where)
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        path = re.sub(r"\[\.\.\.\]", "", path.rstrip("`"))
        raise UserError(f"{where}{path}: {message[0].lower()}{message[1:]}") from None


def check_keys(value: Any, kind: type[msgspec.Struct], where: str) -> None:
    """Refuse unknown and missing keys, also in the structs below `kind`."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected settings (key: value), got {value!r}")
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key, below in value.items():
        known(key, fields, where, "setting")
        inner = struct_in(fields[key].type)
        if inner and isinstance(below, dict):
            check_keys(below, inner, f"{where}.{key}")
    for field in fields.values():
        if field.required and field.name not in value:
            raise UserError(f"{where}: the setting {field.name!r} is missing")


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct that a setting holds, alone or as one of several choices."""
    while hasattr(annotation, "__metadata__"):  # Annotated[…]
        annotation = annotation.__origin__
    choices = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    structs = (c for c in choices if isinstance(c, type) and issubclass(c, msgspec.Struct))
    return next(structs, None)


def check_name(name: Any, where: str) -> None:
    """Names become folders: letters, digits, `.`, `_` and `-`."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(
            f"{where}: the name {name!r} may hold letters, digits, '.', '_' and '-' only"
        )


def modules(folder: Path) -> list[str]:
    """Names of the modules in one of the package's folders: what a config may name."""
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def adapter_facts(adapter: str) -> dict[str, Any]:
    """The constants of an adapter (TASK, LABELS, SOURCE, …), read without importing it (pandas)."""
    tree = ast.parse((ADAPTERS / f"{adapter}.py").read_text())
    return {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper() and is_literal(node.value)
    }


def is_literal(node: ast.expr) -> bool:
    """Whether `ast.literal_eval` can read it."""
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def backbones() -> set[str]:
    """All timm model names, bare and with a weight tag, from its sources: the import takes 8 s."""
    spec = importlib.util.find_spec("timm")
    folders = [MODELS, *(Path(path) / "models" for path in spec.submodule_search_locations)]
    text = "\n".join(path.read_text() for folder in folders for path in folder.glob("*.py"))
    names = set(re.findall(r"^@register_model\s+def (\w+)\(", text, re.MULTILINE))
    quoted = re.findall(r"['\"](\w+)\.([\w.-]+)['\"]", text)
    return names | {f"{name}.{tag}" for name, tag in quoted if name in names}


def check_backbone(name: str, names: set[str], where: str) -> None:
    """`UserError` unless timm knows `name`; `names` are those of `backbones()`."""
    if name not in names and name.split(".")[0] in names:
        # timm makes a few tags by program: only in this doubt it is worth asking timm itself.
        names = names | set(importlib.import_module("timm").list_pretrained())
    known(name, names, where, "backbone")
