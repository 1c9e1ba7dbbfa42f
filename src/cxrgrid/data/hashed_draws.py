"""Random numbers that follow from a name alone, so that other rows change no draw."""

import hashlib


def hashed_draw(name: str, salt: str) -> float:
    """A number in [0, 1) for a name: the same wherever, and among whichever others, it stands."""
    digest = hashlib.blake2b(f"{salt}\t{name}".encode(), digest_size=6).hexdigest()
    return int(digest, 16) / 2**48
