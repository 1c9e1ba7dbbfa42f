"""Images by an id that stands in their names, at one place of all: CXR_0012_PA.png is of 12."""

import re
from collections import defaultdict
from collections.abc import Callable

from cxrgrid.config.errors import UserError

WORD = re.compile(r"[^-_. ()]+")
LONGEST = 3  # words that may be one id: p_0012_b
NUMBER = re.compile(r"(?:[a-z]*[-_ ]?)0*(\d+)(\.0+)?")
Place = tuple[int, int]  # first word and number of words


def lookup(images: list[str], ids: list[str]) -> Callable[[str], list[str]]:
    """From an id to the images that have it at the place where most ids are found.

    `UserError` if two places have as many and mean other images.
    """
    numbers = all_numbers(ids)
    wanted = {key(one, numbers) for one in ids} - {""}
    found: dict[Place, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for image in images:
        for place, text in words(image):
            if (one := key(text, numbers)) in wanted:
                found[place][one].append(image)
    best = max(found, key=lambda place: (len(found[place]), -place[0], -place[1]), default=None)
    if best is None:
        return lambda value: []
    for other in found.values():
        if len(other) == len(found[best]) and other != found[best] and len(other) > 1:
            one = min(name for name in other if other[name] != found[best].get(name))
            both = " and ".join(
                repr(place.get(one, other[one])[0]) for place in (found[best], other)
            )
            raise UserError(
                f"the id {one!r} stands in two places of the images' names, as in {both}: write "
                "the names of the images into the table"
            )
    return lambda value: found[best].get(key(value, numbers), [])


def words(image: str) -> list[tuple[Place, str]]:
    """Every word of a name, and of those that follow each other up to three, with their place."""
    stem = image.rsplit("/", 1)[-1].rpartition(".")[0].casefold()
    at = [found.span() for found in WORD.finditer(stem)]
    return [
        ((first, length), stem[at[first][0] : at[first + length - 1][1]])
        for first in range(len(at))
        for length in range(1, min(LONGEST, len(at) - first) + 1)
    ]


def all_numbers(ids: list[str]) -> bool:
    """True if all ids are whole numbers, of which a name may have zeros or a word in front."""
    return all(re.fullmatch(r"\d+(\.0+)?", one) for one in ids if one)


def key(one: str, numbers: bool) -> str:
    """An id without differences of case and, of numbers, of zeros and words in front."""
    plain = one.casefold().strip()
    number = NUMBER.fullmatch(plain) if numbers else None
    return number[1] if number else plain
