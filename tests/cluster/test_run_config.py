"""Results are kept by their identity, and a config of any content reaches the jobs.

All through Snakemake itself. Results are empty files with the records that cxrgrid 0.1 left: its
texts, for the study beside them, stand in recorded_by_0_1.json.
"""

import copy
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import yaml
from safetensors.torch import save_file
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from cxrgrid import clean, status
from cxrgrid.cluster import run_config
from cxrgrid.cluster.run_config import asked_by
from cxrgrid.config import identity
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.rules import Rules
from demo_config import replaced
from long_tests import by_turns
from warm_python import warm_python

ROOT = Path(__file__).parents[2]
OLD = json.loads(Path(__file__).with_name("recorded_by_0_1.json").read_text())
STUDY, TEXTS = OLD["config"], OLD["params"]
TEXTS.pop("results/tiny/study.json")
# What the commands make beside the file whose text stands in TEXTS.
BESIDE = {
    "pixels.npy": ["pixels.parquet"],
    "cell.json": ["model.safetensors", "history.parquet", "predictions/val.parquet"],
}
ORDER = ["phantom", "index.parquet", "pixels.npy", "table.parquet", "cell.json"]
CELLS = sorted(path.replace("cell.json", "model.safetensors") for path in TEXTS if "cells" in path)
FAR = [path for path in CELLS if "/far/" in path]
# Settings that a later release could have: of which struct, in which file of config/.
ADDED = {
    "Recipe": ("recipe.py", "newthing: bool = False"),
    "Image": ("preparation.py", "newthing: int = 0"),
    "Split": ("preparation.py", "newthing: int | None = None"),
    "Columns": ("preparation.py", "newthing: str = ''"),
    "Phantom": ("preparation.py", "newthing: float = 0.5"),
}


@pytest.fixture(params=by_turns(["as 0.1 wrote them", "as they are written now"], 1))
def made(request, tmp_path) -> Path:
    """A folder in which the study's cells have been trained."""
    texts = TEXTS if request.param == "as 0.1 wrote them" else written_now()
    turns = sorted(texts, key=lambda path: (ORDER.index(Path(path).name), "pretrained" in path))
    keep = FilePersistence(path=tmp_path / ".snakemake")
    for time, path in enumerate(turns):
        for name, params in outputs(path, texts[path]).items():
            put(tmp_path / name, time)
            left = MetadataRecord(params=[repr(params)], record_format_version=6, incomplete=False)
            keep._write_record(name, left)
    return tmp_path


def outputs(path: str, text: str) -> dict[str, str]:
    """Records of the job that makes `path` from `text`, and of an audit, with their params."""
    own, name = Path(path).parent, Path(path).name
    made = {str(own / each): text for each in (name, *BESIDE.get(name, []))}
    if name == "cell.json":
        made[f"{own}/predictions/{own.parts[3]}.parquet"] = text
    if name == "table.parquet":
        made |= {f"{own}/audit.json": "", f"{own}/hashes.npy": ""}
    return made


def written_now() -> dict[str, str]:
    """The texts of TEXTS as this version writes them, where nothing is recorded."""
    rules, found = Rules(Grid(STUDY), lambda path: []), {}
    for cell in rules.grid.cells:
        found[f"{rules.grid.folder(cell)}/cell.json"] = identity.identity(cell)
    for dataset in STUDY["datasets"]:
        named = type("Wildcards", (), {"dataset": dataset, "image": "", "fold": ""})
        own = (rules.phantom, rules.index, rules.image, rules.split)
        for ask, name in zip(own, ORDER, strict=False):
            found[f"results/data/{dataset}/{name}"] = ask(named)
    return found


