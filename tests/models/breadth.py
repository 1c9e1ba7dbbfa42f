"""The breadth of networks: which images timm's families take, and how far a dozen of them go.

`networks.csv` beside this file has a row for each network; docs/networks.md is written from it, and
the tests hold both to what the networks do. After a new version of timm, or to add a name to
networks.csv: PYTHONPATH=src:tests python tests/models/breadth.py
"""

import contextlib
import csv
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch

from cxrgrid import export, train
from cxrgrid.inference import heat_layer, trained_cell
from cxrgrid.io.atomic import replacing, write_text
from cxrgrid.io.parquet import read_parquet
from cxrgrid.models import sizes, trials
from small_cell import write_cell
from test_train import answers, make_cell, run

ROOT = Path(__file__).parents[2]
TABLE, PAGE = Path(__file__).with_name("networks.csv"), ROOT / "docs/networks.md"
SIZES, CHANNELS = (64, 112, 224), (1, 3)
LIVED = ("resume", "probe", "export", "onnx", "heat_map")  # columns of those that are trained
COLUMNS = ("backbone", "parameters", "refused", "size", *LIVED)


def read() -> list[dict[str, str]]:
    """The rows of networks.csv."""
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def refused(backbone: str, tried: Callable[[str, int, int], str] = trials.refusal) -> str:
    """Sizes that a plan refuses, and with how many channels: `64, 112` or `64 with 1 channel`."""
    found = []
    for size in SIZES:
        channels = [count for count in CHANNELS if tried(backbone, size, count)]
        if channels:
            words = "" if len(channels) == len(CHANNELS) else f" with {channels[0]} channel"
            found.append(f"{size}{words}")
    return ", ".join(found)


def shortly(backbone: str, size: int, channels: int) -> str:
    """As `trials.refusal`, without the search for sizes that the network takes."""
    options = {"num_classes": trials.LABELS, "in_chans": channels, "drop_rate": 0.0}
    with torch.device("meta"):
        return sizes.attempt(backbone, size, options)[1]


def parameters(backbone: str) -> str:
    """Millions of parameters, with 1,000 classes."""
    with torch.device("meta"):
        model = timm.create_model(backbone)
    return f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.1f}"


def lived(backbone: str, size: int, folder: Path) -> dict[str, str]:
    """Two steps of training, then all that is asked of a trained cell; how each of these went."""
    cell = write_cell(folder / "a", size=size, backbone=backbone, epochs=1, batch_size=12)
    data, made = folder / "a/data/toy", {"backbone": backbone, "epochs": 1, "batch_size": 12}
    resumed = folder / "resumed"
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(InterruptedError):
        break_at_second_step(patch)
        run(make_cell(**made), data, resumed, "--save-minutes", "0")
    assert (resumed / train.STATE).is_file()
    same = answers(run(make_cell(**made), data, resumed)) == answers(cell)
    probe = run(make_cell(**made, train="head"), data, folder / "probe")
    about = read_parquet(probe / "history.parquet")[1]["features"]
    model = trained_cell.read_trained(cell).network()
    return {
        "resume": "yes" if same else "other bits",
        "probe": "on features" if about["used"] else f"each step ({about['reason']})",
        **exported(cell, folder / "out"),
        "heat_map": heat_map(model, size),
    }


def break_at_second_step(patch: pytest.MonkeyPatch) -> None:
    """Let a training end before its second step, as if it were killed."""
    real, calls = train.augment, []

    def counting(*arguments):
        calls.append(0)
        if len(calls) == 2:
            raise InterruptedError
        return real(*arguments)

    patch.setattr(train, "augment", counting)


def exported(cell: Path, out: Path) -> dict[str, str]:
    """A folder that timm reads, and ONNX; or why there is none."""
    export.main(["--cell", str(cell), "--out", str(out)])
    timm.create_model(f"local-dir:{out}", pretrained=True)
    try:
        export.main(["--cell", str(cell), "--out", str(out), "--onnx"])
    except Exception as error:  # torch's exporter fails in many ways
        return {"export": "yes", "onnx": f"no ({type(error).__name__})"}
    return {"export": "yes", "onnx": "yes"}


def heat_map(model: torch.nn.Module, size: int) -> str:
    """The layer of Grad-CAM; occlusion where there is none."""
    try:
        return f"Grad-CAM at {heat_layer.find_layer(model, size).name}"
    except heat_layer.NoHeatMap:
        return "occlusion"


def in_pixels(refused: str) -> str:
    """`64 px, 112 px` of `64, 112`."""
    return re.sub(r"(\d{2,})", r"\1 px", refused)


def page(rows: list[dict[str, str]]) -> str:
    """docs/networks.md."""
    some = [row for row in rows if row["refused"]]
    trained = [row for row in rows if row["size"]]
    lines = [
        "# Networks that were tried",
        "",
        "Any name that timm knows is a backbone; a plan tries each at its size before any job.",
        f"Of the {len(rows)} networks below (timm {timm.__version__}: the smallest of each family,",
        "and those that papers on chest X-rays use) each was tried with images of 64, 112 and",
        f"224 pixels, with one channel and with three: {len(rows) - len(some)} take all of them.",
        "`tests/models/breadth.py` writes this page.",
        "",
        "## Refused",
        "",
        "The plan names sizes that such a network takes.",
        "",
        "| backbone | refuses images of |",
        "| --- | --- |",
        *(f"| {row['backbone']} | {in_pixels(row['refused'])} |" for row in some),
        "",
        "## Trained",
        "",
        f"These {len(trained)} were trained for two steps, stopped after the first and resumed",
        "(*resume*: the same bits), probed (*probe*: on features, or at each step), exported for",
        "timm and as ONNX, and asked for a heat map, which is occlusion where a network has no",
        "layer for Grad-CAM.",
        "",
        "| backbone | pixels | resume | probe | export | ONNX | heat map |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    columns = ("backbone", "size", *LIVED)
    lines += ["| " + " | ".join(row[name] for name in columns) + " |" for row in trained]
    lines += ["", "## All", "", "| backbone | million parameters |", "| --- | --- |"]
    lines += [f"| {row['backbone']} | {row['parameters']} |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Try every network of the table anew; write table and page."""
    rows = read()
    for row in rows:
        name = row["backbone"]
        row |= {"parameters": parameters(name), "refused": refused(name)}
        if row["size"]:
            with tempfile.TemporaryDirectory() as folder:
                row |= lived(name, int(row["size"]), Path(folder))
        print(*row.values(), sep=", ", flush=True)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(TABLE) as partial:
        partial.write_text(file.getvalue())
    write_text(PAGE, page(rows))


if __name__ == "__main__":
    main()
