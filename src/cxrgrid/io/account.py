"""Name of the user, also where the machine does not know it."""

import getpass
import os


def user_name() -> str:
    """Name of the user, or its number: a container may run as one that it has no name for."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
