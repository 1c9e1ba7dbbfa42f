# A grid of chest X-ray experiments: dataset × backbone × init × recipe × fold × seed.
#
#   snakemake                                          the embedded demo (config.yaml)
#   snakemake --configfile studies/kermany.yaml        a study
#   snakemake --profile slurm --configfile …           the same on a cluster
#
# data → train → evaluate → report; docs/design.md says which file lies where.
import os
import sys

from snakemake.utils import min_version

from cxrgrid.cluster import aftermath, backbone_trials, forecast, preflight, run_config
from cxrgrid.cluster.data_checks import check_data
from cxrgrid.cluster.resources import Needs
from cxrgrid.config.errors import UserError
from cxrgrid.config.explained_cells import Explained
from cxrgrid.config.grid import Grid
from cxrgrid.config.rules import Rules

min_version("9.27")

run_config.check_file(workflow, config)
if "datasets" not in config:

    configfile: "config.yaml"


# Rules say `python`: the one that runs Snakemake, whether or not its environment is active.
os.environ |= {"PATH": os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()])}

try:
    grid = Grid(run_config.given(config))
    grid.check_files()
    backbone_trials.check(workflow, grid)
    check_data(workflow, grid)
except UserError as error:
    sys.exit(f"error: {run_config.located(workflow, error)}")
run_config.freeze(workflow, grid)
ask = Rules(grid, run_config.recorded(workflow))
needs = Needs(grid)
explained = Explained(grid)
preflight.enter(workflow)
preflight.tell_changes(workflow, grid)
forecast.of_dry_run(workflow, grid)
aftermath.attach(workflow, grid)


# fold: empty for fold 0, else /fold1 and so on; of a dataset that the grid cross-validates.
# Constraints stand here, since Snakemake does not reach into a pathvar with its own.
pathvars:
    data="results/data/{dataset,[^/]+}",
    study=f"results/{grid.name}",
    cell=f"results/{grid.name}/cells/{{dataset,[^/]+}}/{{backbone,[^/]+}}/{{init,[^/]+}}/"
    "{recipe,[^/]+}{fold,(/fold[0-9]+)?}/seed{seed}",


wildcard_constraints:
    fold="(/fold[0-9]+)?",


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


rule all:
    """Everything that the study asks for."""
    default_target: True
    input:
        rules.report.output,


onstart:
    aftermath.began(workflow, grid)


onerror:
    # The run itself has failed all the same.
    aftermath.failed(workflow, grid, log)
