"""JPEG files that are damaged inside: libjpeg decodes them all the same, with a word on stderr.

Neither OpenCV nor Pillow passes that word on. While `listening`, what C libraries write to stderr
goes to a file: where that grows, the image is decoded once more by a process of its own, whose
words are about this image alone. What is written with Python goes where it went.
"""

import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import cv2
import numpy as np

WORDS = re.compile(r"(?:Corrupt JPEG data: (.*)|(Premature end of JPEG file))")
HARMLESS = re.compile(r"(\d|1[0-5]) extraneous bytes before marker 0x\w+")  # as cameras write
ALONE = (
    "import sys, cv2, numpy; "
    "cv2.imdecode(numpy.frombuffer(sys.stdin.buffer.read(), numpy.uint8), cv2.IMREAD_GRAYSCALE)"
)
_ears: list[int] = []  # the file, while somebody listens


class Damaged(ValueError):
    """A file that is damaged inside, and the words of the decoder on it."""


@contextmanager
def listening() -> Iterator[None]:
    """Notice damaged JPEG files; for a command that decodes many, around all of it."""
    if _ears:
        yield
        return
    with in_memory() as file, kept_stderr():
        os.dup2(file.fileno(), 2)
        _ears.append(file.fileno())
        try:
            yield
        finally:
            _ears.clear()


def in_memory() -> IO[bytes]:
    """A file without a name; on Linux it needs no folder for temporary files, which may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()


@contextmanager
def kept_stderr() -> Iterator[None]:
    """Python's stderr stays where it is, whatever becomes of descriptor 2; that is restored."""
    before, saved = sys.stderr, os.dup(2)
    handlers = [h for h in logging.getLogger().handlers if getattr(h, "stream", None) is before]
    owned = False
    with suppress(OSError, ValueError, AttributeError):  # a stream without a descriptor
        owned = before.fileno() == 2
    if owned:
        before.flush()
        sys.stderr = os.fdopen(os.dup(saved), "w", buffering=1, errors="backslashreplace")
        for handler in handlers:
            handler.setStream(sys.stderr)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        if owned:
            for handler in handlers:
                handler.setStream(before)
            sys.stderr.close()
            sys.stderr = before


def imdecode(data: np.ndarray, flags: int) -> np.ndarray | None:
    """`cv2.imdecode`; `Damaged` with libjpeg's words for a JPEG file that is damaged."""
    before = written()
    pixels = cv2.imdecode(data, flags)
    # Another thread's image may have been meant: this one is asked by itself.
    if written() > before and (why := complaint(data)):
        raise Damaged(f"damaged inside: {why}")
    return pixels


def written() -> int:
    """Bytes that C libraries have written to stderr while somebody listens."""
    return os.fstat(_ears[0]).st_size if _ears else 0


def complaint(data: np.ndarray) -> str:
    """Warnings of libjpeg about a file; empty without any, or only about a few extra bytes."""
    done = subprocess.run([sys.executable, "-c", ALONE], input=data.tobytes(), capture_output=True)
    for line in done.stderr.decode(errors="replace").splitlines():
        if match := WORDS.search(line):
            words = match[1] or match[2]
            return "" if HARMLESS.fullmatch(words) else words
    return ""
