"""One file per table of the report.

A file here is a table: found by listing, named in `table.py` nowhere.
"""
