"""Cost of a cell beside its training: cells that do nothing, through a real Slurm.

All else is as in a run: the plan, the queue, a job per cell with Snakemake in it, files looked for
and noted. Only the training's command is replaced, by one that makes empty files.

Example:
  python tests/cluster/overhead.py --cells 60 --cells-per-gpu 8
"""

import argparse
import contextlib
import copy
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import slurm
from sites import ROOT, STUDY, Site

GPUS = 2 * len(slurm.NODES)


def prepare(folder: Path, env: dict[str, str], cells: int) -> Site:
    """A site whose trainings do nothing, with its data ready."""
    study = copy.deepcopy(STUDY)
    study["grid"]["seeds"] = list(range(cells))
    site = Site(folder, env, study)
    (folder / "workflow").unlink()
    shutil.copytree(ROOT / "workflow", folder / "workflow")
    (folder / "envs").symlink_to(ROOT / "envs")
    rules = folder / "workflow/rules/train.smk"
    command = r'"python -m cxrgrid\.train .*?2>&1"'
    text, replaced = re.subn(command, '"touch {output} {log}"', rules.read_text(), flags=re.S)
    assert replaced == 1
    rules.write_text(text)
    status, said = site.run("results/data/ward/audit.json", "--cores", "2")
    assert status == 0, said
    return site


def follow(run: subprocess.Popen, cluster: slurm.Cluster) -> tuple[float, float]:
    """Wait for a run: seconds of GPUs held by its trainings, and its peak memory in MB."""
    held, peak, last = 0.0, 0.0, time.perf_counter()
    while run.poll() is None:
        peak = max(peak, memory(run.pid))
        time.sleep(1)
        now = time.perf_counter()
        held += (now - last) * len(cluster.jobs("train", states="RUNNING,COMPLETING"))
        last = now
    return held, peak


def memory(pid: int) -> float:
    """Most memory that a process itself has had so far, in MB; 0 if it has ended.

    What the system says of ended processes is the largest of all below them: the one that tries the
    networks, with torch, say.
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    """Start a cluster, send the cells through it, print what each took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=60)
    parser.add_argument("--cells-per-gpu", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, slurm.running() as cluster:
        site = prepare(Path(name), cluster.env, args.cells)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        together = f"train:cells_per_gpu={args.cells_per_gpu}"
        run = site.train("--set-resources", together, "--jobs", str(100 * args.cells_per_gpu))
        held, peak = follow(run, cluster)
        status, said = site.finish(run)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        sent = {log.name for log in site.folder.glob("logs/slurm/tiny/rule_train/*/*.log")}
    assert status == 0, said
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{args.cells} cells that do nothing, {args.cells_per_gpu} on a GPU, {GPUS} GPUs:")
    print(f"{seconds:.0f} s, {len(sent)} submissions")
    print(f"a cell: {seconds / args.cells:.1f} s, {held / args.cells:.1f} s of a GPU")
    print(
        f"the Snakemake that sends them: {peak:.0f} MB at most; with the commands that it starts "
        f"{busy / args.cells:.2f} CPU-s a cell"
    )


if __name__ == "__main__":
    main()
