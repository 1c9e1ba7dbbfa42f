"""Guesses of `new` about an unknown folder or table, and the study file that it writes.

How images and labels are read afterwards belongs in `datasets` and `data`.
"""
