"""What `new` guesses of a stranger's folder or table, and the study file that it writes.

How images and labels are read afterwards belongs in `datasets` and `data`.
"""
