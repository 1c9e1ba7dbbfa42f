"""Signals that ask a run to stop: remembered, and looked at where stopping is safe."""

import signal

# Slurm's scancel and time limit, Ctrl-C, and Slurm's warning before the limit (`--signal`).
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Stopped(Exception):
    """A run has stopped because it was asked to; `signal` is what asked."""

    def __init__(self, number: int, where: str):
        super().__init__(
            f"stopped by {signal.Signals(number).name} {where}; the same command goes on there"
        )
        self.signal = number


class Stop:
    """As a context: catches the signals and remembers the first in `signal` (0: none came)."""

    def __init__(self):
        self.signal = 0

    def __enter__(self) -> "Stop":
        self.before = {number: signal.signal(number, self.receive) for number in SIGNALS}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def receive(self, number: int, frame) -> None:
        """The handler: it may run between any two instructions, so it only remembers."""
        self.signal = self.signal or number

    def check(self, where: str) -> None:
        """`Stopped` if a signal has come; `where` says what it interrupts."""
        if self.signal:
            raise Stopped(self.signal, where)
