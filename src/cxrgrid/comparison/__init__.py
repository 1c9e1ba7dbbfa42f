"""From the scores of several models to answers: pairs, effects, choices, what a change costs.

No torch. The numbers of one model's predictions belong in `evaluation`, what a reader sees of a
comparison in `reporting`, `tables` and `figures`.
"""
