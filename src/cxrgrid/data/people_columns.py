"""Columns of a table on a study and its person, whatever they are called: view, sex and age."""

import re

import pandas as pd

from cxrgrid.data import dicom

# Names of columns, in letters alone; the first that is there is taken.
NAMES = {
    "study": ("study",),
    "view": ("view", "viewposition", "projection"),
    "sex": ("sex", "gender", "patientsex", "patientgender", "geschlecht", "sexe", "sexo"),
    "age": ("age", "patientage", "ageyears", "alter", "edad"),
}
SEXES = {"m": "M", "male": "M", "man": "M", "männlich": "M", "homme": "M", "hombre": "M"}
SEXES |= dict.fromkeys(("f", "female", "w", "woman", "weiblich", "femme", "mujer"), "F")


def column(name: str, header: list[str]) -> str:
    """The column of that name, or of another for the same; empty if there is none."""
    plain = {re.sub(r"[^a-z]", "", one.lower()): one for one in reversed(header)}
    exact = next((one for one in header if one.lower() == name), "")
    return exact or next((plain[other] for other in NAMES[name] if other in plain), "")


def read(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Study, view, sex and age of rows that have columns of these names, as text."""
    age = pd.to_numeric(rows["age"].str.replace(",", "."), errors="coerce").astype(float)
    age = age.fillna(rows["age"].str.upper().map(dicom.years).astype(float))  # 058Y
    view = rows["view"].str.upper()
    return {
        "study": rows["study"],
        "view": view.astype(object).where(view != "", None),
        "sex": pd.Series([SEXES.get(sex.lower()) for sex in rows["sex"]], rows.index, object),
        "age": age.where(age.between(0, 120)),
    }
