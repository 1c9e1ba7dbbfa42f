"""How a setting is declared: its meaning and its bounds."""

from typing import Annotated

import msgspec


def about(text: str, **bounds) -> msgspec.Meta:
    """The meaning of a setting, and its bounds (ge, gt, le, lt)."""
    return msgspec.Meta(description=text, **bounds)


Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
