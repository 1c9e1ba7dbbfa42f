"""Hardware and versions that trained a study, and the commit of the code."""

import subprocess
from pathlib import Path

import pandas as pd


def runs(cells: pd.DataFrame) -> list[dict]:
    """On which hardware and versions how many cells ran, and how long."""
    done = cells[cells["state"] == "done"].fillna({"hardware": "unknown", "versions": "unknown"})
    groups = done.groupby(["hardware", "versions"])
    return [
        {"hardware": hardware, "versions": versions, "cells": len(part)}
        | {"minutes": part["seconds"].sum() / 60, "speed": part["images_per_second"].median()}
        for (hardware, versions), part in groups
    ]


def commit() -> str:
    """The commit of the code, where it lies in a git repository."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True)
    except (FileNotFoundError, PermissionError):  # no git
        return ""
    return done.stdout.strip()