def put(path: Path, time: int) -> None:
    """An empty file, or for a phantom a folder, made at its turn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if path.name == "phantom" else path.touch()
    os.utime(path, (1_700_000_000 + time, 1_700_000_000 + time))


def snakemake(folder: Path, config: dict | None, *words: str, package: Path | None = None):
    """Snakemake in `folder`; package: the folder of another cxrgrid, for it to import."""
    command = [warm_python(), "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    if config is not None:
        (folder / "study.yaml").write_text(yaml.safe_dump(config))
        command += ["--configfile", "study.yaml"]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--cores", "1"]
    own = os.environ | ({"PYTHONPATH": str(package)} if package else {})
    done = subprocess.run([*command, *words], capture_output=True, text=True, cwd=folder, env=own)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(folder: Path, config: dict = STUDY, package: Path | None = None) -> set[str]:
    """The rules that would run for the cells."""
    said = snakemake(folder, config, "--dry-run", "-p", *CELLS, package=package)
    assert "rule train" in said or "Nothing to be done" in said
    return set(re.findall(r"^(?:local)?rule (\w+):", said, re.M))


@pytest.fixture
def release(tmp_path_factory) -> Path:
    """A copy of the package that a test may turn into another release; its folder."""
    folder = tmp_path_factory.mktemp("release")
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src/cxrgrid", folder / "cxrgrid", ignore=leave)
    return folder


def edit(package: Path, name: str, old: str, new: str) -> None:
    """Change one place of a file in config/."""
    path = package / "cxrgrid/config" / name
    text = path.read_text()
    assert text.count(old) == 1, (name, old)
    path.write_text(text.replace(old, new))


def test_what_was_made_is_kept(made):
    assert planned(made) == set()


def test_a_release_with_more_settings_keeps_what_was_made(made, release):
    for struct, (name, line) in ADDED.items():
        path = release / "cxrgrid/config" / name
        head = re.search(rf'class {struct}\(.*?\):\n    """.*?"""\n', path.read_text(), re.S)[0]
        edit(release, name, head, f"{head}\n    {line}\n")
    assert planned(made, package=release) == set()
    # They are settings: a study that uses them makes what they reach.
    config = replaced(STUDY, "recipes.default.newthing", True)
    assert planned(made, config, package=release) == {"train"}
    config = replaced(STUDY, "datasets.near.split.newthing", 3)
    assert planned(made, config, package=release) == {"split", "audit", "train"}


def test_the_name_of_the_copy_stands_in_no_rule_whose_text_snakemake_compares():
    """Without the default profile, unfound from another folder, a new title would train again."""
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        assert "frozen" not in path.read_text(), path
    assert str(Rules(Grid(STUDY), lambda _: []).study) == Grid(STUDY).frozen


def test_a_default_that_is_written_out_keeps_what_was_made(made):
    config = copy.deepcopy(STUDY)
    config["recipes"]["default"] |= {"lr": 1e-3, "optimizer": "adamw", "weight_decay": 0.05}
    config["datasets"]["near"]["image"] |= {"resize": "squash", "blur": 0}
    config["datasets"]["near"] |= {"columns": {"file": "labels.csv"}, "uncertain": "ignore"}
    config["datasets"]["far"] |= {"unreadable": 0.01, "split": {"fractions": [0.7, 0.1, 0.2]}}
    assert planned(made, config) == set()


def test_a_setting_that_is_changed_is_trained(made):
    assert planned(made, replaced(STUDY, "recipes.default.lr", 0.002)) == {"train"}
    jobs = planned(made, replaced(STUDY, "datasets.near.image.resize", "fit"))
    assert jobs == {"pixels", "split", "audit", "train"}


def test_a_default_that_is_changed_is_declared_and_makes_anew(made, release):
    edit(release, "recipe.py", "gt=0)] = 0.001", "gt=0)] = 0.002")
    edit(release, "identity.py", '"train": 1', '"train": 2')
    assert planned(made, package=release) == {"train"}
    edit(release, "preparation.py", '] = "squash"', '] = "fit"')
    edit(release, "identity.py", '"pixels": 1', '"pixels": 2')
    assert planned(made, package=release) == {"pixels", "split", "audit", "train"}


def test_a_printed_training_command_is_one_readable_line(tmp_path):
    said = snakemake(tmp_path, STUDY, "--dry-run", "-p", *FAR)
    (line,) = re.findall(r"python -m cxrgrid\.train .*", said)
    assert line.startswith(
        'python -m cxrgrid.train \'{"study": "tiny", "dataset": "far", "backbone": "test_resnet", '
        '"init": "scratch", "recipe": "default", "seed": 0, "epochs": 2, "batch_size": 16, '
        '"channels": 1}\' --data results/data/far'
    )
    assert re.search(r"cxrgrid\.pixels '\{\"size\": 32\}'", said)
    assert re.search(r"cxrgrid\.split '\{\}'", said)


# ------------------------------------------------------------------ the config of a run


def braces(folder: Path) -> dict:
    """A study with braces wherever text may stand, of more than 150 kB; its images and weights."""
    for patient in range(10):
        for label in ("a", "b"):
            path = folder / f"images/{label}/p{patient:05}_{label}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (folder / "w").mkdir()
    weights = timm.create_model("test_resnet", in_chans=1).state_dict()
    save_file(weights, folder / "w/test_resnet.safetensors")
    override = {"backbone": "test_resnet", "dataset": "mine", "set": {"lr": 0.01}}
    return {
        "study": "braces",
        "title": "What is {x}, {{y}} and {config[z]}? " + "{" * 3,
        "datasets": {
            "mine": {"adapter": "folder", "root": "images", "patient": r"^(p\d{5})_"},
            "other{": {"adapter": "csv", "root": "images", "labels": ["{a}", "b {c}"]},
        },
        "weights": {"mine": "w/{backbone}.safetensors"},
        "overrides": [override] * 2500,
        "grid": {"datasets": ["mine"], "backbones": ["test_resnet"], "inits": ["mine"]},
    }


def test_braces_in_a_config_are_plain_text_and_its_size_does_not_matter(tmp_path):
    config = braces(tmp_path)
    config["datasets"]["other"] = config["datasets"].pop("other{")
    assert len(json.dumps(config)) > 150_000
    said = snakemake(tmp_path, config, "--dry-run", "-p")
    assert r'"patient": "^(p\\d{5})_"' in said and "w/test_resnet.safetensors" in said
    snakemake(tmp_path, config, "results/braces/study.json", "results/data/mine/index.parquet")
    assert json.loads((tmp_path / "results/braces/study.json").read_text()) == config
    assert "Nothing to be done" in snakemake(tmp_path, config, "results/braces/study.json")


def test_a_setting_on_the_command_line_is_in_the_study_as_it_is_run(tmp_path):
    target = "results/tiny/study.json"
    snakemake(tmp_path, STUDY, target, "--config", "title={x} or {y}")
    assert json.loads((tmp_path / target).read_text()) == STUDY | {"title": "{x} or {y}"}
    assert "Nothing to be done" not in snakemake(tmp_path, STUDY, target, "--dry-run")


JOBS = """
include: "{root}/Snakefile"


