"""Declaration of a setting: description and bounds."""

from typing import Annotated

import msgspec


def about(text: str, **bounds) -> msgspec.Meta:
    """Metadata of a setting: its description and its bounds (ge, gt, le, lt, min_length)."""
    return msgspec.Meta(description=text, **bounds)


Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
