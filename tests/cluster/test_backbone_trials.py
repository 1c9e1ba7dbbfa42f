"""Backbones and starts that cannot be trained are refused when a run is planned."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import torch
import yaml

from cxrgrid.cluster import backbone_trials
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.models import trials
from test_architecture import ROOT

MAIN = SimpleNamespace(is_main_process=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to plan in, and a count of the processes that try."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backbone_trials, "FROZEN", str(tmp_path / "kept"))
    asked = []

    def ask(new):
        asked.append(new)
        return {json.dumps(trial): trials.refusal(*trial) for trial in new}

    monkeypatch.setattr(backbone_trials, "ask", ask)
    return asked


def grid(*backbones, size=64, file=""):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["datasets"]["ward"]["image"] = {"size": size}
    config["weights"]["theirs"] = file or "timm"
    inits = ["theirs" if file else "scratch"]
    axes = {"datasets": ["ward"], "backbones": list(backbones), "inits": inits}
    return Grid(config | {"grid": axes})


def test_what_is_refused_is_named_with_sizes_and_tried_once(folder):
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"inception_v3 cannot take 64 px.*image\.size to 96"
        ) as said:
            backbone_trials.check(MAIN, grid("resnet18", "inception_v3"))
        assert "\n" not in str(said.value)
    assert folder == [[("resnet18", 64, 1), ("inception_v3", 64, 1)]]
    backbone_trials.check(MAIN, grid("resnet18"))
    backbone_trials.check(MAIN, grid("resnet18", size=96))
    assert folder[1:] == [[("resnet18", 96, 1)]]
    backbone_trials.check(MAIN, grid("resnet18", size="128x64"))
    assert folder[-1] == [("resnet18", (64, 128), 1)], "height before width"


def test_jobs_of_a_run_and_the_demo_try_nothing(folder):
    backbone_trials.check(SimpleNamespace(is_main_process=False), grid("inception_v3"))
    backbone_trials.check(MAIN, Grid(yaml.safe_load((ROOT / "config.yaml").read_text())))
    assert folder == []


def test_what_is_known_without_a_trial_is_true():
    assert timm.__version__ == backbone_trials.KNOWN_TIMM, "try KNOWN anew, then write the version"
    assert {trials.refusal(*trial) for trial in backbone_trials.KNOWN} == {""}


def test_another_timm_knows_nothing(folder, monkeypatch):
    monkeypatch.setattr(backbone_trials, "KNOWN_TIMM", "0.9")
    backbone_trials.check(MAIN, grid("resnet10t"))
    assert folder == [[("resnet10t", 64, 1)]]


@pytest.mark.slow
def test_the_process_answers_line_by_line(folder):
    lines = backbone_trials.run(json.dumps([("resnet10t", 64, 1), ("inception_v3", 64, 3)]))
    first, second = backbone_trials.answers(lines)
    assert first == ["resnet10t", 64, 1, ""] and "cannot take 64 px" in second[3]


def test_a_process_that_cannot_start_stops_no_run(folder, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    failed = subprocess.CompletedProcess([], 1, stdout='["resnet18", 64', stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert backbone_trials.ask([("resnet18", 64, 1)]) == {}
    assert "1 of them could not be tried before they train" in capsys.readouterr().err


def test_a_giant_is_tried_without_its_weights():
    """1.1 billion weights are 4.5 GB: made for real they would not fit beside the rest here."""
    assert trials.refusal("vit_giant_patch14_dinov2", 112, 3) == ""


@pytest.mark.slow
def test_a_start_of_another_network_is_refused_at_the_plan_until_its_file_changes(folder):
    torch.save(timm.create_model("test_resnet", layers=(2, 2, 2, 2)).state_dict(), "w.pth")
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"weights\.theirs: test_resnet from w\.pth: holds a weight layer1"
        ):
            backbone_trials.check(MAIN, grid("test_resnet", file="w.pth"))
    assert [len(trial) for trial in folder[0]] == [3, 6] and len(folder) == 1
    torch.save(torch.nn.Linear(2, 2), "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: holds a pickled network or other code"):
        backbone_trials.check(MAIN, grid("test_resnet", file="w.pth"))
    torch.save(timm.create_model("test_resnet").state_dict(), "w.pth")
    backbone_trials.check(MAIN, grid("test_resnet", file="w.pth"))
    assert len(folder) == 3


def test_the_start_of_a_cell_that_has_trained_is_not_tried(folder, monkeypatch):
    Path("w.pth").write_bytes(b"PK")
    monkeypatch.setattr(backbone_trials, "finished", lambda *_: True)
    backbone_trials.check(MAIN, grid("test_resnet", file="w.pth"))
    assert [len(trial) for trial in folder[0]] == [3]
