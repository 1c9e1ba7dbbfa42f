"""A command that is killed at any of its writes, or has no room, leaves nothing half-written.

Killed: before and after its first fsyncs and renames, then at some of those that follow, by chance.
The same command then ends with the same bytes. Without room: a limit on the size of files stands
for a full disk.
"""

import importlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import cxrgrid
from conftest import write_study
from cxrgrid.io import cli
from small_cell import write_cell
from test_machines import DATA, READINGS, REPORTED, images

POINTS = int(os.environ.get("CXRGRID_KILLS", 8))  # of each command, one after another
CELL = "results/t/cells/toy/test_resnet/scratch/default/seed0"
TRAINED = [
    ["apply", "results/files", f"--cell={CELL}", "--out=applied.csv"],
    ["apply", "results/files", f"--cell={CELL}", "--out=applied.json"],
    ["export", f"--cell={CELL}", "--out=exported"],
    ["predict", CELL, "--data=results/data/toy", "--out=predicted.parquet"],
    ["explain", CELL, "--data=results/data/toy", "--out=explained"],
]
OTHERS = [
    ["choose", "results/demo/study.json", "--out=again.csv"],
    ["study", "results/demo/study.json", "--out=written/study.json"],
    ["deploy", "deployed"],
    # A study that is there is a person's: without --force it is not written over.
    ["new", "images", "--out=new.yaml", "--force"],
]
COMMANDS = DATA + REPORTED + TRAINED + OTHERS
# Processes that fork from one which has imported all of it and started no thread.
FRESH = multiprocessing.get_context("forkserver")
NEEDED = sorted({f"cxrgrid.{command[0]}" for command in COMMANDS})
FRESH.set_forkserver_preload(["test_interrupted", *NEEDED])
PLACES = [str(Path(__file__).parent), str(Path(cxrgrid.__file__).parents[1])]


def at_work(folder: Path, command: list[str], kill: int = -1, room: int = -1) -> tuple[int, str]:
    """Status of a command in a process of its own, negative if killed, and what it said.

    kill: as of `kill_at`; room: the largest file that it may write, in bytes.
    """
    said = folder.with_name("said.txt")
    child = FRESH.Process(target=work, args=(folder, command, said, kill, room))
    child.start()
    child.join()
    return child.exitcode, said.read_text("utf-8", errors="replace")


def work(folder: Path, command: list[str], said: Path, kill: int, room: int) -> None:
    """Run a command in this process, which ends with its status."""
    file = said.open("w", buffering=1, encoding="utf-8")
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    sys.stdout = sys.stderr = file
    os.chdir(folder)
    module = importlib.import_module(f"cxrgrid.{command[0]}")
    if kill >= 0:
        kill_at(kill)
    if room >= 0:
        limit = (room, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        # The file of what is said is no result: it is a pipe to a process without the limit.
        end = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file).stdin
        os.dup2(end.fileno(), 1)
        os.dup2(end.fileno(), 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1)
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    try:
        code = cli.status(lambda argv: module.main(command[1:]))
    except BaseException:
        traceback.print_exc()
        code = 99
    os._exit(code)


def kill_at(point: int):
    """In a process: SIGKILL before (even) or after (odd) one of its calls that make files final."""
    seen = iter(range(1 << 30))
    wrapped = {name: getattr(os, name) for name in ("fsync", "replace", "rename")}

    def counted(call):
        def run(*arguments, **options):
            at = next(seen)
            if 2 * at == point:
                os.kill(os.getpid(), signal.SIGKILL)
            found = call(*arguments, **options)
            if 2 * at + 1 == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return run

    for name, call in wrapped.items():
        setattr(os, name, counted(call))


def content(folder: Path) -> dict[str, bytes]:
    """Bytes of all files; without what is written in passing."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in paths if "index.seen" not in path.name and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """The folder before each command, and after the last."""
    with pytest.MonkeyPatch.context() as patch:
        # Where the processes look for this file; of these tests alone: with another path the warm
        # Python would serve nobody.
        patch.setenv("PYTHONPATH", os.pathsep.join(PLACES))
        yield made(tmp_path_factory.mktemp("stages"))


def made(base: Path) -> list[Path]:
    """Run the commands one after the other; the folder as it was before each of them."""
    now = base / "now"
    images(now)
    write_study(now / "results", report={"figures": ["roc"]})
    write_cell(now / "results")
    found = []
    for number, command in enumerate(COMMANDS):
        found.append(Path(shutil.copytree(now, base / str(number), symlinks=True)))
        code, said = at_work(now, command)
        assert code == 0, (command, said[-3000:])
    for folder in found:  # the moment of a reading is no result
        shutil.copy(now / READINGS, folder / READINGS)
    return found


def whole(folder: Path, before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """Files under a final name that are neither as before nor as after the command."""
    found = content(folder)
    hidden = [path for path in found if any(part.startswith(".") for part in Path(path).parts)]
    return [
        path
        for path in found.keys() - set(hidden)
        if found[path] not in (before.get(path), after.get(path))
    ]


def undisturbed(start: Path, command: list[str], folder: Path) -> dict[str, bytes]:
    """Bytes of all files after a command that nothing interrupts."""
    reference = Path(shutil.copytree(start, folder / "reference", symlinks=True))
    assert at_work(reference, command)[0] == 0
    return content(reference)


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[one[0] for one in COMMANDS])
def test_killed_at_any_write_the_same_command_ends_with_the_same_bytes(tmp_path, stages, number):
    command, start = COMMANDS[number], stages[number]
    before, after = content(start), undisturbed(start, command, tmp_path)
    chance, point, killed = random.Random(number), 0, 0
    while True:
        folder = Path(shutil.copytree(start, tmp_path / "killed", symlinks=True))
        code, said = at_work(folder, command, point)
        assert code in (0, -signal.SIGKILL), said[-3000:]
        assert not whole(folder, before, after), f"point {point}"
        if code:
            killed += 1
            code_again, said = at_work(folder, command)
            assert code_again == 0, said[-3000:]
        assert content(folder) == after, f"point {point}"
        shutil.rmtree(folder)
        if not code:
            break
        # The first ones each, then some of the many: table and figure have hundreds.
        point += 1 if killed < POINTS else chance.randint(20, 200)
    assert killed


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[one[0] for one in COMMANDS])
def test_without_room_a_command_says_so_in_one_line_and_writes_no_half(tmp_path, stages, number):
    command, start = COMMANDS[number], stages[number]
    before, after = content(start), undisturbed(start, command, tmp_path)
    made = [len(after[path]) for path in after if before.get(path) != after[path]]
    refused = 0
    for room in sorted({100, max(made) // 2, max(made) - 1}):
        folder = Path(shutil.copytree(start, tmp_path / f"room{room}", symlinks=True))
        code, said = at_work(folder, command, room=room)
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in said and code in (0, 1), said[-3000:]
        assert not whole(folder, before, after), f"room {room}"
        if code:
            assert len(errors) == 1 and "File too large" in errors[0], said[-3000:]
            refused += 1
    assert refused
