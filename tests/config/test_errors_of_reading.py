"""A file that cannot be read now is not called damaged: it may be whole, and days of work."""

import errno
import os
import pickle

import pytest

from cxrgrid.config.errors import UserError, code_of, unread


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("unable to open file <a.safetensors> in read-only mode: Too many open files (24)", 24),
        ("Error while serializing: I/O error: Input/output error (os error 5)", 5),
        ("Error: I/O error: No space left on device (os error 28) at line 3", 28),
        ("layer4: 24 of 30 weights fit (24)", 0),
        ("incomplete metadata, file not fully covered", 0),
    ],
)
def test_the_systems_answer_is_found_in_another_librarys_words(words, number):
    assert code_of(RuntimeError(words)) == number
    assert code_of(OSError(number, "x")) == number


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ESTALE])
def test_the_line_says_what_to_do_and_not_to_remove_the_file(number):
    for error in (
        OSError(number, os.strerror(number)),
        RuntimeError(f"x: {os.strerror(number)} ({number})"),
    ):
        line = str(unread("a/b.pt", error))
        assert line.startswith("a/b.pt: ") and ";" in line
        assert "remove" not in line and "damaged" not in line
    assert isinstance(unread("a", OSError(errno.EFBIG, "too large")), UserError)


def test_a_file_that_is_there_is_not_said_to_be_missing(tmp_path):
    """safetensors answers so to whatever keeps a file from being opened."""
    (tmp_path / "a").touch()
    assert "too many open files" in str(unread(tmp_path / "a", FileNotFoundError("No such file")))
    assert "No such file" in str(unread(tmp_path / "b", FileNotFoundError("No such file")))


def test_an_error_is_one_line_whatever_a_name_holds():
    error = UserError("config: the name a\n\x1b[2Kb\u2028 is\tlong")
    assert str(error) == "config: the name a\\n\\x1b[2Kb\\u2028 is\\tlong"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
