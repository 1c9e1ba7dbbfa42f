"""A finished cell, read from its folder: the network, and the settings to decode a new image."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import nn

from cxrgrid import models
from cxrgrid.config.cell import Cell, fold_folder, read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.preparation import Image, other_image
from cxrgrid.data.resizing import Sides
from cxrgrid.evaluation.predictions import Predictions, read_predictions
from cxrgrid.io.parquet import read_parquet
from cxrgrid.models import checkpoint_file, neighbours
from cxrgrid.models.device import pick_device, prepare
from cxrgrid.models.input import set_input
from cxrgrid.models.probe import classifier_of, replace_classifier
from cxrgrid.models.sizes import Size

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Trained:
    """A cell that has finished.

    folder: of the cell; val: its own validation predictions, with labels and task in their facts;
    dataset: the facts of its table.parquet; learnt: split of its train and val images by file
    name; batch: batch size.
    """

    folder: Path
    cell: Cell
    val: Predictions
    dataset: dict
    learnt: dict[str, str]
    batch: int

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the network's outputs."""
        return self.val.facts["labels"]

    @property
    def task(self) -> str:
        """`multilabel` or `multiclass`."""
        return self.val.facts["task"]

    @property
    def recipe(self) -> Image:
        """The image recipe; settings added since the cell was trained are at their defaults."""
        settings = self.dataset["image"]
        names = [name for name in Image.__struct_fields__ if name in settings]
        return Image(**{name: settings[name] for name in names})

    def network(self) -> nn.Module:
        """The cell's network, from `load`."""
        return load(self.folder, self.cell, len(self.labels), self.recipe.shape)

    @property
    def frame(self) -> Sides | None:
        """Width and height of the central part that is used; None: the whole image."""
        frame = self.dataset["image"].get("cropped_to")
        return tuple(frame) if frame else None


def read_trained(folder: Path, data: Path | None = None) -> Trained:
    """The cell in `folder`, without its network; `UserError` that names what is missing.

    data: results/data/{dataset}; None: searched above the cell, where the workflow puts it.
    """
    if not (folder / "cell.json").is_file():
        raise UserError(
            f"{folder}: no cell.json; name a cell's folder, such as results/demo/cells/…/seed0"
        )
    cell = read_cell(str(folder / "cell.json"))
    for name in (MODEL, "predictions/val.parquet"):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: no {name}; train the cell to its end, or copy it whole")
    val = read_predictions(folder / "predictions/val.parquet", cell)
    table, facts = read_parquet(find_table(folder, cell, data), "image", "split")
    if facts["labels"] != val.facts["labels"] or facts["split_hash"] != val.facts["split_hash"]:
        raise UserError(
            f"{folder}: trained on another split or labels than {cell.dataset} has now; train it "
            "again, or give the table.parquet of then with --data"
        )
    if cell.image:
        facts = facts | {"image": history_facts(folder)["image"]}
    pairs = zip(table["image"].to_pylist(), table["split"].to_pylist(), strict=True)
    own = not cell.train_on or cell.dataset in cell.train_on
    learnt = {Path(i).name: s for i, s in pairs if s == "val" or (s == "train" and own)}
    return Trained(folder, cell, val, facts, learnt, batch(folder, cell))


def find_table(folder: Path, cell: Cell, data: Path | None) -> Path:
    """The table.parquet of the cell's dataset, whose facts have the image recipe."""
    own = f"{cell.dataset}{fold_folder(cell.fold)}"
    above = [parent / "data" / own for parent in folder.resolve().parents]
    for configuration in [data] if data else above:
        if (configuration / "table.parquet").is_file():
            return configuration / "table.parquet"
    where = f"in {data}" if data else f"in data/{own} of any folder above"
    raise UserError(
        f"{folder}: no table.parquet {where}; it says how images are decoded: copy it as well, "
        f"from results/data/{own}, and name its folder with --data"
    )


def batch(folder: Path, cell: Cell) -> int:
    """Batch size of the cell's own predictions: another one can change the last bits."""
    facts = history_facts(folder)
    usual = -(-cell.batch_size // facts.get("parts", cell.accumulate))
    return facts.get("eval_batch", usual)


def history_facts(folder: Path) -> dict:
    """The facts of a cell's history; none where it has been left out of a copy."""
    path = folder / "history.parquet"
    return read_parquet(path)[1] if path.is_file() else {}


def image_there(folder: Path, cell: Cell, facts: dict, said: dict | None = None) -> dict:
    """The cell's image settings, and its size, as far as they differ from a dataset's own.

    folder: of the cell; facts: those of the dataset's table.parquet; said: settings of the recipe
    that the cell's own dataset has by itself, so that its cell.json may not name them.
    """
    learnt = history_facts(folder).get("image")
    if facts.get("dataset") == cell.dataset or not learnt:
        return cell.image
    own = Image(**{name: facts["image"][name] for name in facts["image"] if name != "cropped_to"})
    given = {**cell.image_said, **(said or {}), **cell.image, "size": learnt["size"]}
    return other_image(own, given)


def load(folder: Path, cell: Cell, labels: int, size: Size) -> nn.Module:
    """The network with the weights of the best epoch, in evaluation mode, on a GPU if there is one.

    labels: number of outputs; size: of the images.
    """
    device = pick_device()
    prepare(cell, device)
    model = models.build(cell, labels, size)
    path = folder / MODEL
    models.check_written(path)
    weights = models.read_weights(path)
    if cell.head == "knn":
        name = classifier_of(model)[0]
        replace_classifier(model, neighbours.empty(cell.neighbours, weights, name))
    models.check_fit(model.state_dict(), weights, path)
    model.load_state_dict(weights)
    set_input(model, checkpoint_file.metadata(path))
    layout = torch.channels_last if cell.channels_last else torch.contiguous_format
    return model.to(device, memory_format=layout).eval()


def add_image(parser: argparse.ArgumentParser) -> None:
    """Add the flag --image: settings of the recipe that hold on another dataset too."""
    parser.add_argument(
        "--image",
        type=image_settings,
        default={},
        help="image settings as JSON, of the recipe: other datasets are shown so, not as their own",
    )


def image_settings(text: str) -> dict:
    """Image settings from the command line."""
    try:
        given = msgspec.json.decode(text, type=dict)
        msgspec.convert(given, Image)
    except ValueError:
        raise argparse.ArgumentTypeError('JSON, such as {"equalize": "none"}, please') from None
    return given
