"""The demo's config, and copies of a config with one value changed."""

import copy
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DEMO = yaml.safe_load((ROOT / "config.yaml").read_text())


def replaced(config: dict, path: str, value) -> dict:
    """A copy of a config with the value at a dotted path changed."""
    config = copy.deepcopy(config)
    *parents, last = path.split(".")
    place = config
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return config
