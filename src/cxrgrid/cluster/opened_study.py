"""Steps of reading the Snakefile, in a run and in each of its jobs."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cxrgrid.cluster import (
    aftermath,
    backbone_trials,
    forecast,
    other_settings,
    pooled_patients,
    preflight,
    run_config,
    stored_paths,
)
from cxrgrid.cluster.changed_data import look_for_changes
from cxrgrid.cluster.data_checks import check_data
from cxrgrid.cluster.resources import Needs
from cxrgrid.config.errors import UserError
from cxrgrid.config.explained_cells import Explained
from cxrgrid.config.grid import Grid
from cxrgrid.config.rules import Rules
from cxrgrid.config.shifted_cells import Shifted
from cxrgrid.config.stored_files import Stored


class Study(NamedTuple):
    """The grid, and answers to the rules: settings and inputs, files, resources, chosen cells."""

    grid: Grid
    ask: Rules
    stored: Stored
    needs: Needs
    explained: Explained
    shifted: Shifted


def open_study(workflow: Any, config: dict[str, Any], ancient: Callable, local: Callable) -> Study:
    """The study of a config, checked; a run is registered, and told of what it forgot.

    ancient, local: Snakemake's flags of inputs. A config that is at fault ends the process with
    one line.
    """
    # Rules say `python`: the one that runs Snakemake, whether or not its environment is active.
    own = Path(sys.executable).parent
    os.environ["PATH"] = os.pathsep.join([str(own), *os.get_exec_path()])
    try:
        grid = Grid(run_config.given(config))
        run_config.warn(workflow, grid.check_files() + pooled_patients.warnings(grid))
        check_data(workflow, grid)
        backbone_trials.check(workflow, grid)
    except UserError as error:
        sys.exit(f"error: {run_config.located(workflow, error)}")
    run_config.freeze(workflow, grid)
    changed = look_for_changes(workflow, grid)
    remember = other_settings.recorder(workflow)
    ask = Rules(grid, run_config.recorded(workflow), ancient, changed, remember, local)
    stored = Stored(grid, used=stored_paths.use(workflow.storage_settings))
    preflight.enter(workflow, config.get(run_config.TAKE_OVER, False))
    forecast.of_dry_run(workflow, grid)
    aftermath.attach(workflow, grid)
    shifted = Shifted(grid, stored.used)
    return Study(grid, ask, stored, Needs(grid), Explained(grid), shifted)
