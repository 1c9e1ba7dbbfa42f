"""Names of backbones that timm reads from a hub or a folder, in the form that paths can hold.

timm writes `hf-hub:owner/name` and `local-dir:path/to/folder`. A backbone is a folder of the
results, so that inside cxrgrid they are `hf-hub--owner--name` and `local-dir--path--to--folder`.
"""

import json
import re
from pathlib import Path
from typing import Any

from cxrgrid.config.errors import UserError

SOURCES = ("hf-hub", "local-dir")
HUB = re.compile(r"hf-hub:[\w.-]+/[\w.-]+(@[\w.-]+)?")
NAMED_IN = ("grid", "overrides", "weights")  # parts of a config that name backbones


def path_name(backbone: str) -> str:
    """The name as a folder: `hf-hub--owner--name`; any other name stays."""
    if backbone.startswith(tuple(f"{source}:" for source in SOURCES)):
        return backbone.replace(":", "--", 1).replace("/", "--")
    return backbone


def timm_name(backbone: str) -> str:
    """The name as timm takes it: `hf-hub:owner/name`; any other name stays."""
    source, _, rest = backbone.partition("--")
    return f"{source}:{rest.replace('--', '/')}" if rest and source in SOURCES else backbone


def with_path_names(config: dict[str, Any]) -> dict[str, Any]:
    """A config in which each backbone has its name as a folder; checked where one is a source.

    `UserError` for a hub's name without its owner, and for a folder without timm's config.json.
    """
    return config | {part: renamed(config[part]) for part in NAMED_IN if part in config}


def renamed(value: Any) -> Any:
    """A part of a config, its strings replaced by `path_name`."""
    if isinstance(value, dict):
        return {key: renamed(below) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [renamed(below) for below in value]
    if not isinstance(value, str) or path_name(value.replace("hf_hub:", "hf-hub:", 1)) == value:
        return value
    name = value.replace("hf_hub:", "hf-hub:", 1)
    check_source(name)
    return path_name(name)


def check_source(name: str) -> None:
    """`UserError` unless a backbone from a hub or a folder can be one."""
    source, _, place = name.partition(":")
    if source == "hf-hub" and not HUB.fullmatch(name):
        raise UserError(f"backbone {name!r}: write hf-hub:owner/name, as the hub's address ends")
    if source == "hf-hub":
        return
    if "--" in place or Path(place).is_absolute() or place.endswith("/"):
        raise UserError(
            f"backbone {name!r}: a folder below this one, without '--' and without a slash at the "
            "end: the name becomes a folder of the results; link to it"
        )
    try:
        known = json.loads((Path(place) / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"backbone {name!r}: {place}/config.json cannot be read ({error.__class__.__name__}); "
            "a folder that timm.models.save_for_hf or `python -m cxrgrid.export` wrote has one"
        ) from None
    if not isinstance(known, dict) or "architecture" not in known:
        raise UserError(
            f"backbone {name!r}: {place}/config.json names no `architecture`; its networks are not "
            "timm's. For weights of another layout name the file under weights:"
        )
