"""Training metrics are those of the steps' own answers, however the steps were cut or stopped."""

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from cxrgrid import train
from cxrgrid.io.parquet import read_parquet
from cxrgrid.training.answers import counter, scores, trace
from test_train import make_cell, make_data, run

RNG = np.random.default_rng(0)
LABELS = (RNG.random((60, 3)) < 0.4).astype(np.float32)
LABELS[::7, 1] = np.nan
LOGITS = torch.from_numpy(RNG.normal(np.nan_to_num(LABELS) - 0.5, 1)).float()
CLASSES = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 60)]


def counted(labels, task, parts=1):
    """Scores of LOGITS, counted in parts."""
    count = counter(task, make_cell())
    pieces = zip(
        LOGITS.tensor_split(parts), torch.from_numpy(labels).tensor_split(parts), strict=True
    )
    return scores(sum(count(*piece) for piece in pieces), task)


@pytest.mark.parametrize("parts", [1, 7])
def test_labels_that_stand_alone_agree_with_scikit_learn(parts):
    found, said = counted(LABELS, "multilabel", parts), LOGITS.numpy() >= 0
    known = np.isfinite(LABELS)
    accuracy = reference.accuracy_score(LABELS[known], said[known])
    f1 = [reference.f1_score(LABELS[k, n], said[k, n]) for n, k in enumerate(known.T)]
    assert found == {
        "train_accuracy": pytest.approx(accuracy),
        "train_f1": pytest.approx(np.mean(f1)),
    }


@pytest.mark.parametrize("parts", [1, 7])
def test_classes_agree_with_scikit_learn_and_an_unknown_class_does_not_count(parts):
    labels = CLASSES.copy()
    labels[:5] = np.nan
    found = counted(labels, "multiclass", parts)
    truth, said = CLASSES[5:].argmax(1), LOGITS[5:].argmax(1)
    assert found == {
        "train_accuracy": pytest.approx(reference.accuracy_score(truth, said)),
        "train_f1": pytest.approx(reference.f1_score(truth, said, average="macro")),
    }


def test_soft_labels_do_not_count():
    soft = np.where(LABELS == 1, np.float32(0.7), LABELS)
    assert counted(soft, "multilabel")["train_accuracy"] == pytest.approx(
        (LOGITS.numpy()[LABELS == 0] < 0).mean()
    )


def test_a_trace_keeps_the_mean_of_all_steps():
    assert trace(torch.arange(7.0)) == list(range(7))
    assert len(trace(torch.rand(101))) == 20
    assert np.mean(trace(torch.arange(100.0))) == pytest.approx(49.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"), masked=True)


def test_a_still_network_is_as_accurate_in_training_as_when_it_is_asked_again(tmp_path, data):
    """With lr 0 and no chance all steps see one network: that of the predictions."""
    cell = make_cell(backbone="test_vit", lr=1e-12, epochs=1, warmup_epochs=0)
    out = run(cell, data, tmp_path)
    [row] = read_parquet(out / "history.parquet")[0].to_pylist()
    val = read_parquet(out / "predictions/val.parquet")[0].to_pandas()
    truth, said = val[["y:A", "y:B"]].to_numpy(), val[["p:A", "p:B"]].to_numpy() >= 0.5
    known = np.isfinite(truth)
    assert row["val_accuracy"] == pytest.approx((truth == said)[known].mean())
    assert row["steps"] == 3 and row["step_losses"] == pytest.approx([row["train_loss"]] * 3, 0.5)
    assert 0 <= row["train_accuracy"] <= 1


def test_blended_images_have_no_accuracy(tmp_path, data):
    out = run(make_cell(epochs=1, mixup=0.4), data, tmp_path)
    [row] = read_parquet(out / "history.parquet")[0].to_pylist()
    assert np.isnan(row["train_accuracy"]) and np.isnan(row["train_f1"])
    assert np.isfinite(row["val_accuracy"])


def test_a_state_of_an_earlier_version_goes_on_with_what_it_counts_from_then(tmp_path, data):
    """Its history lacks the columns, and its epoch under way was not counted from its start."""
    cell = make_cell(epochs=3)
    whole = run(cell, data, tmp_path / "whole")
    calls, real = [], train.augment

    def second_epoch(*arguments):
        calls.append(0)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    out = tmp_path / "stopped"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "augment", second_epoch)
        run(cell, data, out, "--save-minutes", "0")
    state = torch.load(out / train.STATE, weights_only=True)
    state = {name: state[name] for name in state if name not in ("counted", "step_losses")}
    new = ("train_accuracy", "train_f1", "val_accuracy", "val_f1", "steps")
    state["history"] = [{k: row[k] for k in row if k not in new} for row in state["history"]]
    torch.save(state, out / train.STATE)
    run(cell, data, out)
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    rows, expected = (read_parquet(p / "history.parquet")[0].to_pylist() for p in (out, whole))
    assert [row["train_loss"] for row in rows] == [row["train_loss"] for row in expected]
    first, second, third = rows
    assert first["train_accuracy"] is None and first["step_losses"] is None
    assert np.isnan(second["train_accuracy"]) and second["val_f1"] == expected[1]["val_f1"]
    assert third["train_f1"] == expected[2]["train_f1"]
    assert third["step_losses"] == expected[2]["step_losses"]
