"""Whatever stands in a predictions file, it is scored and compared, or refused in one line.

CXRGRID_EXAMPLES=2000 pytest tests/evaluation/test_odd_predictions.py tries as many.
"""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrgrid import compare, score
from cxrgrid.config.errors import UserError
from cxrgrid.io.parquet import write_parquet
from odd_tables import TRIED, changed, one_line

FACTS = {"dataset": "ward", "backbone": "b", "init": "scratch", "recipe": "default", "fold": 0}
FACTS |= {"seed": 0, "target": "ward", "part": "test", "task": "multilabel", "labels": ["A", "B"]}
FACTS |= {"split": "patient", "split_hash": "c0ffee"}
SCRAPS = [*'10,,,,\n\n\r;\t"/.\x00\x1a ', "nan", "inf", "-1", "ü", "\ufeff", "1e999", "image"]
SCRAPS += ["p:A,y:A\n", "x" * 300]


def table(part: str = "test") -> pa.Table:
    """Predictions on 24 images of 12 patients."""
    rng = np.random.default_rng(len(part))
    image = [f"{part}{number:02}.png" for number in range(24)]
    columns = {"image": image, "patient": [f"{part}{number // 2}" for number in range(24)]}
    for at, label in enumerate("AB"):
        columns[f"y:{label}"] = [float(number % (2 + at) == 0) for number in range(24)]
        columns[f"p:{label}"] = rng.random(24)
    return pa.table(columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with whole predictions on validation and test images."""
    made = tmp_path_factory.mktemp("odd")
    write_parquet(table(), made / "whole.parquet", FACTS)
    write_parquet(table("val"), made / "val.parquet", FACTS | {"part": "val"})
    return made


def commands(folder, odd):
    """Command lines in which an odd file stands at each place."""
    out, whole = (
        ["--resamples=100", "--out", str(folder / "out.csv")],
        str(folder / "whole.parquet"),
    )
    many = ["--curves", str(folder / "curves.csv"), "--thresholds", str(folder / "thresholds.csv")]
    yield score.main, [odd, *out]
    yield score.main, [odd, "--val", str(folder / "val.parquet"), "--calibrate=platt", *many, *out]
    yield score.main, [whole, "--val", odd, *out]
    yield compare.main, [whole, odd, "--threshold=0.5", "--specificity=0.8", *out]
    yield compare.main, ["--a", odd, "--b", whole, *out]


def tried(data, folder, odd):
    """Run one of the commands."""
    command, args = data.draw(st.sampled_from([*commands(folder, str(odd))]))
    one_line(command, args)


@TRIED
@given(st.data())
def test_any_parquet_file_is_scored_or_one_line(folder, data):
    made, facts = changed(table(), FACTS, data)
    odd = folder / "odd.parquet"
    write_parquet(made, odd, facts)
    tried(data, folder, odd)


@TRIED
@given(st.data())
def test_any_csv_file_is_scored_or_one_line(folder, data):
    lines = table().to_pandas().round(2).to_csv(index=False)
    for _ in range(data.draw(st.integers(1, 4))):
        at, cut = data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from([0, 0, 1, 30]))
        lines = lines[:at] + data.draw(st.sampled_from(SCRAPS)) + lines[at + cut :]
    odd = folder / "odd.csv"
    odd.write_text(lines, data.draw(st.sampled_from(["utf-8", "utf-16", "cp1252"])), "replace")
    tried(data, folder, odd)


NUMBERS = list(range(24))
ODD = {
    "dates": lambda made: made.set_column(3, "p:A", pa.array(NUMBERS, pa.date32())),
    "dates, empty": lambda made: made.set_column(2, "y:A", pa.nulls(24, pa.date32())),
    "a line break": lambda made: made.set_column(1, "patient", pa.array(["a\nb"] * 24)),
}


@pytest.mark.parametrize("name", ODD)
def test_a_column_of_another_kind_is_one_line(folder, name):
    odd = folder / "odd.parquet"
    write_parquet(ODD[name](table()), odd, FACTS)
    for command, args in commands(folder, str(odd)):
        one_line(command, args)


@pytest.mark.parametrize("fact", [{"task": "both"}, {"seed": "x"}, {"target": 1}, {"recipe": None}])
def test_a_fact_of_another_kind_is_one_line(folder, fact):
    odd = folder / "odd.parquet"
    write_parquet(table(), odd, FACTS | fact)
    with pytest.raises(UserError, match=f"a fact of another kind .*{[*fact][0]}"):
        score.main([str(odd), "--out", str(folder / "out.csv")])


def test_a_csv_file_in_another_encoding_is_one_line(folder):
    odd = folder / "odd.csv"
    odd.write_text("image,y:ü,p:ü\na,1,0.5\n", "cp1252")
    with pytest.raises(UserError, match="not a readable CSV file in UTF-8"):
        score.main([str(odd), "--out", str(folder / "out.csv")])
