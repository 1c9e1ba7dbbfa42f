"""How files are written and read, and what all commands share.

Files put in place whole, Parquet with facts, locks, signals, the command line. Nothing that knows
of chest X-rays.
"""