rule edit:
    output:
        "edited",
    shell:
        "echo 'study: another' > study.yaml; touch edited"


rule read:
    input:
        "edited",
    output:
        "read.json",
    run:
        import json

        json.dump(config, open(output[0], "w"))
"""


def test_a_config_that_is_edited_while_jobs_wait_is_not_theirs(tmp_path):
    """A `run` job reads the workflow anew, as a job on a cluster does."""
    (tmp_path / "Jobs").write_text(JOBS.format(root=ROOT))
    snakemake(tmp_path, STUDY, "read.json", "--snakefile", "Jobs", "--config", "title=Mine")
    assert (tmp_path / "study.yaml").read_text() == "study: another\n"
    assert json.loads((tmp_path / "read.json").read_text()) == STUDY | {"title": "Mine"}


def test_a_job_of_a_run_that_another_cxrgrid_planned_ends(monkeypatch):
    job = SimpleNamespace(is_main_process=False)
    for planned in (None, run_config.digest()):
        monkeypatch.delenv(run_config.PLANNED, raising=False)
        if planned:
            monkeypatch.setenv(run_config.PLANNED, planned)
        run_config.freeze(job, None)
    monkeypatch.setenv(run_config.PLANNED, "another")
    with pytest.raises(SystemExit, match="has changed since this run began"):
        run_config.freeze(job, None)


def test_people_are_given_the_file_that_they_can_edit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_config, "FROZEN", ".snakemake/cxrgrid")
    assert asked_by("tiny") == "--configfile results/tiny/study.json"
    snakemake(tmp_path, STUDY, "results/tiny/study.json", "--config", "title=A word or two")
    place = f"--snakefile {ROOT}/Snakefile"  # as the run was given it
    words = f"--configfile study.yaml --config 'title=A word or two' {place}"
    assert asked_by("tiny") == words
    # What no person edits is not named to them.
    again = ("--dry-run", "--configfile", "results/tiny/study.json")
    snakemake(tmp_path, None, "results/tiny/study.json", *again)
    assert asked_by("tiny") == words
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY))
    snakemake(tmp_path, None, "results/tiny/study.json", "--dry-run")
    assert asked_by("tiny") == place


def test_the_command_that_runs_a_study_again_sends_jobs_and_results_where_they_went():
    words = ["snakemake", "--default-storage-prefix=/store", "--profile", "slurm", "-n"]
    words += ["--default-storage-provider", "fs", "--configfile", "study.yaml"]
    words += ["--storage-s3-endpoint-url", "https://s3", "--storage-s3-signed", "-p"]
    storage = ["--default-storage-prefix", "/store", "--default-storage-provider", "fs"]
    storage += ["--storage-s3-endpoint-url", "https://s3", "--storage-s3-signed"]
    assert run_config.places(words) == ["--profile", "slurm", *storage]
    assert run_config.places(["snakemake", "-n"]) == []


def test_results_in_a_storage_are_told_of_and_how_to_see_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_config, "FROZEN", ".snakemake/cxrgrid")
    (tmp_path / ".snakemake/cxrgrid").mkdir(parents=True)
    (tmp_path / ".snakemake/cxrgrid/0.json").write_text(json.dumps({"study": "tiny"}))
    assert run_config.elsewhere() == ""
    shown = {"store": f"ln -s {tmp_path}/store/results/tiny results/tiny", "s3://b/c": "copy its "}
    for prefix, how in shown.items():
        run_config.storage_of("tiny").write_text(prefix)
        said = run_config.elsewhere()
        assert how in said and f"those of tiny lie in a storage, {prefix}" in said
        assert run_config.elsewhere("other") == ""
        for command in (status.studies, clean.main):
            with pytest.raises(UserError, match="lie in a storage"):
                command([])
