"""Commands of one job as forks of a process that has imported, each with an end of its own.

A training imports for longer than a small cell trains. In a context of `serving` each
`python -m cxrgrid.<command>` hands itself over to a server (`hand_over`), which imports what the
command imports, once, and goes on as that command in a fork: with the arguments, environment,
folder and streams of who asked, before CUDA or a thread is started. Nothing is shared afterwards:
who asked stays as long as its fork, ends as it ends, passes signals on and takes it along if it is
killed; a server that dies ends none of them. Who finds no server of its own Python, or with
another PYTHONPATH, imports for itself.
"""

import array
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

SERVER = "CXRGRID_FORKS"  # in the environment: the server's socket
PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # from who asked to the fork
STREAMS = 3
# No threads before the forks: not of numpy's BLAS, nor of the allocator of pyarrow.
SINGLE = {"OMP_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """The environment in which commands are forks of one server, which ends with the context."""
    with tempfile.TemporaryDirectory(prefix="cxrgrid-") as folder, contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        try:
            listener.bind(f"{folder}/socket")
        except OSError:  # the folder's path is longer than a socket's may be
            yield {}
            return
        listener.listen(128)
        server = subprocess.Popen(
            [sys.executable, "-m", "cxrgrid.io.forks", str(listener.fileno())],
            stdin=subprocess.PIPE,
            env=os.environ | SINGLE | {"PYTHONUTF8": "1"},
            pass_fds=[listener.fileno()],
        )
        listener.close()
        try:
            yield {SERVER: f"{folder}/socket"}
        finally:
            server.stdin.close()
            server.wait()


# ------------------------------------------------------------------ who asks


def hand_over(words: list[str]) -> None:
    """Become a fork of the server, if it is there; else return. Called before any long import.

    words: a module of ours and its arguments.
    """
    path = os.environ.pop(SERVER)
    if words[0].startswith("-"):  # -mcxrgrid.train
        return
    with socket.socket(socket.AF_UNIX) as server, server.makefile("rw") as talk:
        child = 0
        with contextlib.suppress(OSError, ValueError):
            server.connect(path)
            asked = {"words": words, "env": dict(os.environ), "cwd": str(Path.cwd()), **like()}
            asked["deaf"] = [n for n in PASSED if signal.getsignal(n) == signal.SIG_IGN]
            streams = array.array("i", range(STREAMS))
            server.sendmsg([b"+"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
            print(json.dumps(asked), file=talk, flush=True)
            child = int(talk.readline())
        if child:
            for number in PASSED:
                signal.signal(number, lambda number, _: tell(child, number))
            end_as(int(talk.readline() or -signal.SIGKILL))


def like() -> dict[str, str]:
    """Facts in which a server and who asks it are to be alike."""
    return {"python": f"{sys.executable} {sys.version}", "path": os.environ.get("PYTHONPATH", "")}


def tell(child: int, number: int) -> None:
    """Pass a signal on, unless the fork has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def end_as(status: int) -> None:
    """End this process as its fork has ended; below 0: by that signal."""
    if status < 0:
        if -status in PASSED:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


# ------------------------------------------------------------------ the server


def serve(listener: socket.socket) -> None:
    """Fork for each who asks, until standard input ends."""
    for number in PASSED:  # meant for the commands, though a job's all processes get them
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(60)
            asked, streams = request(connection)
            if {name: asked[name] for name in like()} == like():
                prepare(asked["words"][0])
                if not os.fork():
                    listener.close()
                    attend(connection, asked, streams)
            for stream in streams:
                os.close(stream)
        reap()
    reap()


def reap() -> None:
    """Collect forks that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def request(connection: socket.socket) -> tuple[dict, array.array]:
    """A command as it was asked for, and its streams."""
    _, messages, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(4 * STREAMS))
    with connection.makefile("r") as talk:
        return json.loads(talk.readline()), array.array("i", messages[0][2])


def prepare(name: str) -> None:
    """Import what a command imports; the command itself is run anew in each fork."""
    with contextlib.suppress(Exception):  # which its fork meets again, and says
        importlib.import_module(name)
        sys.modules.pop(name)
        gc.freeze()


def attend(connection: socket.socket, asked: dict, streams: array.array) -> None:
    """Between server and command: tell who asked the fork's number, and its status at the end."""
    connection.settimeout(None)
    child = os.fork()
    if not child:
        become(connection, asked, streams)
    for stream in streams:
        os.close(stream)
    connection.sendall(b"%d\n" % child)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        connection.sendall(b"%d\n" % status)
    os._exit(0)


def become(connection: socket.socket, asked: dict, streams: array.array) -> None:
    """Go on as `python -m` in the folder, environment and streams of who asked."""
    for number in {*PASSED} - {*asked["deaf"]}:  # those that are ignored stay so, as in a new one
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # Python's own streams know of the server's whether they can seek.
    raw = [io.BufferedWriter(io.FileIO(number, "w", closefd=False)) for number in (1, 2)]
    sys.stdout, sys.stderr = (io.TextIOWrapper(one, line_buffering=True) for one in raw)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv, sys.path[0] = asked["words"], asked["cwd"]
    threading.Thread(target=end_with, args=[connection], daemon=True).start()
    run(asked["words"][0])


def end_with(connection: socket.socket) -> None:
    """Wait until who asked is gone, and end as it did: killed."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def run(name: str) -> None:
    """Run a module as `python -m` does, and end the process."""
    code = 1
    try:
        limit_threads(os.environ.get("OMP_NUM_THREADS", ""))
        runpy.run_module(name, None, "__main__", True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # as an interpreter would, but that it takes down no imports
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def limit_threads(asked: str) -> None:
    """Let numpy's BLAS have the threads that the command asks for: the server has one."""
    if asked.isdigit() and int(asked) > 1:
        from threadpoolctl import threadpool_limits

        threadpool_limits(int(asked))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)
