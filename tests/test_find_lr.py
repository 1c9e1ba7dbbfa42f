"""The range test: its ramp, what it suggests, and where it stops."""

import csv
import math

import msgspec
import numpy as np
import pytest

from cxrgrid import find_lr
from cxrgrid.config.errors import UserError
from test_train import make_cell, make_data


def arguments(tmp_path, **settings) -> list[str]:
    data = make_data(tmp_path / "data")
    cell = msgspec.json.encode(make_cell(**settings)).decode()
    return [cell, "--data", str(data), "--out", str(tmp_path / "lr.csv")]


def rows(path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_the_ramp_grows_by_one_factor():
    rates = find_lr.ramp(1e-5, 1, 51)
    assert rates[0] == pytest.approx(1e-5) and rates[-1] == pytest.approx(1)
    assert rates[1:] / rates[:-1] == pytest.approx(10 ** (5 / 50))


def test_a_constant_loss_is_smooth_already():
    assert find_lr.smooth([0.7] * 20) == pytest.approx(0.7)
    assert find_lr.smooth([1.0, 0.0])[1] == pytest.approx(0.09 / 0.19)


def test_suggests_the_steepest_slope_and_a_tenth_of_the_minimum():
    rates = find_lr.ramp(1e-6, 1, 601)
    place = np.log10(rates)
    losses = 1 / (1 + np.exp(4 * (place + 3))) + 50 * np.maximum(0, place + 1) ** 2
    steepest, tenth = find_lr.suggest(rates, losses)
    assert math.log10(steepest) == pytest.approx(-3, abs=0.02)
    assert math.log10(tenth) == pytest.approx(math.log10(rates[losses.argmin()]) - 1)


def test_a_loss_that_never_falls_suggests_nothing():
    with pytest.raises(UserError, match="never falls"):
        find_lr.suggest(find_lr.ramp(1e-3, 1, 20), np.linspace(1, 2, 20))


def test_writes_the_curve_and_marks_the_suggestion(tmp_path, capsys):
    figure = tmp_path / "lr.svg"
    # Without momentum or an adaptive step, a rate that is too large diverges for sure.
    given = arguments(tmp_path, optimizer="momentum", momentum=0, rotate=5, mixup=0.2)
    more = ["--figure", str(figure), "--steps", "80", "--low", "1e-4", "--high", "1e6"]
    find_lr.main([*given, *more])
    found = rows(tmp_path / "lr.csv")
    assert 3 < len(found) < 80, "it stops where the loss diverges"
    ramp = find_lr.ramp(1e-4, 1e6, 80)[: len(found)]
    assert [row["lr"] for row in found] == pytest.approx(list(ramp), rel=1e-4)
    smoothed = find_lr.smooth([row["loss"] for row in found])
    assert [row["smoothed"] for row in found] == pytest.approx(list(smoothed), rel=1e-3)
    steepest, tenth = find_lr.suggest(ramp, smoothed)
    assert f"steepest slope: lr {steepest:.1e}" in capsys.readouterr().out
    assert f"steepest: {steepest:.1e}" in figure.read_text()
    assert 1e-4 <= steepest <= 10 * tenth


def test_same_cell_same_curve(tmp_path):
    given = [*arguments(tmp_path), "--steps", "12", "--low", "1e-4", "--high", "1e-2"]
    find_lr.main(given)
    first = (tmp_path / "lr.csv").read_bytes()
    find_lr.main(given)
    assert (tmp_path / "lr.csv").read_bytes() == first


def test_a_ramp_that_does_not_climb_is_one_line(tmp_path):
    with pytest.raises(UserError, match="--low < --high"):
        find_lr.main([*arguments(tmp_path), "--low", "1", "--high", "0.1"])


@pytest.mark.parametrize("last", [math.nan, 1e6])
def test_a_curve_ends_before_the_first_loss_that_is_none(last):
    losses = [1.0] * 12 + [last, 1.0]
    assert find_lr.sound(losses, 10) == 12 and find_lr.sound(losses[:12], 10) == 12
