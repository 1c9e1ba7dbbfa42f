"""An installed cxrgrid has all that a study needs, and `deploy` writes a folder that runs it."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

from cxrgrid import deploy
from cxrgrid.config import shipped
from cxrgrid.reporting import papers
from test_architecture import ROOT
from test_workflow import TINY
from warm_python import warm_python

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_what_is_there_is_kept_and_the_rest_is_written(tmp_path):
    mine = tmp_path / "config/config.yaml"
    mine.parent.mkdir()
    mine.write_text("study: mine\n")
    said = deploy.deploy(tmp_path)
    assert f"kept   {mine}" in said and mine.read_text() == "study: mine\n"
    for profile in ("default", "gpu", "slurm", "workstation"):
        name = f"profiles/{profile}/config.yaml"
        assert (tmp_path / name).read_text() == (ROOT / name).read_text()
    assert all(line.startswith("kept") for line in deploy.deploy(tmp_path))


def test_the_config_names_the_schema_that_lies_there(tmp_path):
    deploy.deploy(tmp_path)
    config = tmp_path / "config/config.yaml"
    (line,) = [line for line in config.read_text().splitlines() if "$schema=" in line]
    assert (config.parent / line.split("$schema=")[1]).is_file()
    assert yaml.safe_load(config.read_text()) == yaml.safe_load((ROOT / "config.yaml").read_text())


def plan(folder: Path, env: dict, *words: str) -> str:
    """Output of a dry run in a folder."""
    command = [*words, "-m", "snakemake", "-n", "-p"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_deployed_folder_plans_its_own_config_and_another(tmp_path):
    deploy.deploy(tmp_path)
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(TINY))
    said = plan(tmp_path, dict(os.environ), warm_python())
    assert "results/tiny/report/report.html" in said and "profiles/default" in said


def test_a_module_from_a_git_repository_finds_its_rules(tmp_path):
    clone, folder = tmp_path / "clone", tmp_path / "mine"
    for name in ("workflow", "envs"):
        (clone / name).parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", ROOT / name, clone], check=True)
    git = ["git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "v1"]):
        subprocess.run([*git, *words], check=True)
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(TINY))
    # As snakedeploy writes it, but for `github`.
    (folder / "Snakefile").write_text(
        'configfile: "config.yaml"\n'
        "module cxrgrid:\n"
        f'    snakefile: gitfile("{clone}", path="workflow/Snakefile", tag="v1")\n'
        "    config: config\n"
        "use rule * from cxrgrid\n"
    )
    said = plan(folder, dict(os.environ), warm_python())
    assert "results/tiny/report/report.html" in said


def test_versions_agree():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == VERSION
    assert f"\n## {VERSION}\n" in (ROOT / "CHANGELOG.md").read_text()
    catalog = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert catalog["usage"]["report"] is True


def test_papers_are_those_of_the_repository():
    assert papers.FOLDER.resolve() == ROOT / "papers"
    assert shipped.SNAKEFILE.resolve() == ROOT / "workflow/Snakefile"


@pytest.mark.long
def test_the_wheel_of_the_sdist_is_a_whole_cxrgrid(tmp_path):
    clone, dist = tmp_path / "clone", tmp_path / "dist"
    files = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    clone.mkdir()
    tar = ["tar", "-c", "--null", "-T", "-"]
    packed = subprocess.run(tar, cwd=ROOT, input=files.stdout, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=clone, input=packed.stdout, check=True)
    dist.mkdir()
    build(clone, "sdist", dist)
    subprocess.run(["tar", "-xf", next(dist.glob("*.tar.gz"))], cwd=tmp_path, check=True)
    build(tmp_path / f"cxrgrid-{VERSION}", "wheel", dist)
    python = throw_away(tmp_path / "venv", next(dist.glob("*.whl")))
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PATH"] = f"{python.parent}:{env['PATH']}"
    said = subprocess.run(["cxrgrid", "--version"], env=env, capture_output=True, text=True)
    assert said.stdout == f"cxrgrid {VERSION}\n", said.stderr
    subprocess.run(["cxrgrid", "deploy", "mine"], cwd=tmp_path, env=env, check=True)
    assert "results/demo/report/report.html" in plan(tmp_path / "mine", env, str(python))
    code = "from cxrgrid.reporting import cell_pages, papers; import cxrgrid; "
    code += "cell_pages.environment().get_template('report.html.j2'); "
    code += "print(len(papers.read(papers.FOLDER)), cxrgrid.__file__)"
    seen = subprocess.run([python, "-c", code], cwd=tmp_path, env=env, capture_output=True)
    count, where = seen.stdout.decode().split()
    assert int(count) == len(papers.read(papers.FOLDER)) and where.startswith(str(tmp_path))


def build(folder: Path, kind: str, dist: Path) -> None:
    """Build an sdist or a wheel as pip does, without a network."""
    code = f"import build_backend as b; b.build_{kind}({str(dist)!r})"
    env = os.environ | {"PYTHONPATH": "envs"}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, check=True)


def throw_away(folder: Path, wheel: Path) -> Path:
    """Python of an environment with the wheel, and beside it what is installed here."""
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    own = next(folder.glob("lib/*/site-packages"))
    (own / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python
