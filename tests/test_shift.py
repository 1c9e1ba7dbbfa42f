"""A cell's answers under changes: resumed, paired, and as far from training as they look."""

import numpy as np
import pandas as pd
import pytest

from cxrgrid import compare, shift
from cxrgrid.io.parquet import read_parquet, write_parquet
from test_predict import renamed
from test_train import make_cell, make_data, run


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A cell, its data, another dataset, and what `shift` has written of two changes."""
    folder = tmp_path_factory.mktemp("cell")
    data = make_data(folder / "toy")
    cell = run(make_cell(epochs=2, channels_last=True), data, folder / "out")
    other = renamed(data, folder / "other", {"A": "C"}, ["C", "B"])
    np.save(other / "pixels.npy", 255 - np.load(data / "pixels.npy"))
    return cell, data, other, ask(cell, data, folder / "shift", "--others", str(other))


def ask(cell, data, out, *more, shifts=("noise", "crop")):
    """Run `shift`; the folder of its files."""
    given = [str(cell), "--data", str(data), "--shifts", *shifts, "--out", str(out), *more]
    shift.main(given)
    return out


def table(path):
    """A file's rows and facts."""
    rows, facts = read_parquet(path)
    return rows.to_pandas(), facts


def test_a_stronger_noise_moves_the_answers_further_and_the_truth_never(asked):
    cell, _, _, out = asked
    own, _ = table(cell / "predictions/toy.parquet")
    moved = []
    for strength in ("weak", "medium", "strong"):
        rows, facts = table(out / f"noise-{strength}.parquet")
        assert rows["image"].equals(own["image"]) and rows["y:A"].equals(own["y:A"])
        assert (facts["change"], facts["strength"]) == ("noise", strength)
        assert facts["dataset"] == "toy" and facts["seed"] == 0 and facts["recipe"] == "default"
        moved.append(np.abs(rows["z:A"] - own["z:A"]).mean())
    assert 0 < moved[0] < moved[1] < moved[2]


def test_the_files_are_compared_with_the_cells_own(asked, tmp_path):
    cell, _, _, out = asked
    files = [str(out / "noise-strong.parquet"), str(cell / "predictions/toy.parquet")]
    compare.main([*files, "--out", str(tmp_path / "r.csv"), "--resamples", "100"])
    assert pd.read_csv(tmp_path / "r.csv")["difference"].notna().any()


def test_distances_are_of_own_and_other_test_images(asked):
    cell, _, _, out = asked
    rows, facts = table(out / "distances.parquet")
    own = rows[rows["dataset"] == "toy"]
    assert list(own["image"]) == list(table(cell / "predictions/toy.parquet")[0]["image"])
    assert set(rows["dataset"]) == {"toy", "other"} and facts["images"] > 10
    # Negatives of the same images lie farther from the training images.
    assert rows[rows["dataset"] == "other"]["distance"].mean() > own["distance"].mean()


def test_what_is_there_is_kept_and_what_is_missing_or_of_another_network_is_made(asked, tmp_path):
    cell, data, _, out = asked
    times = {path: path.stat().st_mtime_ns for path in out.glob("*-*.parquet")}
    assert len(times) == 6
    weak, strong = (out / f"noise-{strength}.parquet" for strength in ("weak", "strong"))
    before = {path: table(path)[0] for path in (weak, strong)}
    weak.unlink()
    rows, facts = read_parquet(strong)
    write_parquet(rows.slice(0, 1), strong, facts | {"network": "another"})
    ask(cell, data, out, shifts=("noise", "crop", "blur"))
    kept = {path for path, time in times.items() if path.stat().st_mtime_ns == time}
    assert kept == set(times) - {weak, strong}
    for path, rows in before.items():
        pd.testing.assert_frame_equal(table(path)[0], rows)
    assert (out / "blur-medium.parquet").is_file()


def test_a_network_without_a_classifier_of_its_own_has_no_distances(asked, tmp_path, monkeypatch):
    cell, data, _, _ = asked
    monkeypatch.setattr(shift, "logits_and_features", lambda *given: (of_logits(*given)[0], None))
    of_logits = __import__("cxrgrid.inference.features", fromlist=["f"]).logits_and_features
    out = ask(cell, data, tmp_path / "shift", shifts=("blur",))
    assert table(out / "distances.parquet")[0]["distance"].isna().all()
    assert table(out / "blur-weak.parquet")[0]["p:A"].notna().all()
