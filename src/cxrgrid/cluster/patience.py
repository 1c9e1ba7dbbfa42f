"""Slurm's commands, for which a busy Slurm takes a while, and a mute one is given up."""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence

SOON = 10  # seconds in which a Slurm answers that is idle; after them a line says who is waited for
PATIENCE = 60  # seconds in which one answers that is busy
LONG = 120  # seconds after which a run that cannot do without an answer ends


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-c before the first job, when it may be Slurm that is waited for, is no traceback."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("error: interrupted before the first job; nothing was sent")


def run(
    command: Sequence[str] | str, seconds: float | None = None
) -> subprocess.CompletedProcess[str] | None:
    """A command when it has ended; None where it is not there, or has not ended in time.

    command: words, or a line for the shell; seconds: `PATIENCE` by default.
    """
    with contextlib.suppress(OSError):
        line = isinstance(command, str)
        pipe = subprocess.PIPE
        asked = subprocess.Popen(
            command, shell=line, stdout=pipe, stderr=pipe, text=True, errors="replace"
        )
        more = (seconds or PATIENCE) - SOON
        for wait in (SOON, more):
            with contextlib.suppress(subprocess.TimeoutExpired):
                out, err = asked.communicate(timeout=wait)
                return subprocess.CompletedProcess(command, asked.returncode, out, err)
            if wait == SOON:
                name = shlex.split(command)[0] if line else command[0]
                said = f"Slurm has not answered for {SOON} s ({name}); {more:g} s more."
                print(said, file=sys.stderr)
        asked.kill()
        asked.wait()
    return None
