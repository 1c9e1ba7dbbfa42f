"""From predictions to numbers: metrics, intervals, thresholds, calibration, differences.

No torch. The layout of numbers for a reader belongs in `reporting`, `tables` and `figures`.
"""
