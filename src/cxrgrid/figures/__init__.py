"""One figure a file: `draw(frames: Frames) -> Figure`, and `CAPTION`.

To add one, put a file here; `report.figures` in the config may name it. Style and colours come from
`cxrgrid.reporting.figure_style`; reading and writing is the business of `python -m cxrgrid.figure`.
"""
