"""Estimators of a gradient beside each other: measured, and exact where theory is known.

>>> import zotheory
>>> zotheory.probe("mezo", "tezo").frame()

And methods on a model, by how far its loss falls along their updates:

>>> zotheory.probe_model("smollm2-135m", "mezo", "tezo").plot()
"""

from zotheory.probing.falls import Falls
from zotheory.probing.model_probe import probe_losses, probe_model
from zotheory.probing.objectives import ProbeError
from zotheory.probing.result import Comparison
from zotheory.probing.run import probe

__all__ = ["Comparison", "Falls", "ProbeError", "probe", "probe_losses", "probe_model"]
