"""Tables that are packed: their text by name, and the file again with other text in it."""

import gzip
import io
import zipfile


def unpacked(name: str, data: bytes) -> dict[str, str]:
    """Texts in a table's file by their place in it: of a spreadsheet its parts, else one."""
    if name.endswith(".xlsx"):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return {inner: file.read(inner).decode() for inner in file.namelist()}
    return {"": (gzip.decompress(data) if name.endswith(".gz") else data).decode()}


def packed(name: str, texts: dict[str, str], encoding: str = "utf-8") -> bytes:
    """The file of a table with these texts."""
    if name.endswith(".xlsx"):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as file:
            for inner, text in texts.items():
                file.writestr(zipfile.ZipInfo(inner), text.encode("utf-8", "replace"))
        return made.getvalue()
    data = texts[""].encode(encoding, "replace")
    return gzip.compress(data, 1, mtime=0) if name.endswith(".gz") else data


def mutated(text: str, scraps: list[str], draw) -> str:
    """Text in which one to four places are changed; draw: draws from a list."""
    for _ in range(draw([1, 2, 3, 4])):
        at = int(draw(SHARES) * min(len(text), draw([300, 10_000])))
        text = text[:at] + draw(scraps) + text[at + draw([0, 0, 1, 30]) :]
    return text


SHARES = [share / 97 for share in range(98)]
