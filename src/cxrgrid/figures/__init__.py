"""One file per figure: `draw(frames: Frames) -> Figure`, and `CAPTION`.

The first line of the file's docstring is the figure's title. To add a figure, put a file here;
`report.figures` in the config may name it. Style and colours come from
`cxrgrid.reporting.figure_style`; `python -m cxrgrid.figure` reads and writes.
"""
