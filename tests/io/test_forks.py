"""`forks`: commands that do their imports once between them, and share nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from cxrgrid.io import forks
from test_train import answers, make_cell, make_data

ASKING = "import sys; from cxrgrid.io import forks; forks.hand_over(sys.argv[1:]); print('alone')"
# A command: it imports what is long to import, and then does what its arguments say.
COMMAND = """
import os, signal, slow, sys, time
if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
    print(os.getpid(), os.environ["NAME"], os.getcwd(), *sys.argv[1:], flush=True)
    print("no", file=sys.stderr, flush=True)
    exec(" ".join(sys.argv[1:]))
"""


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Start a command that is to be a fork; the server's environment is to be added."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    (tmp_path / "slow.py").write_text(f"open({str(tmp_path / 'times')!r}, 'a').write('once')")
    (tmp_path / "command.py").write_text(COMMAND)
    (tmp_path / "here").mkdir()

    def start(env: dict[str, str], doing: str, **more: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", ASKING, "command", doing],
            env=os.environ | env | {"NAME": "n"} | more,
            cwd=tmp_path / "here",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def fork_of(process: subprocess.Popen) -> int:
    """Pid of the fork that a command has become, once it runs."""
    return int(process.stdout.readline().split()[0])


def gone(pid: int) -> bool:
    """True if a process ends within some seconds."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.01)
    return False


def test_each_has_its_own_words_streams_and_end_and_imports_are_done_once(ask, tmp_path):
    with forks.serving() as env:
        first, second = ask(env, "sys.exit(3)"), ask(env, "x = 1", NAME="m")
        ends = [(*process.communicate(), process.returncode) for process in (first, second)]
    said = [out.split(" ", 1)[1] for out, _, _ in ends]
    assert said == [f"n {tmp_path}/here sys.exit(3)\n", f"m {tmp_path}/here x = 1\n"]
    assert [(err, status) for _, err, status in ends] == [("no\n", 3), ("no\n", 0)]
    assert (tmp_path / "times").read_text() == "once"


def test_a_fork_that_is_killed_ends_whoever_asked_likewise_and_no_other(ask):
    with forks.serving() as env:
        killed, other = ask(env, "time.sleep(60)"), ask(env, "time.sleep(0.2)")
        os.kill(fork_of(killed), signal.SIGKILL)
        assert killed.wait(10) == -signal.SIGKILL
        assert fork_of(other) and other.wait(10) == 0


def test_a_fork_ends_with_whoever_asked_and_hears_its_signals(ask):
    with forks.serving() as env:
        killed, warned = (ask(env, "time.sleep(60)") for _ in range(2))
        left = fork_of(killed)
        killed.kill()
        assert gone(left)
        assert fork_of(warned)
        warned.send_signal(signal.SIGUSR1)
        assert warned.wait(10) == 7


def test_a_signal_that_is_ignored_where_it_is_asked_is_ignored_in_the_fork(ask):
    """As a shell lets it be, until a training is ready for it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which who asks inherits
    try:
        with forks.serving() as env:
            deaf = ask(env, "os.kill(os.getpid(), signal.SIGTERM); sys.exit(4)")
            assert deaf.wait(10) == 4
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_server_that_dies_ends_no_fork_and_later_commands_import_for_themselves(ask):
    with forks.serving() as env:
        running = ask(env, "time.sleep(0.2)")
        between = int(Path(f"/proc/{fork_of(running)}/stat").read_text().split()[3])
        server = int(Path(f"/proc/{between}/stat").read_text().split()[3])
        os.kill(server, signal.SIGKILL)
        assert running.wait(10) == 0
        assert ask(env, "").communicate(timeout=10)[0] == "alone\n"


def test_who_has_other_code_imports_for_itself(ask):
    with forks.serving() as env:
        other = os.environ["PYTHONPATH"] + ":/elsewhere"
        assert ask(env, "", PYTHONPATH=other).communicate(timeout=10)[0] == "alone\n"


def start_training(data: Path, out: Path, env: dict[str, str], seed: int = 0) -> subprocess.Popen:
    """A training as a rule starts it."""
    out.mkdir(parents=True, exist_ok=True)
    cell = make_cell(seed=seed, epochs=8)
    words = [
        "cxrgrid.train",
        msgspec.json.encode(cell).decode(),
        "--data",
        str(data),
        "--out",
        str(out),
    ]
    with (out / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *words], env=os.environ | env, stdout=log, stderr=log
        )


@pytest.mark.long
def test_one_of_four_trainings_is_killed_and_the_bits_of_all_are_those_of_running_alone(tmp_path):
    data, seeds = make_data(tmp_path / "data"), range(4)
    with forks.serving() as env:
        running = [start_training(data, tmp_path / f"f{seed}", env, seed) for seed in seeds]
        while "epoch 2/" not in (tmp_path / "f1/log").read_text():
            time.sleep(0.05)
        running[1].kill()
        assert [process.wait() for process in running] == [0, -signal.SIGKILL, 0, 0]
        assert start_training(data, tmp_path / "f1", env, 1).wait() == 0
    for seed in seeds:
        assert start_training(data, tmp_path / f"a{seed}", {}, seed).wait() == 0
        assert answers(tmp_path / f"f{seed}") == answers(tmp_path / f"a{seed}")


@pytest.mark.long
def test_what_a_training_imports_starts_no_thread_and_not_cuda(tmp_path):
    """Either would be broken in a fork."""
    code = "import os, torch; from cxrgrid.io import forks; forks.prepare('cxrgrid.train'); "
    code += "print(len(os.listdir('/proc/self/task')), torch.cuda.is_initialized())"
    env = os.environ | forks.SINGLE
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert said.stdout == "1 False\n", said.stderr
