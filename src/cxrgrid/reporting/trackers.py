"""Sinks of `track`: TensorBoard's event files, an MLflow server, or Weights & Biases.

A sink holds one mark per cell: hashes of its settings and test scores, and the number of epochs.
The libraries are extras (`track` and `wandb`), imported only here and only if used.
"""

import hashlib
import json
import math
import os
import shutil
import socket
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.io.atomic import replacing, write_bytes
from cxrgrid.io.json_file import read_json


@dataclass(frozen=True)
class Mark:
    """State of a cell in a sink. settings, scores: hashes; scores: empty before there are any."""

    settings: str = ""
    epochs: int = 0
    scores: str = ""


@dataclass(frozen=True)
class News:
    """Data of a cell that a sink lacks.

    epochs: numbers by name, each epoch with its `epoch`; scores: numbers by name; state: as
    `status` names it; anew: what is held is of other settings; mark: what is held afterwards.
    """

    cell: Cell
    epochs: list[dict[str, float]]
    scores: dict[str, float]
    state: str
    anew: bool
    mark: Mark


def need(package: str, option: str, extra: str = "track") -> None:
    """`UserError` if an extra is not installed."""
    if find_spec(package) is None:
        raise UserError(f"{option}: {package} is not installed; pip install 'cxrgrid[{extra}]'")


