"""Without flock across machines one process holds a file all the same."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.io import locks, name_locks

HOLDER = """
import fcntl, os, sys, time
from pathlib import Path
from cxrgrid.io import locks
def refused(file, kind):
    raise OSError(int(sys.argv[2]), "no locks")
fcntl.flock = refused
held = locks.hold(Path(sys.argv[1]))
print(bool(held), flush=True)
time.sleep(60)
"""
ELSEWHERE = "node7/pid:[1] 12 token"


@pytest.fixture
def no_flock(monkeypatch):
    """A file system without locks; the answer can be changed."""
    answer = [errno.ENOLCK]

    def refused(file, kind):
        raise OSError(answer[0], os.strerror(answer[0]))

    monkeypatch.setattr(fcntl, "flock", refused)
    return answer


def holder(path, code: int) -> subprocess.Popen:
    """Another process that holds `path`, on a file system that answers `code`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), str(code)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "True\n"
    return process


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP])
def test_each_answer_of_a_system_without_flock_is_known(tmp_path, no_flock, code):
    no_flock[0] = code
    held = locks.hold(tmp_path / "a.lock")
    assert held and locks.hold(tmp_path / "a.lock") is None
    held.close()


def test_without_flock_one_process_holds_a_cell_until_it_is_killed(tmp_path, no_flock):
    other = holder(tmp_path / locks.LOCK, errno.ENOLCK)
    assert locks.hold(tmp_path / locks.LOCK) is None
    assert locks.taken(tmp_path)
    with pytest.raises(UserError, match=f"is training this cell .process {other.pid} of "):
        locks.claim(tmp_path)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert not locks.taken(tmp_path)
    with locks.claim(tmp_path):
        assert locks.taken(tmp_path)
    assert not locks.taken(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [locks.LOCK]


def test_another_machine_is_gone_after_a_quarter_of_an_hour_by_the_clock_of_the_disk(
    tmp_path, no_flock, monkeypatch
):
    name = name_locks.held_name(tmp_path / "a.lock")
    name.write_text(ELSEWHERE)
    monkeypatch.setattr(name_locks.time, "time", lambda: 0.0)
    monkeypatch.setattr(name_locks, "BEAT", 0.01)
    assert locks.hold(tmp_path / "a.lock") is None
    now = name.stat().st_mtime
    os.utime(name, (now, now - name_locks.GONE - 5))
    held = locks.hold(tmp_path / "a.lock")
    assert held and locks.hold(tmp_path / "a.lock") is None
    held.write("text of a run")
    held.close()
    assert (tmp_path / "a.lock").read_text() == "text of a run"
    assert not name.exists()


def test_a_clock_that_jumps_takes_no_lock_from_a_process_that_lives(
    tmp_path, no_flock, monkeypatch
):
    """That of this machine is asked for; another's gives a sign of life while it is watched."""
    name = name_locks.held_name(tmp_path / "a.lock")
    held = locks.hold(tmp_path / "a.lock")
    os.utime(name, (0, 0))
    assert locks.hold(tmp_path / "a.lock") is None and name_locks.taken(tmp_path / "a.lock")
    held.close()
    name.write_text(ELSEWHERE)
    os.utime(name, (0, 0))
    monkeypatch.setattr(name_locks, "BEAT", 10)
    monkeypatch.setattr(name_locks.time, "sleep", lambda seconds: os.utime(name))
    assert locks.hold(tmp_path / "a.lock") is None and name.read_text() == ELSEWHERE


def test_a_process_that_has_ended_is_known_by_its_start(tmp_path, no_flock):
    """Its number may be another's by now, and one that nobody waits for still has it."""
    name, pid = name_locks.held_name(tmp_path / "a.lock"), os.getpid()
    name.write_text(f"{name_locks.machine()} {pid} {name_locks.started(str(pid))}-token")
    assert name_locks.taken(tmp_path / "a.lock")
    name.write_text(f"{name_locks.machine()} {pid} 1-token")
    assert not name_locks.taken(tmp_path / "a.lock")
    name.unlink()
    other = holder(tmp_path / "a.lock", errno.ENOLCK)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert not name_locks.taken(tmp_path / "a.lock")
    other.wait()


def test_machines_of_one_name_are_told_apart(tmp_path, no_flock, monkeypatch):
    """As those are that were copied from one image: a number that one lacks may live on another."""
    path = tmp_path / "a.lock"
    other = holder(path, errno.ENOLCK)
    other.kill()
    other.wait()
    assert not name_locks.taken(path)
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("another-start")
    monkeypatch.setattr(name_locks, "PROCESSES", tmp_path)
    assert name_locks.taken(path)


def test_a_holder_on_a_full_disk_holds_nothing(tmp_path, no_flock, monkeypatch):
    def full(number, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(name_locks.os, "write", full)
    with pytest.raises(OSError, match="No space left on device: .*a.lock.held"):
        locks.hold(tmp_path / "a.lock")
    assert not name_locks.taken(tmp_path / "a.lock")


def test_a_holder_gives_signs_of_life_and_ends_when_it_was_taken_over(tmp_path, monkeypatch):
    ends = []
    monkeypatch.setattr(name_locks, "BEAT", 0.01)
    over, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(name_locks.os, "_exit", lambda code: (ends.append(code), ended.set()))
    name = tmp_path / "a.lock.held"
    name.write_text("mine")
    os.utime(name, (0, 0))
    thread = threading.Thread(target=name_locks.beat, args=(name, "mine", over))
    thread.start()
    while name.stat().st_mtime == 0:
        ended.wait(0.005)
    assert not ends
    name.write_text(ELSEWHERE)
    assert ended.wait(10)
    over.set()
    thread.join()
    assert set(ends) == {1}


def test_what_another_took_meanwhile_is_put_back(tmp_path, monkeypatch):
    name = tmp_path / "a.lock.held"
    name.write_text(ELSEWHERE)
    monkeypatch.setattr(name_locks, "BEAT", 0.01)
    monkeypatch.setattr(name_locks, "gone", lambda name: name.write_text("another's") > 0)
    assert not name_locks.removed(name)
    assert name.read_text() == "another's" and len(list(tmp_path.iterdir())) == 1


def test_a_fork_lets_go_of_nothing(tmp_path, no_flock, monkeypatch):
    held = locks.hold(tmp_path / "a.lock")
    with monkeypatch.context() as patch:
        patch.setattr(name_locks.os, "getpid", lambda: 1)
        held.close()
    assert name_locks.held_name(tmp_path / "a.lock").exists()


@pytest.mark.parametrize("option", ["local_lock=all", "nolock", "localflock"])
def test_a_mount_whose_flock_stays_within_the_machine_is_seen(tmp_path, monkeypatch, option):
    device = tmp_path.stat().st_dev
    line = f"36 35 {os.major(device)}:{os.minor(device)} / /x rw shared:1 - nfs a:/x rw,"
    monkeypatch.setattr(name_locks, "MOUNTS", tmp_path / "mountinfo")
    (tmp_path / "mountinfo").write_text(line + "local_lock=none\n")
    assert not name_locks.within_machine(tmp_path)
    (tmp_path / "mountinfo").write_text(line + option + "\n")
    held = locks.hold(tmp_path / "a.lock")
    assert name_locks.held_name(tmp_path / "a.lock").exists()
    held.close()
    assert locks.hold(tmp_path / "a.lock")


def test_a_lock_of_gpus_lies_where_files_can_be_locked(tmp_path, monkeypatch):
    places, flock = (tmp_path / "a", tmp_path / "b"), fcntl.flock
    monkeypatch.setattr(locks, "SHARED", places)
    for place in places:
        place.mkdir()
        place.chmod(0o1777)

    def first_refuses(file, kind):
        if Path(f"/proc/self/fd/{file.fileno()}").readlink().is_relative_to(places[0]):
            raise OSError(errno.ENOLCK, "no locks")
        flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", first_refuses)
    held = locks.hold_for_all("gpu-0")
    assert held and locks.hold_for_all("gpu-0") is None
    monkeypatch.setattr(locks, "SHARED", places[:1])
    with pytest.raises(UserError, match="no file can be locked there; have one of them on a local"):
        locks.hold_for_all("gpu-0")


def test_an_answer_of_a_failing_disk_is_no_lock_and_names_the_file(tmp_path, no_flock):
    no_flock[0] = errno.EIO
    with pytest.raises(OSError, match="a.lock"):
        locks.hold(tmp_path / "a.lock")
