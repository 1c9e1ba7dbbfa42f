"""A file is there whole or not at all; the disks here are really full."""

import errno
import os
import resource
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cxrgrid import export, train
from cxrgrid.config.errors import UserError
from cxrgrid.data import pixel_arrays
from cxrgrid.data.image import Decoded
from cxrgrid.inference.trained_cell import read_trained
from cxrgrid.io import atomic
from cxrgrid.io.atomic import make_folder, replacing
from cxrgrid.io.parquet import write_parquet
from small_cell import write_cell
from test_train import answers, make_cell, make_data, run

LARGE = 100_000  # numbers; more than any of the disks here has room for


@contextmanager
def limited(size: int):
    """No file may grow beyond `size` bytes: the system refuses as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 kB, where the tests may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def write_state(path: Path) -> None:
    with replacing(path) as partial, partial.open("wb") as file:
        torch.save({"weights": torch.rand(LARGE)}, file)


def write_weights(path: Path) -> None:
    with replacing(path) as partial:
        save_file({"weights": torch.rand(LARGE)}, partial)


def write_table(path: Path) -> None:
    write_parquet({"values": np.random.default_rng(0).random(LARGE)}, path, {})


def write_bytes(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_bytes(bytes(8 * LARGE))


WRITERS = [write_state, write_weights, write_table, write_bytes]


def assert_refused(writer, folder: Path, reason: str) -> None:
    """One line, the old file as it was, nothing else left."""
    path = folder / "file"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match=rf"file: not written \({reason}.*make room") as error:
        writer(path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"old"
    assert [each.name for each in folder.iterdir()] == ["file"]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_the_old_file(small_disk, writer):
    assert_refused(writer, small_disk, "No space left on device")


@pytest.mark.parametrize("writer", WRITERS)
def test_a_limit_on_size_is_one_line_and_leaves_the_old_file(tmp_path, writer):
    with limited(50_000):
        assert_refused(writer, tmp_path, "File too large")


@pytest.mark.parametrize("writer", WRITERS)
def test_what_was_written_takes_the_place_of_the_old(tmp_path, writer):
    path = tmp_path / "new/file"
    writer(path)
    size = path.stat().st_size
    writer(path)
    assert path.stat().st_size == size > 4 * LARGE
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_other_errors_pass_and_leave_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as partial:
        partial.write_bytes(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_training_on_a_full_disk_goes_on_when_there_is_room(tmp_path, monkeypatch):
    data = make_data(tmp_path / "data")
    cell = make_cell()
    whole = answers(run(cell, data, tmp_path / "whole"))
    out = tmp_path / "out"
    write = train.write_predictions
    with limited(50_000), pytest.raises(UserError, match="state.pt: not written"):
        run(cell, data, out)
    assert sorted(each.name for each in out.iterdir()) == [
        "cell.json",
        "progress.json",
        "train.lock",
    ]

    def full(*arguments):
        with limited(50_000):
            write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train, "write_predictions", full)
        with pytest.raises(UserError, match="model.safetensors: not written"):
            run(cell, data, out)
    assert "state.pt" in [each.name for each in out.iterdir()]
    assert answers(run(cell, data, out)) == whole


def test_files_may_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "model.safetensors") as partial:
            save_file({"x": torch.ones(3)}, partial)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.safetensors").stat().st_mode) == 0o640


def test_a_new_folder_that_a_network_drive_does_not_show_yet_is_no_file(tmp_path, monkeypatch):
    wanted = tmp_path / "a/b/c"
    monkeypatch.setattr(Path, "is_dir", lambda self: False)
    monkeypatch.setattr(Path, "is_file", lambda self: self.name == "file")
    for _ in range(2):
        make_folder(wanted)
        assert list(wanted.parent.iterdir()) == [wanted]
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EDQUOT, errno.EMFILE, errno.EACCES])
def test_what_the_system_refuses_names_the_file_that_was_asked_for(tmp_path, monkeypatch, number):
    (tmp_path / "file").write_text("old")

    def refused(*paths):
        raise OSError(number, os.strerror(number), *map(str, paths[:1]))

    monkeypatch.setattr(os, "replace", refused)
    words = f"{tmp_path}/file: not written .{os.strerror(number)}.*still good: "
    with pytest.raises(UserError, match=words) as error:
        atomic.write_text(tmp_path / "file", "new")
    assert "partial" not in str(error.value)
    assert (tmp_path / "file").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    with pytest.raises(UserError, match="File name too long.*shorten"):
        atomic.write_text(tmp_path / ("x" * 300), "text")


def test_no_device_or_pipe_is_replaced_by_a_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "replace", lambda *_: 1 / 0)  # none of this machine's, at any rate
    for path in (tmp_path / "pipe", Path("/dev/full"), Path("/dev/stdout")):
        with pytest.raises(UserError, match=f"{path}: is a device or pipe"):
            atomic.write_text(path, "text")
    assert not Path("/dev/full").is_file() and (tmp_path / "pipe").is_fifo()


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic.replacing_folder(tmp_path / "a") as folder:
        (folder / "x").write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".a.partial/a").mkdir(parents=True)
    (tmp_path / ".a.partial/a/left").write_text("of a run that was killed")
    with atomic.replacing_folder(tmp_path / "a") as folder:
        (folder / "x").write_text("whole")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["a", "a/x"]
    (tmp_path / "file").touch()
    match = "a: not written .Not a directory"
    with pytest.raises(UserError, match=match), atomic.replacing_folder(tmp_path / "file/a"):
        pass


def test_an_array_that_finds_no_room_is_named_as_the_user_knows_it(tmp_path):
    grown = pixel_arrays.Partial(tmp_path / "pixels.npy", "key", (200, 200))
    image = Decoded(np.ones((200, 200), np.uint8), "", (200, 200))
    words = "/pixels.npy: not written .File too large"
    with limited(50_000), pytest.raises(UserError, match=words) as error:
        for _ in range(3):
            grown.add("a.png", image)
    assert "partial" not in str(error.value) and not (tmp_path / "pixels.npy").exists()
    with pytest.raises(UserError, match="/x+.npy: not written .File name too long"):
        pixel_arrays.Partial(tmp_path / ("x" * 250 + ".npy"), "key", (200, 200))


@pytest.mark.long
def test_an_export_that_finds_no_room_names_its_weights(tmp_path):
    trained = read_trained(write_cell(tmp_path))
    words = "model.safetensors: not written .File too large"
    with limited(50_000), pytest.raises(UserError, match=words):
        export.write_folder(trained.network(), trained, tmp_path / "out")
    assert list(tmp_path.glob("out/*")) == []