def numbers(row: dict[str, float]) -> dict[str, float]:
    """Values that can be drawn: finite numbers only."""
    return {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


class TensorBoard:
    """One run per cell, in its own folder: {folder}/{dataset}/{backbone}/…/seed{seed}."""

    def __init__(self, folder: Path, study: str):
        need("tensorboard", "--tensorboard")
        self.folder = folder / study

    def path(self, cell: Cell) -> Path:
        """Path of a cell's mark, beside its event files."""
        return self.folder / cell.path() / "cxrgrid.json"

    def held(self, cell: Cell) -> Mark:
        """The mark of a cell."""
        path = self.path(cell)
        return read_json(path, Mark) if path.is_file() else Mark()

    def write(self, news: News) -> None:
        """Add an event file with what is new."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        path = self.path(news.cell)
        if news.anew:
            shutil.rmtree(path.parent)
        # Before its first row TensorBoard wants the settings, once a run.
        fresh = not path.is_file()
        for left in path.parent.glob("*tfevents*") if fresh else []:
            left.unlink()  # of a call that was killed before its mark
        events = [Event(wall_time=time.time(), file_version="brain.Event:2")]
        if fresh:
            named = msgspec.to_builtins(news.cell).items()
            plain = {k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in named}
            settings = hparams_pb(plain, trial_id=news.cell.path())
            events.append(Event(summary=settings))
        rows = [(int(row["epoch"]), row) for row in news.epochs] + [(0, news.scores)]
        for step, row in rows:
            values = [
                Summary.Value(tag=name, simple_value=value)
                for name, value in numbers(row).items()
                if name != "epoch"
            ]
            if values:
                events.append(Event(step=step, summary=Summary(value=values)))
        write_events(path.parent, [event.SerializeToString() for event in events])
        write_bytes(path, msgspec.json.encode(news.mark))


def write_events(folder: Path, events: list[bytes]) -> None:
    """Add an event file, whole; its name is younger than those of the others there."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}"
    with replacing(folder / name) as partial, partial.open("wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event)


class MLflow:
    """One run per cell, in the experiment of the study's name."""

    STATES = {"done": "FINISHED", "failed": "FAILED", "running": "RUNNING"}

    def __init__(self, uri: str, study: str):
        need("mlflow", "--mlflow")
        # Nothing of a study goes to anyone but the server that was named.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        try:
            self.client = MlflowClient(tracking_uri=uri)
            experiment = self.client.get_experiment_by_name(study)
            self.experiment = (
                experiment.experiment_id if experiment else self.client.create_experiment(study)
            )
        except (MlflowException, ModuleNotFoundError) as error:
            raise UserError(f"--mlflow {uri}: {str(error).splitlines()[0]}") from None

    def run(self, cell: Cell):
        """The newest run of a cell; None if there is none."""
        where = f"tags.`cxrgrid.cell` = '{cell.path()}'"
        order = ["attributes.start_time DESC"]
        found = self.client.search_runs([self.experiment], where, max_results=1, order_by=order)
        return found[0] if found else None

    def held(self, cell: Cell) -> Mark:
        """The mark of a cell."""
        run = self.run(cell)
        return Mark(**json.loads(run.data.tags["cxrgrid.mark"])) if run else Mark()

    def write(self, news: News) -> None:
        """Log the news; other settings start a new run, and the older one stays."""
        from mlflow.entities import Metric, Param

        run = None if news.anew else self.run(news.cell)
        if run is None:
            tags = {"cxrgrid.cell": news.cell.path(), "mlflow.runName": news.cell.path()}
            run = self.client.create_run(self.experiment, tags=tags)
            settings = msgspec.to_builtins(news.cell).items()
            params = [Param(name, str(value)) for name, value in settings]
            for batch in parts(params):
                self.client.log_batch(run.info.run_id, params=batch)
        rows = [(int(row["epoch"]), row) for row in news.epochs] + [(0, news.scores)]
        for step, row in rows:
            # MLflow's names know no colon and no brackets.
            values = [
                Metric(allowed(name), value, 0, step)
                for name, value in numbers(row).items()
                if name != "epoch"
            ]
            for batch in parts(values):
                self.client.log_batch(run.info.run_id, metrics=batch)
        self.client.set_tag(
            run.info.run_id, "cxrgrid.mark", msgspec.json.encode(news.mark).decode()
        )
        if news.state in self.STATES:
            self.client.update_run(run.info.run_id, status=self.STATES[news.state])


class WandB:
    """One run per cell, in the group of the study's name, of a project `name` or `entity/name`.

    Weights & Biases cannot be asked for a mark where there is no network (`WANDB_MODE=offline`), so
    marks are kept in a folder here; without them everything is sent again, to the same runs.
    """

    def __init__(self, project: str, study: str, marks: Path):
        need("wandb", "--wandb", "wandb")
        entity, _, name = project.rpartition("/")
        self.where = {"project": name, "entity": entity or None, "group": study}
        self.marks = marks / project.replace("/", "-")

    def path(self, cell: Cell) -> Path:
        """Path of a cell's mark."""
        return self.marks / f"{cell.path()}.json"

    def held(self, cell: Cell) -> Mark:
        """The mark of a cell."""
        path = self.path(cell)
        return read_json(path, Mark) if path.is_file() else Mark()

    def write(self, news: News) -> None:
        """Log the news; other settings are another run, and the older one stays."""
        import wandb

        asked = f"{self.where['group']}/{news.cell.path()} {news.mark.settings}"
        number = hashlib.sha256(asked.encode()).hexdigest()[:16]
        named = {"id": number, "name": news.cell.path(), "resume": "allow"}
        config = msgspec.to_builtins(news.cell)
        try:
            run = wandb.init(**self.where, **named, config=config, reinit="finish_previous")
            for row in news.epochs:
                values = {name: one for name, one in numbers(row).items() if name != "epoch"}
                run.log(values, step=int(row["epoch"]))
            run.summary.update(numbers(news.scores))
            run.finish(exit_code=int(news.state == "failed"))
        except wandb.errors.Error as error:
            raise UserError(f"--wandb: {' '.join(str(error).split())}") from None
        write_bytes(self.path(news.cell), msgspec.json.encode(news.mark))


def parts(entries: list) -> list[list]:
    """Parameters and metrics in parts of the size that one MLflow request allows."""
    return [entries[first : first + 100] for first in range(0, len(entries), 100)]


def allowed(name: str) -> str:
    """A metric's name in MLflow's letters."""
    return "".join(letter if letter.isalnum() or letter in "/_-. " else "_" for letter in name)
