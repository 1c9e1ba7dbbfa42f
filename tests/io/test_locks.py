"""`lock`: one process at a time, and none after its holder's end, however it ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.io import locks

HOLDER = "import sys, time; from cxrgrid.io import locks; from pathlib import Path; "
HOLDER += "held = locks.hold(Path(sys.argv[1])); print(bool(held), flush=True); time.sleep(60)"


def holder(path) -> subprocess.Popen:
    """Another process that holds `path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lock_ends_with_its_holder_even_if_that_is_killed(tmp_path):
    other = holder(tmp_path / "a.lock")
    assert locks.hold(tmp_path / "a.lock") is None
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert locks.hold(tmp_path / "a.lock") is not None


def test_a_cell_that_is_trained_is_seen_to_be_and_looking_costs_no_claim(tmp_path):
    assert not locks.taken(tmp_path)
    assert list(tmp_path.iterdir()) == []
    other = holder(tmp_path / "train.lock")
    assert locks.taken(tmp_path)
    other.kill()
    other.wait()
    assert not locks.taken(tmp_path)
    assert locks.claim(tmp_path)


def test_a_cell_is_claimed_by_one_process_only(tmp_path):
    other = holder(tmp_path / "train.lock")
    with pytest.raises(UserError, match="another process is training this cell"):
        locks.claim(tmp_path)
    other.kill()
    other.wait()
    assert locks.claim(tmp_path)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder of this machine that all users write to, behind one of an administrator's."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setattr(locks, "SHARED", (tmp_path / "absent", tmp_path, shared))
    return shared


def test_a_lock_for_all_users_is_held_by_one_process(place):
    first = locks.hold_for_all("gpu-a-0")
    assert locks.hold_for_all("gpu-a-0") is None
    assert locks.hold_for_all("gpu-b-0")
    first.close()
    assert locks.hold_for_all("gpu-a-0")
    assert (place / "cxrgrid").stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize("link", ["cxrgrid", "cxrgrid/gpu-a-0.lock"])
def test_a_lock_for_all_users_follows_no_link(tmp_path, place, link):
    (tmp_path / "elsewhere").mkdir()
    (place / link).parent.mkdir(exist_ok=True)
    (place / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="gpu-a-0.lock: no file that can be locked") as error:
        locks.hold_for_all("gpu-a-0")
    assert "\n" not in str(error.value) and not list((tmp_path / "elsewhere").iterdir())


OTHER = 65534  # number of a user that every system has
AS_OTHER = f"""
import os, sys, time
from pathlib import Path
from cxrgrid.config.errors import UserError
from cxrgrid.io import locks
os.setgroups([]), os.setgid({OTHER}), os.setuid({OTHER})
place, = locks.SHARED = (Path(sys.argv[1]),)
try:
    held = locks.hold_for_all("gpu-0")
    print(bool(held), flush=True)
except UserError as error:
    print(error, flush=True)
time.sleep(60)
"""


@pytest.fixture
def as_another(place, tmp_path):
    """Call that has another user hold the lock; gives the process, and what it found."""
    if os.getuid():
        pytest.skip("needs the right to become another user")
    for folder in (tmp_path, *tmp_path.parents[:3]):  # pytest's own, and a worker's, are closed
        folder.chmod(folder.stat().st_mode | 0o011)
    begun = []

    def hold() -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-c", AS_OTHER, str(place)]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return begun[-1], begun[-1].stdout.readline().strip()

    yield hold
    for process in begun:
        process.kill()
        process.wait()


def test_two_users_see_each_others_locks(place, as_another):
    other, found = as_another()
    assert found == "True" and (place / "cxrgrid/gpu-0.lock").stat().st_uid == OTHER
    assert locks.hold_for_all("gpu-0") is None and locks.hold_for_all("gpu-1")
    other.kill()
    other.wait()
    held = locks.hold_for_all("gpu-0")
    assert held and as_another()[1] == "False"


def test_a_folder_of_locks_that_another_user_has_closed_is_one_line(place, as_another):
    (place / "cxrgrid").mkdir(0o700)
    assert "gpu-0.lock: no file that can be locked (Permission denied)" in as_another()[1]
    (place / "cxrgrid").rmdir()
    (place / "cxrgrid").touch()
    assert "gpu-0.lock: no file that can be locked (Not a directory)" in as_another()[1]


def test_a_lock_is_looked_at_without_writing(tmp_path, monkeypatch):
    """The disk of a cell may have turned read-only, and `status` tells of it all the same."""
    held, modes, opened = locks.hold(tmp_path / locks.LOCK), [], Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode="r": modes.append(mode) or opened(path))
    assert locks.taken(tmp_path)
    held.close()
    assert not locks.taken(tmp_path)
    assert modes == ["r", "r"]
