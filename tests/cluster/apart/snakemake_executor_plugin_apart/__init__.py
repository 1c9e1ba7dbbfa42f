"""Jobs in empty folders, as on machines that share nothing but the storage; for tests alone."""

import os
import subprocess
import tempfile

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings

# As the plugins for Kubernetes and AWS Batch have them.
common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=True,
    job_deploy_sources=True,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    init_seconds_before_status_checks=0,
)
KNOWN = ("PATH", "PYTHONPATH", "HOME", "OMP_NUM_THREADS")  # variables that a job has


class Executor(RemoteExecutor):
    """Starts each job in a folder of its own."""

    def run_job(self, job):
        folder = tempfile.mkdtemp(dir=os.environ["APART"])
        null = subprocess.DEVNULL
        with open(f"{folder}.log", "w") as log:  # noqa: PTH123
            process = subprocess.Popen(
                self.format_job_exec(job),
                shell=True,
                cwd=folder,
                env={name: os.environ[name] for name in KNOWN if name in os.environ},
                stdin=null,
                stdout=log,
                stderr=log,
            )
        aux = {"process": process, "log": f"{folder}.log"}
        self.report_job_submission(SubmittedJobInfo(job, str(process.pid), aux=aux))

    async def check_active_jobs(self, active_jobs):
        for one in active_jobs:
            status = one.aux["process"].poll()
            if status is None:
                yield one
            elif status:
                self.report_job_error(one, msg=f"ended with {status}", aux_logs=[one.aux["log"]])
            else:
                self.report_job_success(one)

    def cancel_jobs(self, active_jobs):
        for one in active_jobs:
            one.aux["process"].terminate()

    def get_python_executable(self):
        return "python"
