"""A command that is killed at any of its writes, or has no room, leaves nothing half-written.

Killed: before and after its first fsyncs, renames and removals, then at some of those that follow,
by chance, and at random moments, 200 of them. The same command then ends with the same bytes.
Without room: a limit on the size of files stands for a full disk; other refusals are injected.
"""

import contextlib
import errno
import importlib
import io
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import cxrgrid
from conftest import write_study
from cxrgrid.cluster import slurm
from cxrgrid.data import near_duplicates
from cxrgrid.io import cli
from test_architecture import doors
from test_machines import DATA, READINGS, REPORTED, images
from test_robustness import write_shifted
from test_site import slurm_says

FINAL = ("fsync", "replace", "rename", "unlink", "rmdir")  # calls that make files final
POINTS = int(os.environ.get("CXRGRID_KILLS", 8))  # of each command, one after another
MOMENTS = 7  # of each command, one after another in the same folder
CELL = "results/t/cells/toy/test_resnet/scratch/default/seed0"
TRAINED = [
    ["apply", "results/files", f"--cell={CELL}", "--out=applied.csv"],
    ["apply", "results/files", f"--cell={CELL}", "--out=applied.json"],
    ["export", f"--cell={CELL}", "--out=exported"],
    ["predict", CELL, "--data=results/data/toy", "--out=predicted.parquet"],
    ["explain", CELL, "--data=results/data/toy", "--out=explained"],
]
TRAINING = {"study": "t", "dataset": "toy", "backbone": "test_resnet", "init": "scratch"}
TRAINING |= {"recipe": "default", "seed": 1, "weights": "", "epochs": 2, "batch_size": 8}
TRAINING |= {"channels": 1, "lr": 0.003}
PHANTOM = {"adapter": "nih", "patients": 8, "size": 64}
TOY, WARD = "results/data/toy", "results/data/ward"
NETWORK = "test_resnet.r160_in1k"
OTHERS = [
    ["train", json.dumps(TRAINING), f"--data={TOY}", f"--out={CELL[:-1]}1"],
    ["phantom", json.dumps(PHANTOM), "--out=drawn"],
    ["track", "results/demo/study.json", "--tensorboard=runs"],
    ["merge", "results", "--study", "t", "--as", "again"],
    ["overlap", "results/demo/study.json", "--out=overlap.json", "--seen=overlap.parquet"],
    ["pool", TOY, WARD, "--tested", TOY, WARD, "--out=pool.parquet"],
    ["weights", NETWORK, "--from=published", "--out=weights/w.safetensors"],
    ["robustness", "shifted/results/demo/study.json", "--out-dir=shifts"],
    ["shift", CELL, f"--data={TOY}", "--shifts", "noise", "--out=shifted"],
    ["site", "--out=profile"],
    ["clean", "--yes"],
    ["find_lr", json.dumps(TRAINING), f"--data={TOY}", "--out=rates.csv", "--steps=10"],
    ["report", "results/demo/study.json", "--shareable"],
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
# They print, and write no file.
PRINTING = {"find_speed", "settings", "status"}
# Written on the way under a final name: a training's state and progress.
ON_THE_WAY = ("state.pt", "progress.json")
TIMES = ("seconds", "images_per_second")
PLACES = [str(Path(__file__).parent), str(Path(cxrgrid.__file__).parents[1])]


def at_work(folder: Path, command: list[str], **fault) -> tuple[int, str]:
    """Status of a command in a process of its own, negative if killed, and what it said.

    fault: as of `prepare`; or `moment`: seconds after which the process is killed.
    """
    said, moment = folder.with_name("said.txt"), fault.pop("moment", None)
    child = FRESH.Process(target=work, args=(folder, command, said, fault))
    child.start()
    child.join(moment)
    child.kill()
    child.join()
    return child.exitcode, said.read_text("utf-8", errors="replace") if said.is_file() else ""


def work(folder: Path, command: list[str], said: Path, fault: dict) -> None:
    """Run a command in this process, which ends with its status."""
    file = said.open("w", buffering=1, encoding="utf-8")
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    sys.stdout = sys.stderr = file
    os.chdir(folder)
    module = importlib.import_module(f"cxrgrid.{command[0]}")
    if command[0] == "site":
        slurm.ask, module.refusal = slurm_says, lambda command: ""
    prepare(file, **fault)
    try:
        code = cli.status(lambda argv: module.main(command[1:]))
    except BaseException:
        traceback.print_exc()
        code = 99
    os._exit(code)


def prepare(
    file: io.TextIOBase, kill: int = -1, room: int = -1, refusal: int = 0, files: int = -1
) -> None:
    """Have this process fail at its writes.

    kill: as of `kill_at`; room: the largest file that it may write, in bytes; refusal: number of
    the system's error where a file is made final; files: so many more it may have open at once.
    """
    if kill >= 0:
        kill_at(kill)
    if files >= 0:
        leave_open(files)
    if refusal:

        def refused(*paths):
            raise OSError(refusal, os.strerror(refusal), *map(str, paths[:1]))

        os.fsync = lambda number: refused()
        os.replace = os.rename = refused
    if room >= 0:
        limit = (room, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        # The file of what is said is no result: it is a pipe to a process without the limit.
        end = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file).stdin
        os.dup2(end.fileno(), 1)
        os.dup2(end.fileno(), 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1)
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def leave_open(files: int) -> None:
    """Let this process open so many files more at once."""
    # By now known, as in a command of its own: a module that cannot be opened is another matter.
    importlib.import_module("encodings.utf_32_be")
    last = max(int(path.name) for path in Path("/proc/self/fd").iterdir()) + 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + files, last + files))
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    for number in taken[:files]:
        os.close(number)


