"""A slow disk and a wrong clock, for tests; Python imports this if PYTHONPATH names its place.

Under `SLOW_FOLDER` each request takes a while, and outside of jobs a file is seen only some seconds
after it was written: a network file system answers late, and from what it remembers of a folder.

With `CLOCK_BEHIND`, Python's clock is so many seconds behind, and files are touched by it: in jobs,
or outside of them where `CLOCK_OF` is `login`.
"""

import os
import sys
import time
from pathlib import Path

FOLDER = os.environ.get("SLOW_FOLDER", "")
REQUEST = 0.05  # seconds that opening, renaming … takes
UNSEEN = 3.0  # seconds until another machine sees a file
REQUESTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir"}
true_stat, true_lstat = os.stat, os.lstat
BEHIND = float(os.environ.get("CLOCK_BEHIND", "0"))
true_time, true_utime = time.time, os.utime


def inside(path) -> bool:
    """True if a path, or another name of a file, lies in the folder."""
    if not isinstance(path, (str, os.PathLike)):
        return False
    return str(Path(path).absolute()).startswith(f"{FOLDER}/")


def wait(event: str, arguments: tuple) -> None:
    """Before a request."""
    if event in REQUESTS and inside(arguments[0]):
        time.sleep(REQUEST)


def late(true):
    """`os.stat` that does not see a new file yet."""

    def stat(path, *args, **kwargs):
        found = true(path, *args, **kwargs)
        if inside(path) and time.time() < found.st_ctime + UNSEEN:
            raise FileNotFoundError(2, "not seen yet", path)
        return found

    return stat


def utime(path, times=None, *, ns=None, **more):
    """`os.utime` by the wrong clock."""
    if times is None and ns is None:
        times = (time.time(), time.time())
    if ns is not None:
        more["ns"] = ns
    return true_utime(path, times, **more)


if BEHIND and ("SLURM_JOB_ID" in os.environ) == (os.environ["CLOCK_OF"] == "job"):
    time.time, os.utime = (lambda: true_time() - BEHIND), utime
if FOLDER:
    sys.addaudithook(wait)
    if "SLURM_JOB_ID" not in os.environ:
        os.stat, os.lstat = late(true_stat), late(true_lstat)
