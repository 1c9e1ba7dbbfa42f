"""A user without a name, as in a container that runs as any number."""

import getpass
import os

from cxrgrid.io import account


def test_a_user_that_the_machine_has_no_name_for_is_its_number(monkeypatch):
    assert account.user_name() == getpass.getuser()

    def unknown():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert account.user_name() == str(os.getuid())
