"""No executor: it lets Snakemake load its plugin for Slurm without asking Slurm.

That plugin (2.8.0) asks `scontrol show config` while it is imported, for a help text, and Snakemake
imports all plugins whenever it starts: where Slurm was mute, `snakemake --version` took 10 s.
Plugins are imported folder by folder of Python's path and by name: `cxrgrid` comes before `slurm`
if both are in one folder, where a clone's installation has a copy of this file
(envs/build_backend.py). When jobs are sent the plugin asks again.
"""

import subprocess
import sys
from typing import Any

from snakemake_interface_executor_plugins.executors.base import AbstractExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings

common_settings = CommonSettings(
    non_local_exec=True, implies_no_shared_fs=False, job_deploy_sources=False
)


class Executor(AbstractExecutor):
    """Refuses to be used."""

    def __init__(self, *_: Any) -> None:
        sys.exit("error: cxrgrid is no executor; --executor slurm sends jobs to Slurm")

    run_job = cancel = shutdown = handle_job_success = handle_job_error = __init__


def import_unasked() -> None:
    """Import the plugin for Slurm; what it asks of `scontrol` meanwhile fails at once."""
    run = subprocess.check_output

    def which_alone(command: Any, *words: Any, **more: Any) -> Any:
        if command[0] == "scontrol":
            raise FileNotFoundError("not asked while Snakemake starts")
        return run(command, *words, **more)

    subprocess.check_output = which_alone
    try:
        import snakemake_executor_plugin_slurm  # noqa: F401
    finally:
        subprocess.check_output = run


import_unasked()
