"""The fastest way is chosen, and each way runs the cell's own steps."""

import msgspec
import pytest

from cxrgrid import find_speed
from cxrgrid.config.errors import UserError
from test_train import make_cell, make_data


def arguments(tmp_path, **settings) -> list[str]:
    data = make_data(tmp_path / "data")
    cell = msgspec.json.encode(make_cell(**settings)).decode()
    return [cell, "--data", str(data), "--steps", "4", "--rounds", "2"]


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ([100, 100, 100, 100], {"amp": False, "channels_last": False}),
        ([100, 104, 102, 103], {"amp": False, "channels_last": False}),  # not worth a change
        ([100, 150, 140, 155], {"amp": False, "channels_last": True}),
        ([100, 90, 180, 170], {"amp": True, "channels_last": False}),
        ([100, 150, 180, 300], {"amp": True, "channels_last": True}),
    ],
)
def test_the_least_change_that_is_about_as_quick_as_the_quickest(rates, chosen):
    assert find_speed.WAYS[find_speed.choose(rates)] == chosen
    said = find_speed.table(rates).splitlines()[-1]
    assert said == "in the recipe: " + str(chosen).lower().strip("{}").replace("'", "")


def test_each_way_takes_the_cells_steps(tmp_path, monkeypatch, capsys):
    taken = []
    real = find_speed.images_per_second

    def watched(step, feed, order):
        before = [weight.detach().clone() for weight in step.run.model.parameters()]
        rate = real(step, feed, order)
        after = step.run.model.parameters()
        assert any((old != new).any() for old, new in zip(before, after, strict=True))
        taken.append((step.autocast._enabled, step.cell.channels_last, len(order)))
        return rate

    monkeypatch.setattr(find_speed, "images_per_second", watched)
    find_speed.main(arguments(tmp_path, amp=True, rotate=5))
    four = [(amp, layout, 4) for amp in (False, True) for layout in (False, True)]
    assert taken == 3 * four, "in turn, whatever the cell itself has set; the first to warm up"
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and lines[1].endswith(" 1.00")


def test_no_steps_are_refused(tmp_path):
    with pytest.raises(UserError, match="one or more --steps"):
        find_speed.main([*arguments(tmp_path), "--steps", "0"])
