"""Whatever stands in a config, it is a study or one line that says what is wrong: not a traceback.

CXRGRID_EXAMPLES=10000 pytest tests/config/test_odd_configs.py tries as many.
"""

import contextlib
import copy
import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxrgrid.config.config_file import check
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid

ROOT = Path(__file__).parents[2]
STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "studies").glob("*.yaml"))]
CONFIGS = [yaml.safe_load(path.read_text("utf-8")) for path in STUDIES]
TRIED = settings(
    max_examples=int(os.environ.get("CXRGRID_EXAMPLES", 15)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["", " ", "x" * 300, "a/b", "../..", "=1", "{x}", "<x>", "~", "None", "1e-3"]),
    st.sampled_from(
        ["ı", "\0", "\n", "'", "((", "[", "\\", "val", "all", "test", "scratch", "default"]
    ),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**63, 10**30, -1.5, 0.0, 1e-320, 1e308, float("inf"), float("nan")]),
    st.sampled_from([[], {}, [[]], [{}], [None], {"": None}, {"a": {}}, [1, 1], [0, "x"], {1: 2}]),
    st.text(max_size=4),
)


def places(node, above=()):
    """The path of each value in a config."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, below in items:
        yield (*above, key)
        if isinstance(below, dict | list):
            yield from places(below, (*above, key))


def changed(config, data):
    """A config with one to three values replaced, removed, doubled or named otherwise."""
    config = copy.deepcopy(config)
    for _ in range(data.draw(st.integers(1, 3))):
        known = list(places(config))
        if not known:
            return config
        *above, last = data.draw(st.sampled_from(known))
        node = config
        for key in above:
            node = node[key]
        how = data.draw(st.sampled_from(["value", "value", "value", "removed", "key", "moved"]))
        if how == "value":
            node[last] = copy.deepcopy(data.draw(ODD))
        elif how == "removed":
            del node[last]
        elif isinstance(node, dict):
            value = node[last] if how == "key" else copy.deepcopy(data.draw(ODD))
            node[data.draw(st.one_of(st.text(max_size=5), st.sampled_from(["", 1, None])))] = value
        else:
            node.append(copy.deepcopy(node[last]))
    return config


def one_line(config):
    """Check a config and ask what a plan asks; what is refused is refused in one line."""
    try:
        grid = Grid(config)
        grid.figures(), grid.rows(), [grid.arrays(name) for name in grid.used()], grid.to_json()
    except UserError as error:
        assert str(error) and "\n" not in str(error), error


def as_snakemake_reads(text):
    """A config's content: JSON, else YAML."""
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return yaml.safe_load(text)


@TRIED
@given(st.data())
def test_a_changed_config_is_a_study_or_one_line(data):
    one_line(changed(data.draw(st.sampled_from(CONFIGS)), data))


@TRIED
@given(st.text(alphabet="ab2x_=<: -[]{}&*!|>#'\"\n\t%@`0.~,?\\\0ı", max_size=40))
def test_any_text_is_a_config_or_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "odd.yaml"
    path.write_text(text, "utf-8")
    try:
        check([path])
        one_line(as_snakemake_reads(text) or {})
    except UserError as error:
        assert "\n" not in str(error)


SELF = "a: &x\n  b: *x\ndatasets: *x\n"


ODD_TEXTS = [SELF, "study: x\nstudy: y\n", "datasets:\n", "a: .inf\n", "\0"]
ODD_TEXTS += [
    "{0?}",
    "a: >#2\n",
    "0:\t",
    "a: b\t\n",
    "a: 2026-13-01\n",
    "a: !!bool x\n",
    "a: !x y\n",
    "? [a]\n: b\n",
]


def test_a_grid_without_blocks_is_one_line():
    with pytest.raises(UserError, match="^grid: an empty list makes no cell"):
        Grid(CONFIGS[0] | {"grid": []})


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_what_yaml_takes_and_a_study_does_not_is_one_line(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError):
        check([tmp_path / "a.yaml"])
        Grid(yaml.safe_load(text))
