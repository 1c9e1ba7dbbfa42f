"""The study as run is the config that ran, and later commands expand it to the same cells."""

import json

import pytest
import yaml

from cxrgrid import study
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from demo_config import DEMO


def test_study_json_expands_to_the_same_cells(tmp_path):
    out = tmp_path / "study.json"
    study.main([Grid(DEMO).to_json(), "--out", str(out)])
    assert Grid(json.loads(out.read_text())).cells == Grid(DEMO).cells
    assert json.loads(out.read_text()) == DEMO


def test_order_of_keys_does_not_matter(tmp_path):
    turned = yaml.safe_load(yaml.safe_dump(dict(reversed(DEMO.items()))))
    for name, config in (("a", DEMO), ("b", turned)):
        study.main([json.dumps(config), "--out", str(tmp_path / name)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_config_that_no_run_could_use_is_refused(tmp_path):
    with pytest.raises(UserError, match="grid"):
        study.main(
            [json.dumps({**DEMO, "grid": {"datasets": ["x"]}}), "--out", str(tmp_path / "s")]
        )
