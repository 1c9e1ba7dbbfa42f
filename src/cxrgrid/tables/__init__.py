"""One file per table: `build(frames) -> DataFrame`, `show(rows, frames) -> DataFrame`, `CAPTION`.

To add one, put a file here, and nowhere else a word: the report shows what it finds. Its first line
is the table's title. `build` returns the rows of `report/<name>.csv`, bare numbers, with a column
`dataset`; `show` the text of one dataset's rows, each under the index of the row that it shows; its
columns but those named in `TEXTS` stand to the right. `ROWS_OF` names the command that has written
`report/<name>.csv` already, if it is not `table`. Two functions may be left out: `notes(rows,
frames)`, sentences below a dataset's table, and `links(rows, cells)`, of each row the pages of its
cells (`cxrgrid.reporting.cell_links`). Number formats come from `cxrgrid.evaluation.wording`.
Reading and writing is the business of `python -m cxrgrid.table`.
"""