def kill_at(point: int):
    """In a process: SIGKILL before (even) or after (odd) one of its calls that make files final."""
    seen = iter(range(1 << 30))
    wrapped = {name: getattr(os, name) for name in FINAL}

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
    """Content of all files; without what is written in passing, and without times and memory."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in paths if "index.seen" not in path.name and path.suffix != ".lock"]
    kept = [path for path in kept if path.name != "memory.json"]  # what a training took
    found = {}
    for path in kept:
        events = "tfevents" in path.name
        name = str((path.with_name("events") if events else path).relative_to(folder))
        found[name] = found.get(name, b"") + (scalars(path) if events else lasting(path))
    return found


def lasting(path: Path) -> bytes:
    """Bytes of a file; of a history, without what its training took."""
    if path.name != "history.parquet" or "toy" not in path.parts:
        return path.read_bytes()
    return json.dumps(pq.read_table(path).drop_columns(TIMES).to_pylist()).encode()


def scalars(path: Path) -> bytes:
    """Scalars of an event file, in order."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = EventFileLoader(str(path)).Load()
    values = [(event.step, value) for event in events for value in event.summary.value]
    return repr([(step, v.tag, v.simple_value or v.tensor) for step, v in values]).encode()


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
    prepared(now)
    found = []
    for number, command in enumerate(COMMANDS):
        found.append(Path(shutil.copytree(now, base / str(number), symlinks=True)))
        code, said = at_work(now, command)
        assert code == 0, (command, said[-3000:])
    for folder in found:  # the moment of a reading is no result
        shutil.copy(now / READINGS, folder / READINGS)
    return found


def prepared(now: Path) -> None:
    """Fill a folder with all that the commands read."""
    import timm
    from safetensors.torch import save_file

    from small_cell import write_cell

    images(now)
    write_study(now / "results", report={"figures": ["roc"]})
    write_cell(now / "results")
    few = {"report": {"shifts": ["noise"], "resamples": 100, "figures": ["roc"]}}
    few["grid"] = {"datasets": ["ward"], "backbones": ["resnet10t"], "seeds": [0]}
    write_shifted(write_study(now / "shifted/results", **few), ["noise"])
    for data in ("toy", "ward", "children"):
        folder = now / "results/data" / data
        np.save(folder / "hashes.npy", near_duplicates.phash(np.load(folder / "pixels.npy")))
    network = timm.create_model("test_resnet")
    (now / "published").mkdir()
    save_file(network.state_dict(), now / f"published/{NETWORK}.safetensors")
    unused = now / "results/demo/cells/ward/resnet18/scratch/default/seed7"
    shutil.copytree(unused.with_name("seed0"), unused)
    (now / "results/data/ward/pixels-size64.npy").write_text("an array of no cell")


def whole(folder: Path, before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """Files under a final name that are neither as before nor as after the command."""
    found = content(folder)
    hidden = [path for path in found if any(part.startswith(".") for part in Path(path).parts)]
    return [
        path
        for path in found.keys() - set(hidden)
        if found[path] not in (before.get(path), after.get(path))
        and Path(path).name not in ON_THE_WAY
    ]


def undisturbed(start: Path, command: list[str], folder: Path) -> dict[str, bytes]:
    """Bytes of all files after a command that nothing interrupts."""
    reference = Path(shutil.copytree(start, folder / "reference", symlinks=True))
    assert at_work(reference, command)[0] == 0
    return content(reference)


EACH = pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[one[0] for one in COMMANDS])
# A system may answer so where there is room.
REFUSALS = [errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENAMETOOLONG, errno.EACCES]


def test_each_command_that_writes_is_tried_here():
    assert {command[0] for command in COMMANDS} == set(doors()) - PRINTING


