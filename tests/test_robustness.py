"""Losses, abstention and unfamiliar images of a study, and the page's part about them."""

import json

import numpy as np
import pandas as pd
import pytest

from conftest import MISSING, write_report, write_study
from cxrgrid import robustness
from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.shifted_cells import Shifted, parts
from cxrgrid.io.parquet import read_parquet, write_parquet

SIZE = {"weak": 0.1, "medium": 1.0, "strong": 30.0}


def write_shifted(study, names) -> None:
    """Write as `shift` would: the stronger the change, the noisier answers."""
    folder = study.parent / "cells"
    for cell in Shifted(Grid(json.loads(study.read_text()))).cells:
        if cell.path() == MISSING:
            continue
        rng = np.random.default_rng([cell.seed, len(cell.path())])
        table, facts = read_parquet(folder / cell.path() / f"predictions/{cell.dataset}.parquet")
        own = table.to_pandas()
        out = folder / cell.path() / "shift"
        for change, strength in parts(names):
            rows = own.copy()
            for name in [name for name in own if name.startswith("p:")]:
                odds = np.log(own[name] / (1 - own[name])) + SIZE[strength] * rng.normal(size=16)
                rows[name] = 1 / (1 + np.exp(-odds))
            rows["distance"] = rng.normal(size=16) + SIZE[strength]
            write_parquet(rows, out / f"{change}-{strength}.parquet", facts)
        others = {
            "dataset": ["elsewhere"] * 8,
            "image": list("abcdefgh"),
            "patient": list("ab") * 4,
        }
        mine = {"dataset": [cell.dataset] * 16} | {n: list(own[n]) for n in ("image", "patient")}
        columns = {name: mine[name] + others[name] for name in mine}
        columns["distance"] = np.append(rng.normal(size=16), rng.normal(size=8) + 9)
        write_parquet(columns, out / "distances.parquet", {})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """study.json of a study with changes, and its four tables."""
    report = {"shifts": ["blur", "noise"], "operating_points": [0.5], "resamples": 100}
    study = write_study(tmp_path_factory.mktemp("shifted") / "results", report=report)
    write_shifted(study, ["noise", "blur"])
    robustness.main([str(study), "--out-dir", str(study.parent / "shifts")])
    files = (study.parent / "shifts").glob("*.parquet")
    return study, {path.stem: read_parquet(path)[0].to_pandas() for path in files}


def test_every_configuration_loses_more_under_a_stronger_change(made):
    losses = made[1]["losses"]
    macro = losses[(losses["metric"] == "auroc") & (losses["label"] == "macro")]
    assert len(macro) == 8 * 2 * 3
    assert (macro["low"] <= macro["difference"]).all() and (macro["high"] > macro["low"]).all()
    sizes = macro.groupby("strength")["difference"].mean()
    assert abs(sizes["weak"]) < 0.05 and sizes["strong"] < sizes["medium"] < sizes["weak"]
    assert np.allclose(macro["value"] - macro["unchanged"], macro["difference"])


@pytest.mark.long
def test_unchanged_values_are_those_of_the_study(made):
    study, tables = made
    report = write_report(study)
    known = pd.read_csv(report / "configurations.csv")
    known = known[known["subset"] == "all"].set_index([*CONFIGURATION, "metric", "label"])["value"]
    losses = tables["losses"]
    # A configuration with a missing seed is asked about in the seeds that are there.
    ours = (
        losses.set_index([*CONFIGURATION, "metric", "label"])["unchanged"]
        .groupby(level=[0, 1, 2, 3, 4, 5])
        .first()
    )
    both = ours.to_frame().join(known, how="inner").dropna()
    assert len(both) > 40
    assert np.allclose(both["unchanged"], both["value"], atol=1e-5)
    shown = json.loads((report / "shifts.json").read_text())
    assert {part["title"] for part in shown["sections"]} == {"ward", "children"}
    assert (report / "abstention.md").read_text() and (report / "unfamiliar.csv").is_file()


def test_a_missing_cell_leaves_its_seed_out(made):
    rows = made[1]["losses"].drop_duplicates(CONFIGURATION).set_index(CONFIGURATION)
    gone = rows.loc[tuple(MISSING.split("/")[:4])]
    assert (gone["seeds"], gone["planned"]) == (1, 2)
    assert (rows.drop(index=[tuple(MISSING.split("/")[:4])])["seeds"] == 2).all()


def test_abstention_and_distances_are_within_bounds(made):
    abstention, unfamiliar = made[1]["abstention"], made[1]["unfamiliar"]
    known = abstention.dropna(subset="value")
    assert known["value"].between(known["low"], known["high"]).all()
    rates = known.pivot(index=CONFIGURATION, columns="measure", values="value")
    assert (rates[["error_rate", "aurc"]] <= 1).all(axis=None)
    ends = made[1]["coverage"].query("coverage == 1").set_index(CONFIGURATION)["risk"]
    assert np.allclose(ends.sort_index(), rates["error_rate"].sort_index())
    assert (unfamiliar[unfamiliar["other"] == "elsewhere"]["value"] > 0.95).all()
    assert set(unfamiliar["other"]) == {"elsewhere", "noise", "blur"}


def test_without_changes_nothing_is_planned_and_the_command_says_so(study):
    grid = Grid(json.loads(study.read_text()))
    assert not Shifted(grid).cells and not Shifted(grid).results()
    assert not {"shifts", "abstention", "unfamiliar"} & {*grid.tables(), *grid.figures()}
    with pytest.raises(UserError, match=r"report\.shifts is empty"):
        robustness.main([str(study), "--out-dir", str(study.parent / "shifts")])


def test_cells_are_those_of_the_grid(made):
    grid = Grid(json.loads(made[0].read_text()))
    assert [cell.axes() for cell in Shifted(grid).cells] == [cell.axes() for cell in grid.cells]
    assert list(grid.cells[0].axes()) == AXES
