"""Print every setting of a study, with its type, bounds, default and description.

As the JSON schema that editors use for completion, or as the page docs/settings.md.

Examples:
  python -m cxrgrid.settings > workflow/schemas/config.schema.json
  python -m cxrgrid.settings --manual > docs/settings.md
"""

import json
from typing import Any

import msgspec

from cxrgrid.config.dataset import Dataset, Sample, Subset, TestSet
from cxrgrid.config.operating_points import Target
from cxrgrid.config.preparation import Columns, Image, Join, Lists, Phantom, Split
from cxrgrid.config.recipe import Recipe, StudyRecipe
from cxrgrid.config.source import Source
from cxrgrid.config.study import Block, External, Override, Report, Study
from cxrgrid.io import cli


def schema() -> str:
    """The JSON schema of a config file, as workflow/schemas/config.schema.json holds it."""
    document = msgspec.json.schema(Study)
    document["$defs"]["Recipe"] = definition(Recipe)
    document["$defs"]["Study"]["properties"]["recipes"]["additionalProperties"] = {
        "$ref": "#/$defs/Factors"
    }
    document["$defs"]["Factors"] = with_levels(definition(StudyRecipe))
    document["$defs"]["Override"]["properties"]["set"] |= {"$ref": "#/$defs/Recipe"}
    return json.dumps(document, indent=2) + "\n"


def definition(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of one struct by itself."""
    return msgspec.json.schema(struct)["$defs"][struct.__name__]


def with_levels(recipe: dict[str, Any]) -> dict[str, Any]:
    """The schema of a recipe in which each setting may be a list of levels: a factor."""
    properties = {}
    for name, setting in recipe["properties"].items():
        said = {key: setting[key] for key in ("description", "default") if key in setting}
        one = {key: value for key, value in setting.items() if key not in said}
        if name == "choose":  # it is said of a recipe's lists, and is none
            properties[name] = setting
            continue
        levels = {"type": "array", "items": one, "minItems": 1}
        properties[name] = said | ({"anyOf": [one, levels]} if one else {})
    return recipe | {"title": "Factors", "properties": properties}


def manual() -> str:
    """docs/settings.md: every setting in tables."""
    lines = ["# Settings", "", "Made by `python -m cxrgrid.settings --manual`.", ""]
    definitions = json.loads(schema())["$defs"] | {"StudyRecipe": definition(StudyRecipe)}
    structs = (Study, Block, Dataset, Sample, Subset, TestSet, Phantom, Image, Split, Lists)
    others = (Columns, Join, StudyRecipe, Override, Source, External, Report, Target)
    for struct in (*structs, *others):
        found = definitions[struct.__name__]
        name = "Recipe" if struct is StudyRecipe else struct.__name__
        lines += [f"## {name}", "", found["description"], ""]
        lines += ["| setting | default | meaning |", "| --- | --- | --- |"]
        lines += [row(name, setting) for name, setting in found["properties"].items()] + [""]
    return "\n".join(lines)


def row(name: str, setting: dict[str, Any]) -> str:
    """A setting as a row of the manual: choices and bounds follow the meaning."""
    default = json.dumps(setting["default"]) if "default" in setting else "required"
    choices = [f"`{choice}`" for choice in setting.get("enum", [])]
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {setting[key]:g}" for key, sign in bounds.items() if key in setting]
    more = f" ({', '.join(choices + limits)})" if choices or limits else ""
    return f"| `{name}` | `{default}` | {setting['description']}{more} |"


def main(argv: list[str] | None) -> None:
    """Print the schema, or the manual."""
    parser = cli.parser("settings", __doc__)
    parser.add_argument("--manual", action="store_true", help="docs/settings.md, not the schema")
    args = parser.parse_args(argv)
    print(manual() if args.manual else schema(), end="")


if __name__ == "__main__":
    cli.run(main)
