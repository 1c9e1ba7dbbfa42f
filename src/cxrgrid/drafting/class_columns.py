"""The column of a table that names each image's class or findings, and how names are separated."""

import re
from collections import Counter
from typing import NamedTuple

import pandas as pd

from cxrgrid.config.errors import known
from cxrgrid.data.label_text import (
    ROWS,
    UNKNOWN,
    VALUES,
    is_empty_list,
    names,
    plain,
    together,
)
from cxrgrid.drafting.questions import Question

NAMED = re.compile(
    r"(image[ _]?)?(class(es)?|labels?|diagnos[ie]s|findings?|diseases?|category|target|condition"
    r"|pathology|problem|ground.?truth)s?"
    r"([ _]?(name|label|type|category|id|idx|index|code|number)s?)?",
    re.I,
)
GRADED = re.compile(r"grad(e|ing)|severity|stage|outcome|result|score", re.I)  # in numbers, too
OTHERWISE = re.compile(
    r".*(view|position|projection|sex|gender|\bage\b|split|fold|date|time|modality|manufacturer"
    r"|hospital|site|source|device|comment|note|report|path|file|race|ethnic|insurance|size|width"
    r"|height|spacing|unnamed|index|version|url|doi|license|location|folder|laterality).*"
    r"|age|set|.*\bid|id",
    re.I,
)
PART = re.compile(
    r"fold|split|partition|usage|(sub)?set|phase|train|valid|validation|val|test"
    r"|(is|in)[ _]?(train|test|val).*|((is|in)[ _]?)?hold.?out"
    r"|.*(train|test|val|validation|hold.?out)[ _]?(ing|set|split|data|fold)",
    re.I,
)  # names of columns that may say a split
# Columns of 1 and 0 that say how an image was taken, by whom it was checked, and whose it is.
FLAG = re.compile(
    r"(is|has|was|flag)?[ _.-]?((fe)?male|man|woman|sex|gender|ap|pa|ll|lat|lateral|frontal"
    r"|portable|supine|erect|upright|bedside|(in)?valid|(re)?view(ed)?|checked|verified|(un)?usable"
    r"|usability|included?|excluded?|inclusion|exclusion|qc|flag(ged)?|done|complete(d)?|annotated"
    r"|labell?ed|selected|duplicate|inverted|mirrored|flipped|rotated|cropped|consent(ed)?|report"
    r"|readable|(good|bad|poor|low|high)|inpatient|outpatient|adult|child|p(a)?ediatric)"
    r"[ _.-]?(view|projection|position|image|film|patient|pass(ed)?|ok|[01])?"
    r"|(.*[ _.-])?(sex|gender)([ _.-].*)?|(.*[ _.-])?(qc|quality|readability)([ _.-].*)?"
    r"|(.*[ _.-])?weights?([ _.-].*)?|w([ _.-].*)?",
    re.I,
)
NUMBERED = re.compile(r"(.*?[ _-]?)\d+")
NUMBERS = re.compile(r"\d+( +\d+)*")  # codes with spaces between them
READER = re.compile(r"(r|rad|reader|radiologist|rater|annotator|observer|doctor)\d+", re.I)
DICTIONARY = re.compile(r"\{\s*['\"][^'\"]*['\"]\s*:.*\}", re.S)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
AGE = re.compile(r"\d{1,3} ?[YMWD]", re.I)
OF_NUMBERS = re.compile(r"[A-Za-z;:.]|\[['\"]?\[")  # between numbers that are no codes
MOST_CODES = 3  # numbers in most fields, above which they may be coordinates
MOST = 60  # classes that a column may hold
SEPARATORS = ("\n", "|", ";", ",", "/", "+", "&", " and ")
SURE = SEPARATORS[:3]  # hardly ever within the name of a class
HEALTHY = re.compile(r"no[ _]?findings?|normal|none|healthy|negative|no disease", re.I)


class Classes(NamedTuple):
    """A column, what is between several names in a field, and the labels that come of it."""

    column: str
    separator: str
    labels: list[str]


