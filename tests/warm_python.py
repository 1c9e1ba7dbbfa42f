"""A `python` whose imports are done: it stands in for the interpreter where a test runs many.

Every command of a study imports for seconds what the one before it had imported. A server imports
all of it once; each `python -m …` then is a fork of that server, with the arguments, environment,
folder and streams of who asked. What differs from a new interpreter is the start alone: `make demo`
and the tests on a cluster take new ones, and a test compares the bits of both.

A folder of its own has `python` and `snakemake` (warm_client.py), which hand over to the server. It
ends with the process that started it.
"""

import array
import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import cxrgrid
from cxrgrid.io import cli

SERVED = "CXRGRID_TESTS_PYTHON"  # in the environment: the `python` of a server that runs already


@functools.cache
def warm_python() -> str:
    """Start the server, once a process; the path of the `python` that it serves."""
    if SERVED in os.environ:
        return os.environ[SERVED]
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    (folder / "PYTHONPATH").write_text(os.environ.get("PYTHONPATH", ""))
    for name in ("python", "snakemake"):
        client = Path(__file__).with_name("warm_client.py").read_text()
        (folder / name).write_text(f"#!{sys.executable} -SE\n{client}")
        (folder / name).chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, __file__, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(end, server, folder)
    assert server.stdout.readline() == b"ready\n"
    return str(folder / "python")


def end(server: subprocess.Popen, folder: Path) -> None:
    """End the server."""
    server.stdin.close()
    server.wait(60)
    shutil.rmtree(folder)


def import_all() -> None:
    """Everything that commands import, but for the commands, and Snakemake."""
    for found in pkgutil.walk_packages(cxrgrid.__path__, "cxrgrid."):
        if found.ispkg or found.name.count(".") > 1:
            importlib.import_module(found.name)
    importlib.import_module("snakemake.cli")
    gc.freeze()


def serve(folder: Path) -> None:
    """Fork for each who asks, until standard input ends."""
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if not os.fork():
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection, str(folder / "python"))
            connection.close()


def reap() -> None:
    """Collect children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def answer(connection: socket.socket, python: str) -> None:
    """Run what is asked for in a child; say its pid, then its exit status."""
    _, messages, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(12))
    streams = array.array("i", messages[0][2])
    with connection.makefile("rw") as talk:
        asked = json.loads(talk.readline())
        child = os.fork()
        if not child:
            become(asked, streams, python)
        print(child, file=talk, flush=True)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, file=talk, flush=True)
    os._exit(0)


def become(asked: dict, streams: array.array, python: str) -> None:
    """Go on as `python -m` in the folder, environment and streams of who asked."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # Python's own streams know of the server's whether they can seek.
    raw = [io.BufferedWriter(io.FileIO(number, "w", closefd=False)) for number in (1, 2)]
    sys.stdout, sys.stderr = (io.TextIOWrapper(one, line_buffering=True) for one in raw)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv, sys.path[0], sys.executable = asked["words"], asked["cwd"], python
    try:
        cli.leave(cli.status(lambda _: runpy.run_module(sys.argv[0], None, "__main__", True)))
    except BaseException:  # as an interpreter would, but that it takes down no imports
        traceback.print_exc()
        cli.leave(1)


if __name__ == "__main__":
    import_all()
    serve(Path(sys.argv[1]))
    cli.leave(0)  # some imports complain when an interpreter is taken down
