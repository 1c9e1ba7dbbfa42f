"""Signals that ask a run to stop: recorded, and acted on at points where stopping is safe."""

import signal

# Slurm's scancel and time limit, Ctrl-C, and Slurm's warning before the limit (`--signal`).
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Stopped(Exception):
    """Raised when a run stops because of a signal, whose number is `signal`."""

    def __init__(self, number: int, where: str):
        super().__init__(
            f"stopped by {signal.Signals(number).name} {where}; the same command goes on there"
        )
        self.signal = number


class Stop:
    """Context that catches the signals and records the first in `signal` (0: none)."""

    def __init__(self):
        self.signal = 0

    def __enter__(self) -> "Stop":
        self.before = {number: signal.signal(number, self.receive) for number in SIGNALS}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def receive(self, number: int, frame) -> None:
        """Record the signal only: a handler may run between any two instructions."""
        self.signal = self.signal or number

    def check(self, where: str) -> None:
        """Raise `Stopped` if a signal has come; where: the point in the run, for the message."""
        if self.signal:
            raise Stopped(self.signal, where)