def find(
    rows: pd.DataFrame, where: object, chosen: str = "", images: pd.Series | None = None
) -> Classes | None:
    """The column of classes, or None. images: of the rows; those that repeat name one finding each.
    `Question` with the choices where several could be it."""
    if "*" in chosen:
        return understood(chosen, together(rows, chosen)[chosen])._replace(separator="\n")
    if chosen:
        known(chosen, list(rows.columns), "--classes", "column")
        return by_rows(understood(chosen, rows[chosen]), rows, images)
    if several := numbered(rows):
        return several
    choice = likely(candidates(rows), rows)
    if len(choice) > 1:
        columns = " and ".join(repr(classes.column) for classes in choice)
        raise Question(
            f"{where}: {columns} could each hold the classes; choose, as --classes "
            f"{choice[0].column!r}",
            {f"{c.column}: {', '.join(c.labels[:5])}": {"classes": c.column} for c in choice},
        )
    if choice and (image := contradicted(choice[0], rows, images)):
        raise Question(
            f"{where}: rows of {image!r} name a finding and none at once in {choice[0].column!r}; "
            f"keep one row per image, or say --classes {choice[0].column!r} if any finding counts",
            {"any finding of an image counts": {"classes": choice[0].column}},
        )
    return by_rows(choice[0], rows, images) if choice else None


def candidates(rows: pd.DataFrame) -> list[Classes]:
    """Every column that may hold classes."""
    found = [understood(name, rows[name]) for name in rows.columns if could_be(name, rows[name])]
    return [classes for classes in found if 2 <= len(classes.labels) <= MOST]


def numbered(rows: pd.DataFrame) -> Classes | None:
    """The findings of columns called `Finding 1`, `Finding 2` and so on; None without such."""
    ends = {name: NUMBERED.fullmatch(name) for name in rows.columns}
    stems = Counter(end[1] for end in ends.values() if end and NAMED.fullmatch(end[1].strip(" _-")))
    for stem, number in stems.items():
        one = f"{stem}*"
        values = together(rows, one)[one]
        found = {name for field in values for name in names(field, "\n")}
        if number > 1 and 2 <= len(found) <= MOST and not all(map(is_number, found)):
            labels = one_spelling(Counter(name for field in values for name in names(field, "\n")))
            return Classes(one, "\n", [name for name in labels if not HEALTHY.fullmatch(name)])
    return None


def likely(found: list[Classes], rows: pd.DataFrame) -> list[Classes]:
    """The columns that are called like classes, else those with names in them.

    Numbers are classes only in a column that is called so, and where no such one has names.
    """
    named = [classes for classes in found if NAMED.fullmatch(classes.column)]
    text = [one for one in found if not all(is_number(label) for label in one.labels)]
    graded = [one for one in found if GRADED.fullmatch(one.column)]
    if sure := [one for one in named if one in text]:
        return sure
    # Of codes and the names that they stand for, the names: the column may be called anything.
    spelt = [one for one in text if named and same_rows(rows[one.column], rows[named[0].column])]
    return spelt or named or text or graded


def rivals(rows: pd.DataFrame, labels: list[str]) -> list[Classes]:
    """Columns called like classes that hold names, none of which is one of the labels."""
    taken = set(map(plain, labels))
    found = candidates(rows.drop(columns=labels))
    text = [one for one in found if not all(is_number(label) for label in one.labels)]
    named = [one for one in text if NAMED.fullmatch(one.column)]
    return [one for one in named if not taken & set(map(plain, one.labels))]


def spelt_out(rows: pd.DataFrame, label: str) -> bool:
    """True if a label that is called like classes stands there again in words: ill and well."""
    others = candidates(rows.drop(columns=label)) if NAMED.fullmatch(label) else []
    words = [one for one in others if not any(map(is_number, one.labels))]
    return any(same_rows(rows[label], rows[one.column]) for one in words)


def of_readers(labels: list[str]) -> list[str]:
    """Labels called alike but for a number or letter of a reader: R1_Mass, R2_Mass."""
    stems: dict[str, list[str]] = {}
    for label in labels:
        words = re.split(r"[ _.-]+", label)
        rest = " ".join(word for word in words if not READER.fullmatch(word))
        if rest and rest != " ".join(words):
            stems.setdefault(rest.casefold(), []).append(label)
    return next((found for found in stems.values() if len(found) > 1), [])


def in_rows(rows: pd.DataFrame, images: pd.Series | None) -> tuple[str, str] | None:
    """The column of findings and the one of their values, where each image has a row per finding;
    None for other tables."""
    if images is None or images.is_unique:
        return None
    for name in filter(NAMED.fullmatch, rows):
        pairs = pd.DataFrame({"image": images, "finding": rows[name]})
        whole = pairs["finding"].nunique() * images.nunique() == len(pairs)
        for value in rows.columns if whole and not pairs.duplicated().any() else ():
            if {0, 1} <= set(rows[value].str.lower().map(VALUES)) and value != name:
                parted = rows[value].groupby(images).nunique().max() > 1
                if parted and pairs["finding"].nunique() > 1:
                    return name, value
    return None


