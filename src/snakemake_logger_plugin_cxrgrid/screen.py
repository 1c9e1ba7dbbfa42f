"""Lines on a stream; on a terminal, below them, one line that is written over each second."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TextIO

RED, YELLOW, GREY = 31, 33, 90
CLEAR = "\r\033[K"


class Screen:
    """Prints the console's lines.

    status: what the last line of a terminal says now; lock: held wherever that may change.
    """

    def __init__(
        self, stream: TextIO, plain: bool, status: Callable[[], str], lock: AbstractContextManager
    ):
        self.stream, self.status, self.lock = stream, status, lock
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.live and not plain and "NO_COLOR" not in os.environ
        self.closed = threading.Event()
        if self.live:
            threading.Thread(target=self.tick, daemon=True).start()

    def say(self, text: str, colour: int = 0) -> None:
        """A line that stays."""
        self.write(f"{self.painted(text, colour)}\n{self.last()}")

    def refresh(self) -> None:
        """Write the last line anew."""
        if self.live:
            self.write(self.last())

    def tick(self) -> None:
        """Each second, until it is closed."""
        while not self.closed.wait(1):
            with self.lock:
                self.refresh()

    def last(self) -> str:
        """The status, cut to the terminal's width; nothing where there is no terminal."""
        if not self.live or self.closed.is_set():
            return ""
        return self.painted(self.status()[: self.width() - 1], GREY)

    def width(self) -> int:
        """Columns of the terminal."""
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80

    def painted(self, text: str, colour: int) -> str:
        """The text in a colour, if there is one and the terminal shows it."""
        return f"\033[{colour}m{text}\033[0m" if text and colour and self.colours else text

    def write(self, text: str) -> None:
        """To the stream, over what the last line was."""
        self.stream.write(f"{CLEAR}{text}" if self.live else text)
        self.stream.flush()

    def close(self) -> None:
        """Take the last line away."""
        with self.lock:
            self.closed.set()
            self.refresh()
