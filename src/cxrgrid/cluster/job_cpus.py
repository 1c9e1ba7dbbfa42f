"""CPUs of jobs on other machines: bounded by those machines, not by the one that sends the jobs.

`cores: all` of the default profile is this machine's number. Snakemake would cut down to it what
the jobs of any engine ask for, and what they use there.
"""

from functools import wraps
from typing import Any

MOST = 2**31  # no machine has as many


def install() -> None:
    """Change what all executors of other machines have in common, in this process."""
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    if "wrapped" in vars(RemoteExecutor):
        return
    begin = RemoteExecutor.__init__

    @wraps(begin)
    def init(self: Any, workflow: Any, *arguments: Any, **more: Any) -> None:
        workflow.global_resources["_cores"] = MOST
        begin(self, workflow, *arguments, **more)

    RemoteExecutor.__init__ = init
    RemoteExecutor.cores = property(lambda self: "all")
    RemoteExecutor.wrapped = True
