"""From predictions to numbers: metrics, intervals, thresholds, calibration, differences.

No torch. How numbers are laid out for a reader belongs in `reporting`, `tables` and `figures`.
"""
