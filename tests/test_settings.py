"""The JSON schema that editors read is the one that the code checks by."""

import json
from pathlib import Path

import jsonschema
import yaml

from cxrgrid.settings import manual, schema

ROOT = Path(__file__).parents[1]


def test_committed_schema_is_current():
    committed = (ROOT / "workflow/schemas/config.schema.json").read_text()
    assert committed == schema(), (
        "run: python -m cxrgrid.settings > workflow/schemas/config.schema.json"
    )


def test_committed_manual_is_current():
    assert (ROOT / "docs/settings.md").read_text() == manual(), (
        "run: python -m cxrgrid.settings --manual > docs/settings.md"
    )


def test_every_committed_study_fits_the_schema():
    for path in [ROOT / "config.yaml", *(ROOT / "studies").glob("*.yaml")]:
        jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(schema()))


def test_every_setting_says_what_it_means():
    for name, struct in json.loads(schema())["$defs"].items():
        for key, setting in struct["properties"].items():
            assert setting.get("description"), f"{name}.{key}"