@pytest.mark.long
@EACH
def test_killed_at_any_write_the_same_command_ends_with_the_same_bytes(tmp_path, stages, number):
    command, start = COMMANDS[number], stages[number]
    before, after = content(start), undisturbed(start, command, tmp_path)
    chance, point, killed = random.Random(number), 0, 0
    while True:
        folder = Path(shutil.copytree(start, tmp_path / "killed", symlinks=True))
        code, said = at_work(folder, command, kill=point)
        assert code in (0, -signal.SIGKILL), said[-3000:]
        assert not whole(folder, before, after), f"point {point}"
        if code:
            killed += 1
            again(folder, command, after)
        assert content(folder) == after, f"point {point}"
        shutil.rmtree(folder)
        if not code:
            break
        # The first ones each, then some of the many: table and figure have hundreds.
        point += 1 if killed < POINTS else chance.randint(20, 200)
    assert killed


def again(folder: Path, command: list[str], after: dict[str, bytes]) -> None:
    """Run a killed command again, unless nothing was left to do: `site` writes over no file."""
    if content(folder) == after:
        return
    code, said = at_work(folder, command)
    assert code == 0, said[-3000:]


@pytest.mark.long
@EACH
def test_killed_at_random_moments_the_same_command_ends_with_the_same_bytes(
    tmp_path, stages, number
):
    command, start = COMMANDS[number], stages[number]
    before, after = content(start), undisturbed(start, command, tmp_path)
    lasts, chance, killed = duration(start, command, tmp_path), random.Random(number), 0
    for _ in range(9 * MOMENTS):
        folder = tmp_path / "killed"
        if not folder.is_dir():
            shutil.copytree(start, folder, symlinks=True)
        code, said = at_work(folder, command, moment=lasts * chance.random())
        assert code == -signal.SIGKILL or content(folder) == after, said[-3000:]
        assert not whole(folder, before, after)
        killed += code < 0
        lasts *= 0.8 if code >= 0 else 1  # it took less time than the first did
        if code >= 0 or killed == MOMENTS:
            again(folder, command, after)
            assert content(folder) == after
            shutil.rmtree(folder)
        if killed == MOMENTS:
            break
    assert killed == MOMENTS


def duration(start: Path, command: list[str], folder: Path) -> float:
    """Seconds that a command takes."""
    once = Path(shutil.copytree(start, folder / "once", symlinks=True))
    begun = time.monotonic()
    assert at_work(once, command)[0] == 0
    return time.monotonic() - begun


def test_the_long_run_kills_two_hundred_commands():
    assert len(COMMANDS) * MOMENTS >= 200


@pytest.mark.long
@pytest.mark.parametrize("refusal", REFUSALS, ids=errno.errorcode.get)
@EACH
def test_what_the_system_refuses_a_command_is_one_line_and_leaves_no_half(
    tmp_path, stages, number, refusal
):
    command, start = COMMANDS[number], stages[number]
    folder = Path(shutil.copytree(start, tmp_path / "refused", symlinks=True))
    before = content(start)
    code, said = at_work(folder, command, refusal=refusal)
    if command[0] == "clean":  # it writes nothing
        assert code == 0
        return
    line = the_one_error(code, said)
    assert os.strerror(refusal) in line and re.search("not written|/", line), line
    assert not whole(folder, before, before)


def the_one_error(code: int, said: str) -> str:
    """The line in which a command that failed says why, by the names that the user knows."""
    assert "Traceback" not in said and code == 1, said[-3000:]
    [line] = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "partial" not in line
    return line


@pytest.mark.long
@EACH
def test_with_few_files_open_a_command_says_so_in_one_line_or_does_its_work(
    tmp_path, stages, number
):
    command, start = COMMANDS[number], stages[number]
    before, after = content(start), undisturbed(start, command, tmp_path)
    for files in range(9):
        folder = Path(shutil.copytree(start, tmp_path / f"files{files}", symlinks=True))
        code, said = at_work(folder, command, files=files)
        assert not whole(folder, before, after), f"{files} files"
        if code:
            line = the_one_error(code, said)
            assert re.search("(?i)too many (open files|files open)", line), line
        else:
            assert content(folder) == after, f"{files} files"
        shutil.rmtree(folder)


@pytest.mark.long
@EACH
def test_without_room_a_command_says_so_in_one_line_and_writes_no_half(tmp_path, stages, number):
    command, start = COMMANDS[number], stages[number]
    before, after = content(start), undisturbed(start, command, tmp_path)
    made = [len(after[path]) for path in after if before.get(path) != after[path]]
    refused = 0
    for room in sorted({100, max(made, default=200) // 2, max(made, default=0) - 1}):
        folder = Path(shutil.copytree(start, tmp_path / f"room{room}", symlinks=True))
        code, said = at_work(folder, command, room=room)
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in said and code in (0, 1), said[-3000:]
        assert not whole(folder, before, after), f"room {room}"
        if code:
            assert len(errors) == 1 and "File too large" in errors[0], said[-3000:]
            refused += 1
    assert refused or not made
