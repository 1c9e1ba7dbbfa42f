"""TensorBoard's event files are there whole, and hold nothing twice."""

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from cxrgrid.config.grid import Grid
from cxrgrid.reporting.trackers import Mark, News, TensorBoard
from test_track import CONFIG


def test_what_a_killed_call_has_left_is_not_sent_twice(tmp_path):
    cell = Grid(CONFIG).cells[0]
    sink = TensorBoard(tmp_path, "demo")
    rows = [{"epoch": epoch, "val_loss": 0.5} for epoch in (1, 2)]
    news = News(cell, rows, {}, "running", False, Mark("settings", 2))
    sink.write(news)
    sink.path(cell).unlink()  # killed before its mark
    assert sink.held(cell) == Mark()
    sink.write(news)
    folder = sink.path(cell).parent
    assert len([*folder.iterdir()]) == 2 and sink.held(cell) == news.mark
    (path,) = [path for path in folder.iterdir() if "tfevents" in path.name]
    read = [
        (event.step, v) for event in EventFileLoader(str(path)).Load() for v in event.summary.value
    ]
    values = [(step, *v.tensor.float_val) for step, v in read if v.tag == "val_loss"]
    assert values == [(1, 0.5), (2, 0.5)]
