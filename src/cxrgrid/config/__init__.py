"""Settings of a study, their checks, and the cells that follow from them.

No numpy, pandas or torch: the Snakefile imports this room at every parse. What reads images or
results belongs elsewhere.
"""
