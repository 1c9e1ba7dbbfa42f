"""From one model's predictions to numbers: metrics, intervals, thresholds, calibration, groups.

No torch. Several models beside each other belong in `comparison`; the layout of numbers for a
reader in `reporting`, `tables` and `figures`.
"""
