"""The text of a file by its encoding: Unicode with or without a mark, else Western European.

Text of another encoding is refused: read as Western European, its words would be other letters.
"""

import gzip
import io
import re
import unicodedata
import zlib
from pathlib import Path

from cxrgrid.config.errors import UserError

MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
WESTERN = "cp1252"
OTHERS = {"gb18030": "Chinese", "cp932": "Japanese", "cp949": "Korean", "big5": "Chinese"}
OTHERS |= {"cp1253": "Greek", "cp1251": "Cyrillic", "cp1250": "Central European"}
OTHERS |= {"mac_roman": "Macintosh"}
SCRIPTS = {"gb18030": "CJK", "cp932": "CJK|KATAKANA|HIRAGANA", "cp949": "HANGUL", "big5": "CJK"}
SCRIPTS |= {"cp1253": "GREEK", "cp1251": "CYRILLIC", "cp1250": "LATIN", "mac_roman": "LATIN"}
WORD = re.compile(r"[^\W\d_]*[\x80-\uffff]\S*", re.UNICODE)
# Signs that no Western word has between its letters, and letters that only begin one.
ODD_SIGN = re.compile(r"(?<=[^\W\d_])[¡-¦¨¬¯¸¹¼-¿‰†‡ˆ˜™›‹�-]|³(?=[^\W\d_])|[¡-¦¨¬¯¹¼¾‰†‡ˆ˜]\w")
LATE_CAPITAL = re.compile(r"[a-zß-öø-ÿ][À-ÖØ-ÞŠŽŒŸ]")
ONLY_HIGH = re.compile(r"[À-ÖØ-öø-ÿŠŽŒŸšžœ]{2,}")
FEW = 0.2  # share of the words with a special sign that may look odd
INFLATED = 500_000_000  # bytes of text in a gzipped table
SHOWN = 3  # readings in a message
# What reading a text may raise: the last two where a gzipped one is cut or damaged.
UNREADABLE = (OSError, ValueError, EOFError, zlib.error)


def decoded(path: Path, notes: list[str]) -> str:
    """The text of a file, unpacked; what was guessed of its encoding is added to the notes."""
    try:
        data = path.read_bytes()
        data = inflated(data) if data[:2] == b"\x1f\x8b" else data
    except UNREADABLE as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    encoding = next((MARKS[mark] for mark in MARKS if data.startswith(mark)), unmarked(data))
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise UserError(f"{path}: not a table of text ({error})") from None
    text = data.decode(WESTERN, errors="replace")
    if not (odd := foreign(text)):
        notes.append(f"{path.name}: not UTF-8, read as Western European text (Windows-1252).")
        return text
    word, found = data[odd.start() : odd.end()], other_readings(data)
    if len(found) == 1:
        [(encoding, text)] = found.items()
        notes.append(f"{path.name}: not UTF-8, read as {OTHERS[encoding]} text ({encoding}).")
        return text
    some = [f"{shown(word, name)!r} in {OTHERS[name]} ({name})" for name in list(found)[:SHOWN]]
    raise UserError(
        f"{path}: not UTF-8, and hardly Western European text, as {odd[0]!r}"
        f"{': ' if some else ''}{' or '.join(some)}; save it as CSV in UTF-8"
    )


def inflated(data: bytes) -> bytes:
    """Text of a gzipped file; `ValueError` if it is larger than any table: a few MB can hold GB."""
    with gzip.open(io.BytesIO(data)) as file:
        text = file.read(INFLATED + 1)
    if len(text) > INFLATED:
        raise ValueError(f"it holds more than {INFLATED // 10**6} MB; unpack it if it is a table")
    return text


def unmarked(data: bytes) -> str:
    """The encoding of text without a mark: UTF-16 where every second byte is zero, else UTF-8."""
    start = data[:1000]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = start[first::2]
        if len(half) > 1 and half.count(0) * 2 > len(half):
            return encoding
    return "utf-8"


def foreign(text: str) -> re.Match | None:
    """The first word that is of another encoding, if more than a few seem to be."""
    words = [word for word in WORD.finditer(text[:1_000_000]) if not word[0].isascii()]
    odd = [word for word in words if is_odd(word[0])]
    return odd[0] if len(odd) > FEW * len(words) else None


def is_odd(word: str) -> bool:
    """True for letters that Western European words do not put together."""
    return bool(
        ODD_SIGN.search(word) or LATE_CAPITAL.search(word) or ONLY_HIGH.fullmatch(letters(word))
    )


def letters(word: str) -> str:
    """The letters of a word without the signs after it."""
    return re.split(r"[\W\d_]", word)[0]


def other_readings(data: bytes) -> dict[str, str]:
    """The text in each other encoding in which all that is not ASCII is letters of one script."""
    found = {}
    for encoding in OTHERS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        special = set(re.findall(r"[^\x00-\x7f]", text))
        own = (re.match(SCRIPTS[encoding], unicodedata.name(sign, "")) for sign in special)
        if all(own) and all(map(str.isalpha, special)):
            found[encoding] = text
    return found


def shown(word: bytes, encoding: str) -> str:
    """The word in an encoding, up to the next column."""
    return re.split(r"[\s,;|]", word.decode(encoding, errors="replace"))[0]
