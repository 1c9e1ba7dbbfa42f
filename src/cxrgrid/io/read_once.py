"""Memory of what was read of a file, as long as its size and time are the same."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any


def read_once(most: int) -> Callable:
    """Decorator of a function of a path: keeps up to so many results, which are not to be changed.

    A file that cannot be asked for its size is left to the function. Errors are not kept.
    """

    def decorate(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        @functools.lru_cache(most)
        def kept(path: Path, place: Path, size: int, time: int) -> Any:
            return read(path)

        @functools.wraps(read)
        def asked(path: Path) -> Any:
            try:
                stat = path.stat()
            except OSError:
                return read(path)
            return kept(path, path.absolute(), stat.st_size, stat.st_mtime_ns)

        return asked

    return decorate
