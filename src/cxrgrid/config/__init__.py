"""What a study may say, its checks, and the cells that follow from it.

No numpy, pandas or torch: the Snakefile imports this room at every parse. What reads images or
results belongs elsewhere.
"""
