"""Estimators of a gradient beside each other: measured, and exact where theory is known.

>>> import zotheory
>>> zotheory.probe("mezo", "tezo").frame()
"""

from zotheory.probing.objectives import ProbeError
from zotheory.probing.result import Comparison
from zotheory.probing.run import probe

__all__ = ["Comparison", "ProbeError", "probe"]
