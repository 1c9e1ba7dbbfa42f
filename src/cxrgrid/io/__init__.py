"""Reading and writing of files, and the code that all commands share.

Files put in place whole, Parquet with facts, locks, signals, the command line. Nothing that knows
of chest X-rays.
"""
