"""The header of a table, and what lies above and between its rows: titles, comments, headers."""

import re

import pandas as pd

LOOKED_AT = 20  # rows among which the header is
BODY = 200  # rows in which a name of a column would come again
PICTURE = re.compile(r".*\.(png|jpe?g|tiff?|bmp|webp|dcm|dicom)", re.I)
FOLDER = re.compile(r"[^/\s]+(/[^/\s]+){2,}/?")
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
COMMENT = re.compile(r"(#|//|%%)\s*\w.*")


def taken(rows: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """The rows below the header, which names their columns; the index is the line of each.

    rows: all as stripped text. What was passed over is added to the notes; name: of the file.
    """
    above = lines_above(rows)
    rows = rows.iloc[above:].reset_index(drop=True)
    notes += [f"{name}: lines above the header, passed over: {above}."] if above else []
    # Spreadsheets break long headers into lines.
    header = rows.iloc[0].str.replace(r"\s*[\r\n]\s*", " ", regex=True).tolist()
    # An image, or a folder of some: the first row is one of them.
    if any(map(PICTURE.fullmatch, header)) or folders_from_the_first_on(rows):
        notes.append(f"{name}: no header, so its columns are called column 1 and so on.")
        header = headless(len(header))
        rows = pd.concat([rows.iloc[:1], rows], ignore_index=True)
    elif numbered(rows):
        notes.append(f"{name}: no header, so its columns are called column 1 and so on.")
        header = [f"column {at}" for at in range(1, len(header) + 1)]
        rows = pd.concat([rows.iloc[:1], rows], ignore_index=True)
    rows = rows.iloc[1:].set_axis(header, axis=1)
    rows = rows.set_axis(range(above + 2, above + 2 + len(rows)))
    rows = without_repeated(rows)
    rows = rows[(rows != "").any(axis=1)]
    return without_others(rows, name, notes)


def folders_from_the_first_on(rows: pd.DataFrame) -> bool:
    """True if a column begins with paths of three folders, the first with a digit in it."""
    first = rows.iloc[0]
    paths = [at for at in rows if FOLDER.fullmatch(first[at]) and re.search(r"\d", first[at])]
    return len(rows) > 1 and any(FOLDER.fullmatch(rows.iloc[1][at]) for at in paths)


def without_others(rows: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """The rows that are neither comments nor the header once more, as in tables put together."""
    if rows.empty:
        return rows
    again = (rows == rows.columns.to_numpy()).all(axis=1)
    first = rows.iloc[:, 0]
    comments = first.str.fullmatch(COMMENT.pattern) & ~first.str.fullmatch(
        PICTURE.pattern, case=False
    )
    comments &= (rows != "").sum(axis=1) * 2 <= max(2, rows.shape[1])
    said = {"comments": comments, "the header once more": again}
    notes += [f"{name}: {what}, passed over: {n}." for what, of in said.items() if (n := of.sum())]
    return rows[~(again | comments)]


def without_repeated(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without columns that are there twice, with the same fields."""
    names, kept = list(rows.columns), []
    for at, name in enumerate(names):
        earlier = [other for other in kept if names[other] == name]
        if not any(rows.iloc[:, other].equals(rows.iloc[:, at]) for other in earlier):
            kept.append(at)
    return rows if len(kept) == len(names) else rows.iloc[:, kept]


def lines_above(rows: pd.DataFrame) -> int:
    """Number of rows above the header: titles, and names of groups of columns."""
    filled = (rows.iloc[:LOOKED_AT] != "").sum(axis=1).to_numpy()
    most = int(filled.max(initial=0))
    if most > 2 and filled[0] * 2 < most:
        return int((filled == most).argmax())
    at = 0
    while at + 2 < len(filled) and is_partial(rows, at):
        at += 1
        if is_header(rows, at) and (filled[at] > filled[at - 1] or repeats(rows, at - 1)):
            return at
    return 0


def is_partial(rows: pd.DataFrame, at: int) -> bool:
    """True for a row that does not name each column once, as cells that were merged do not."""
    used = (rows.iloc[at + 1 :] != "").any(axis=0)
    return bool((rows.iloc[at][used] == "").any()) or repeats(rows, at)


def repeats(rows: pd.DataFrame, at: int) -> bool:
    """True if a row holds a text twice."""
    fields = rows.iloc[at]
    return bool(fields[fields != ""].duplicated().any())


def is_header(rows: pd.DataFrame, at: int) -> bool:
    """True for names of columns: no numbers and no images, none twice, and none below itself."""
    fields = rows.iloc[at]
    given = fields[fields != ""]
    if len(given) < 2 or given.duplicated().any():
        return False
    if any(NUMBER.fullmatch(text) or PICTURE.fullmatch(text) for text in given):
        return False
    body = rows.iloc[at + 1 : at + 1 + BODY]
    return not any((body[column] == text).any() for column, text in given.items())


def numbered(rows: pd.DataFrame) -> bool:
    """True if each of two columns' rows, also the first, is a number and a word."""
    if rows.shape[1] != 2 or len(rows) < 2:
        return False
    words = ~rows.iloc[:, 1].str.fullmatch(rf"{NUMBER.pattern}|")
    return bool(words.all() and rows.iloc[:, 0].str.fullmatch(r"\d+").all())


def headless(columns: int) -> list[str]:
    """Names of the columns of a table without a header."""
    two = ["image", "label"]
    return two if columns == 2 else [f"column {at}" for at in range(1, columns + 1)]
