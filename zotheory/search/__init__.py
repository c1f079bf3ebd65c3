"""Adversarial search for counterexamples to inequalities over function classes."""

from zotheory.search.optimise import Outcome, search
from zotheory.search.problem import Bound, Parameter, Point, Problem, Sides, as_bound

__all__ = ["Bound", "Outcome", "Parameter", "Point", "Problem", "Sides", "as_bound", "search"]
