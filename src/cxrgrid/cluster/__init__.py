"""Slurm, progress of running cells, resources, and what is checked before a run.

The study's own settings belong in `config`: nothing here changes a result.
"""
