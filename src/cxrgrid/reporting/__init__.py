"""Results read once, and the parts of the pages: findings, cards, galleries, templates.

One table belongs in `tables`, one figure in `figures`; numbers are computed in `evaluation`.
"""
