"""Results read once, and what pages are made of: findings, cards, galleries, templates.

One table belongs in `tables`, one figure in `figures`; numbers are computed in `evaluation`.
"""
