"""CPUs of jobs on other machines are not bounded by those of the machine that sends them."""

from types import SimpleNamespace

from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from cxrgrid.cluster import job_cpus


def test_what_jobs_ask_for_is_not_cut_down_to_the_cpus_here(monkeypatch):
    seen = []
    for name, value in (("__init__", lambda *known: seen.append(known)), ("cores", 2)):
        monkeypatch.setattr(RemoteExecutor, name, value)
    monkeypatch.delattr(RemoteExecutor, "wrapped", raising=False)
    job_cpus.install()
    begun = RemoteExecutor.__init__
    job_cpus.install()
    assert RemoteExecutor.__init__ is begun, "done once"
    workflow = SimpleNamespace(global_resources={"_cores": 2})
    begun("self", workflow, "logger")
    assert workflow.global_resources["_cores"] > 1000
    assert seen == [("self", workflow, "logger")] and RemoteExecutor.cores.fget(None) == "all"
    del RemoteExecutor.wrapped
