"""`needs`: more memory after too little, more time after too short a limit, else as before."""

import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.common import get_function_params

from conftest import CONFIG, MISSING
from cxrgrid.cluster.resources import MEMORY, MINUTES, Needs
from cxrgrid.config.grid import Grid
from cxrgrid.config.rules import Rules

DATASET, BACKBONE, INIT, RECIPE, SEED = MISSING.replace("seed", "").split("/")
WILDCARDS = SimpleNamespace(
    dataset=DATASET, backbone=BACKBONE, init=INIT, recipe=RECIPE, fold="", seed=SEED
)
TIME = "slurmstepd: error: *** JOB 1 ON n1 CANCELLED AT x DUE TO TIME LIMIT ***\n"
MEM = "slurmstepd: error: Detected 1 oom_kill event in StepId=1.0.\n"
CASES = [([], 1, 1), ([MEM], 2, 1), ([TIME], 1, 2), ([MEM, TIME, MEM], 4, 2), ([MEM, ""], 1, 1)]
CASES += [([MEM] * 9, 8, 1)]


@pytest.fixture
def needs(tmp_path, monkeypatch) -> Needs:
    monkeypatch.chdir(tmp_path)
    return Needs(Grid(CONFIG))


@pytest.mark.parametrize(("ends", "memory", "time"), CASES)
def test_only_what_ran_out_is_asked_for_again(needs, ends, memory, time):
    folder = Path(f"logs/slurm/{CONFIG['study']}/rule_train") / "_".join(
        [*MISSING.split("/")[:-1], "", SEED]
    )
    folder.mkdir(parents=True)
    for number, text in enumerate(ends):
        (folder / f"{number + 8}.log").write_text(text)
    assert needs.memory(WILDCARDS) == memory * MEMORY
    assert needs.runtime(WILDCARDS) == time * MINUTES


def test_earlier_cells_of_the_kind_say_what_is_needed(needs):
    sibling = Path(needs.grid.folder(needs.grid.by_path[MISSING])).parent / "seed0"
    sibling.mkdir(parents=True)
    (sibling / "train.jsonl").write_text(json.dumps({"s": 7200, "max_rss": 12000}) + "\n")
    assert needs.memory(WILDCARDS) == 24000
    assert needs.runtime(WILDCARDS) == 240
    (sibling / "memory.json").write_text('{"max_rss": 13000}')
    assert Needs(needs.grid).memory(WILDCARDS) == 26000, "said by the training, so it goes first"


def test_the_first_cell_of_a_kind_asks_by_its_pixels(needs):
    pixels = Path(f"results/data/{DATASET}/pixels.npy")
    pixels.parent.mkdir(parents=True)
    with pixels.open("wb") as file:
        file.truncate(3_000_000_000)
    assert needs.runtime(WILDCARDS) == 2 * 3_000_000_000 * 20 // 5_000_000 // 60


@pytest.mark.parametrize("kind", [Rules, Needs])
def test_snakemake_finds_the_arguments_of_a_method_without_working_them_out(kind):
    """By an attribute that it looks at first; they have to be those of the method."""
    method = (kind.pixels if kind is Rules else kind.memory).__get__(object())
    found = get_function_params(method)
    assert found is method._overwrite_params
    assert found == dict(inspect.signature(method).parameters)
