"""A file that one process holds at a time; the kernel frees it when that process ends, however.

Never stale, unlike a lock that is a file's mere existence. Across machines it holds where the file
system passes flock on (NFS does, Lustre if mounted so); where it does not, nothing is locked.
"""

import fcntl
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from cxrgrid.config.errors import UserError


def hold(path: Path) -> IO[str] | None:
    """The locked open file, until it is closed or the process ends; None if another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:  # a file system without locks
        pass
    return file


def claim(folder: Path) -> IO[str]:
    """A cell's folder for this process alone: keep what is returned. `UserError` if it is taken.

    Two trainings of one cell would write over each other's state.
    """
    held = hold(folder / "train.lock")
    if held is None:
        raise UserError(
            f"{folder}: another process is training this cell; wait for it, or end it first "
            "(python -m cxrgrid.status shows where it runs)"
        )
    return held


def own_gpu() -> IO[str] | None:
    """A GPU for this process alone, by CUDA_VISIBLE_DEVICES; keep what is returned.

    None where there is nothing to choose: under Slurm, which has chosen, and with one GPU or none.
    Call it before CUDA starts. Where all are taken it waits.
    """
    gpus = devices()
    if "SLURM_JOB_ID" in os.environ or len(gpus) < 2:
        return None
    folder = Path(tempfile.gettempdir()) / f"cxrgrid-gpus-{os.getuid()}"
    said = False
    while True:
        for gpu in gpus:
            held = hold(folder / f"{gpu}.lock")
            if held:
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                return held
        if not said:
            print(f"waiting for one of the GPUs {', '.join(gpus)}", file=sys.stderr, flush=True)
        said = True
        time.sleep(1)


def devices() -> list[str]:
    """Numbers of the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [name for name in allowed.split(",") if name]
    found = [path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")]
    return sorted(found, key=int)