def same_rows(one: pd.Series, other: pd.Series) -> bool:
    """True if two columns tell the same rows apart."""
    return bool((pd.factorize(one)[0] == pd.factorize(other)[0]).all())


def by_rows(found: Classes, rows: pd.DataFrame, images: pd.Series | None) -> Classes:
    """The classes, as several of an image where its rows name different ones."""
    if images is None or found.separator:
        return found
    named = rows[found.column].where(rows[found.column] != "")
    if named.groupby(images).nunique().max() < 2:
        return found
    labels = [label for label in found.labels if not HEALTHY.fullmatch(label)]
    return Classes(found.column, ROWS, labels)


def contradicted(found: Classes, rows: pd.DataFrame, images: pd.Series | None) -> str:
    """The first image with a row that names no finding and another that does; empty if none."""
    if images is None or found.separator:
        return ""
    healthy = rows[found.column].map(lambda name: bool(HEALTHY.fullmatch(name)))
    told = ~healthy & (rows[found.column] != "")
    both = healthy.groupby(images).any() & told.groupby(images).any()
    return next(iter(both.index[both]), "")


def could_be(name: str, values: pd.Series) -> bool:
    """True if a column may hold classes: its name says nothing else, and its values repeat."""
    distinct = values[values != ""].nunique()
    says = any(kind.fullmatch(name) for kind in (OTHERWISE, PART, FLAG))
    if not name or (says and not NAMED.fullmatch(name)) or of_numbers(values):
        return False
    return 2 <= distinct <= len(values) / 2 or bool(NAMED.fullmatch(name))


def of_numbers(values: pd.Series) -> bool:
    """True for fields of coordinates, times, ages or named values, as `0 10 20 30;1 5 9 9`, `060Y`
    and `{'Mass': 1}`."""
    fields = {field for field in values if field and not is_empty_list(field)}
    if any(fields) and (all(map(AGE.fullmatch, fields)) or any(map(DICTIONARY.fullmatch, fields))):
        return True
    long = [field for field in fields if len(NUMBER.findall(field)) > MOST_CODES]
    if not long or len(long) * 2 < len(fields):
        return False
    numbers = {number for field in long for number in NUMBER.findall(field)}
    return len(numbers) > MOST or any(map(OF_NUMBERS.search, long))


def understood(column: str, values: pd.Series) -> Classes:
    """The classes in a column. `No Finding` is the absence of the others, where these combine."""
    fields = values[values != ""].tolist()
    separator = separator_of(fields)
    counts = Counter(name for field in fields for name in names(field, separator))
    labels = [name for name in one_spelling(counts) if plain(name) not in UNKNOWN]
    labels = [name for name in labels if not (separator and HEALTHY.fullmatch(name))]
    return Classes(column, separator, labels)


def separator_of(fields: list[str]) -> str:
    """Separator of several names, of which half also occur alone or among others; or empty."""
    if fields and all(is_list(field) for field in fields):
        return ","
    if any(" " in field for field in fields) and all(map(NUMBERS.fullmatch, fields)):
        return " "
    for separator in SEPARATORS:
        combined = {tuple(names(field, separator)) for field in fields}
        several = [names_ for names_ in combined if len(names_) > 1]
        used = Counter(name for names_ in combined for name in set(names_))
        among = {name for names_ in several for name in names_}
        again = sum(used[name] > 1 for name in among) * 2
        if among and (again > len(among) or (separator in SURE and again == len(among))):
            return separator
    return ""


def is_list(field: str) -> bool:
    """True for the form of a list or set: `['A', 'B']`, `{'A'}`, `set()`."""
    return field[:1] + field[-1:] in ("[]", "{}") or is_empty_list(field)


def one_spelling(counts: Counter) -> list[str]:
    """Names that differ in more than case and spaces, each as it is written most often."""
    often = {plain(name): name for name, _ in reversed(counts.most_common())}
    return sorted(often.values())


def is_number(text: str) -> bool:
    """True if the text is a number, with a point or a comma, or a percentage."""
    text = text.removesuffix("%").strip().replace(",", ".")
    return text.replace(".", "", 1).lstrip("-").isdigit()
