"""setuptools as the build backend (PEP 517), with one file more in an editable wheel (PEP 660).

Snakemake imports its plugins folder by folder of Python's path, in which a clone that is installed
with `pip install -e` comes last. snakemake_executor_plugin_cxrgrid has to come before the plugin
for Slurm: it is installed as a copy.
"""

import shutil
import tempfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403
from wheel.wheelfile import WheelFile  # setuptools brings it

PLUGIN = "snakemake_executor_plugin_cxrgrid"


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Write an editable wheel that holds the plugin; its file name."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    path = Path(wheel_directory, name)
    with tempfile.TemporaryDirectory() as content:
        with WheelFile(path) as wheel:
            wheel.extractall(content)
        shutil.copytree(
            f"src/{PLUGIN}", f"{content}/{PLUGIN}", ignore=shutil.ignore_patterns("__pycache__")
        )
        with WheelFile(path, "w") as wheel:
            wheel.write_files(content)
    return name
