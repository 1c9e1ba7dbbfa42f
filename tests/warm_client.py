"""`python -m …` handed over to the server of warm_python.py; any other `python …` is the real one.

It lies beside the server's socket as `python` and as `snakemake`, and imports as little as it can.
Where another PYTHONPATH is asked for, what the server has imported may not be what is meant there.
"""

import array
import json
import os
import signal
import socket
import sys
from pathlib import Path


def hand_over(address: str, words: list[str]) -> int:
    """Let the server run `python -m words…` as this process; its exit status."""
    asked = {"words": words, "env": dict(os.environ), "cwd": str(Path.cwd())}
    streams = array.array("i", [0, 1, 2])
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        server.sendmsg([b"+"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        with server.makefile("rw") as talk:
            print(json.dumps(asked), file=talk, flush=True)
            child = int(talk.readline())
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, lambda number, _: os.kill(child, number))
            status = int(talk.readline())
    if status < 0:  # it was killed, and so is this
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    folder, name = os.path.split(sys.argv[0])
    words = ["-m", "snakemake", *sys.argv[1:]] if name == "snakemake" else sys.argv[1:]
    path = Path(f"{folder}/PYTHONPATH").read_text()
    if words[:1] != ["-m"] or os.environ.get("PYTHONPATH", "") != path:
        os.execv(sys.executable, [sys.executable, *words])
    sys.exit(hand_over(f"{folder}/socket", words[1:]))
