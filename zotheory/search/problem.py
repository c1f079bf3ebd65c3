"""What a search works on: a claimed inequality lhs <= rhs over named parameters."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import mpmath
import numpy as np
import sympy

Point = Mapping[str, Any]
"""Parameter names to values."""


@dataclass(frozen=True)
class Parameter:
    """A number in [low, high] that the search may choose.

    The optimiser sees u in [0, 1]; `scale` says how u spreads over the range: "linear";
    "log" (equal shares to equal ratios, low > 0); or "symlog" (value = sinh, linear within about
    1 of zero and logarithmic beyond, either sign), for quantities that may vanish or change sign
    yet matter over many decades.
    """

    name: str
    low: float
    high: float
    scale: Literal["linear", "log", "symlog"] = "linear"
    integer: bool = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"{self.name}: needs finite low <= high, got {self.low}, {self.high}")
        if self.scale not in ("linear", "log", "symlog"):
            raise ValueError(f"{self.name}: unknown scale {self.scale!r}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"{self.name}: a logarithmic scale needs low > 0, got {self.low}")
        if self.integer and np.ceil(self.low) > np.floor(self.high):
            raise ValueError(f"{self.name}: no integer in [{self.low}, {self.high}]")

    def at(self, u: float) -> float | int:
        """The value at the share u in [0, 1] of the range (rounded for an integer)."""
        scales: dict[str, tuple[Callable[[float], Any], Callable[[float], Any]]] = {
            "linear": (float, float),
            "log": (np.log, np.exp),
            "symlog": (np.arcsinh, np.sinh),
        }
        forward, back = scales[self.scale]
        low, high = forward(self.low), forward(self.high)
        value = self.clip(float(back(low + (high - low) * u)))
        if not self.integer:
            return value
        return int(min(max(round(value), np.ceil(self.low)), np.floor(self.high)))

    def clip(self, value: float) -> float:
        """The nearest value inside the bounds."""
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Sides:
    """Both sides of an inequality at one point; `error` bounds the error of lhs - rhs.

    A point where the claim says nothing (outside its hypotheses) has lhs = nan.
    """

    lhs: Any
    rhs: Any
    error: Any = 0.0

    @property
    def violation(self) -> float:
        """log(lhs/rhs): positive where lhs > rhs; -inf for lhs <= 0 or nan, +inf for rhs <= 0."""
        if mpmath.isnan(self.lhs) or mpmath.isnan(self.rhs) or self.lhs <= 0:
            return -np.inf
        if self.rhs <= 0:
            return np.inf
        return float(mpmath.log(self.lhs) - mpmath.log(self.rhs))

    @property
    def violated(self) -> bool:
        """Whether lhs exceeds rhs by more than the error bound (false for nan)."""
        return bool(self.lhs - self.rhs > self.error)


@dataclass(frozen=True)
class Problem:
    """A claimed inequality lhs <= rhs to be attacked.

    `sides(point)` is fast, in floats. `recheck(point, digits)` is in high precision and by another
    route where there is one; only what it confirms counts. The points come from `parameters`
    (a box, for the optimisers) or, for discrete problems, from `candidates(seed)`, an iterator of
    points from simple to complicated; exactly one of the two is given.
    """

    name: str
    sides: Callable[[Point], Sides]
    recheck: Callable[[Point, int], Sides]
    parameters: tuple[Parameter, ...] = ()
    candidates: Callable[[int], Iterator[Point]] | None = None

    def __post_init__(self) -> None:
        if bool(self.parameters) == (self.candidates is not None):
            raise ValueError(f"{self.name}: give either parameters or candidates")
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name}: parameter names repeat: {names}")

    def point(self, u: np.ndarray) -> Point:
        """The point at u in the unit cube."""
        return {p.name: p.at(float(share)) for p, share in zip(self.parameters, u, strict=True)}


@dataclass(frozen=True)
class Bound:
    """The right-hand side of a claim as a SymPy expression, evaluated by the names of its symbols.

    `names` maps a symbol's name to the quantity that the problem supplies, where they differ
    (for instance {"delta_W": "gradient_norm"}).
    """

    expression: sympy.Expr
    names: tuple[tuple[str, str], ...] = ()

    def __call__(self, **quantities: Any) -> float:
        """The value in floats."""
        return float(self._compiled("math", quantities)(*self._arguments(quantities)))

    def precise(self, **quantities: Any) -> mpmath.mpf:
        """The value at mpmath's current precision."""
        arguments = [mpmath.mpf(a) for a in self._arguments(quantities)]
        return mpmath.mpf(self._compiled("mpmath", quantities)(*arguments))

    def _quantity(self, symbol: sympy.Symbol) -> str:
        return dict(self.names).get(symbol.name, symbol.name)

    def _arguments(self, quantities: Mapping[str, Any]) -> list[Any]:
        return [quantities[self._quantity(s)] for s in _symbols(self.expression)]

    def _compiled(self, module: str, quantities: Mapping[str, Any]) -> Callable[..., Any]:
        for symbol in _symbols(self.expression):
            if self._quantity(symbol) not in quantities:
                raise ValueError(
                    f"the bound has the symbol {symbol}, the problem supplies {sorted(quantities)}"
                )
        return _lambdify(self.expression, module)


@cache
def _symbols(expression: sympy.Expr) -> tuple[sympy.Symbol, ...]:
    return tuple(sorted(expression.free_symbols, key=lambda s: s.name))


@cache
def _lambdify(expression: sympy.Expr, module: str) -> Callable[..., Any]:
    # Dummies, because a claim may use the symbol `lambda`, which is a Python keyword.
    return sympy.lambdify(_symbols(expression), expression, module, dummify=True)


def as_bound(bound: "sympy.Expr | Bound", names: Mapping[str, str] | None = None) -> Bound:
    """A `Bound` from a SymPy expression (or number), or the bound itself.

    Raises TypeError for anything that SymPy cannot read.
    """
    if isinstance(bound, Bound):
        return bound
    try:
        expression = sympy.sympify(bound)
    except sympy.SympifyError as error:
        raise TypeError(f"a bound is a SymPy expression, got {bound!r}") from error
    if not isinstance(expression, sympy.Expr):
        raise TypeError(f"a bound is a SymPy expression, got {bound!r}")
    return Bound(expression, tuple(sorted((names or {}).items())))


def coded(bound: sympy.Expr | Bound) -> str:
    """A bound as Python code in the names of its quantities; lambda is called lam."""
    bound = as_bound(bound)
    names = dict(bound.names)
    renamed = {
        s: sympy.Symbol(variable(names.get(s.name, s.name))) for s in bound.expression.free_symbols
    }
    return sympy.pycode(bound.expression.xreplace(renamed))


def variable(quantity: str) -> str:
    """A quantity's name as Python code."""
    return "lam" if quantity == "lambda" else quantity
