"""Scalar profiles phi whose p-th derivative is bounded by a constant that is exact.

p = 2 gives functions with Lipschitz gradient, p = 3 functions with Lipschitz Hessian. Every
method takes `xp`, numpy or mpmath, so that a recheck evaluates the same definition in high
precision.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from zotheory.search.problem import Parameter, Point


def _smaller(a: Any, b: float, xp: ModuleType) -> Any:
    return np.minimum(a, b) if xp is np else min(a, b)


class Profile(ABC):
    """phi: R -> R with |phi^(order)| <= bound, attained; `kinks` are where phi is not analytic."""

    if TYPE_CHECKING:  # fields, properties or constants of the class, as each profile has them

        @property
        @abstractmethod
        def order(self) -> int: ...

        @property
        @abstractmethod
        def bound(self) -> float: ...

        @property
        @abstractmethod
        def kinks(self) -> tuple[float, ...]: ...

    @abstractmethod
    def value(self, t: Any, xp: ModuleType = np) -> Any:
        """phi(t), elementwise."""

    @abstractmethod
    def slope(self, t: Any, xp: ModuleType = np) -> Any:
        """phi'(t), elementwise."""

    @abstractmethod
    def source(self) -> tuple[str, str]:
        """phi and phi' as Python expressions in `t` and `np`."""

    def odd_error(self, offset: Any, h: Any, xp: ModuleType = np) -> Any:
        """The central difference's error (phi(t+h) - phi(t-h))/2 - phi'(t) h at t = offset."""
        ends = self.value(offset + h, xp) - self.value(offset - h, xp)
        return ends / 2 - self.slope(offset, xp) * h


def _check_order(order: int) -> None:
    if order < 2:
        raise ValueError(f"a profile's order must be at least 2, got {order}")


@dataclass(frozen=True)
class PiecewisePolynomial(Profile):
    """phi^(order) is constant between the kinks: levels[0], then levels[j + 1] after kinks[j].

    phi is levels[0] t^p/p! plus the sum of (levels[j + 1] - levels[j]) max(t - kinks[j], 0)^p/p!.
    Order 2 with kinks (0,) and levels (-1, 1) is t|t|/2, order 3 is |t|^3/6. Raises ValueError
    unless the kinks increase strictly and there is one more level than kinks.
    """

    order: int
    kinks: tuple[float, ...]
    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_order(self.order)
        if len(self.levels) != len(self.kinks) + 1:
            raise ValueError(f"needs one more level than kinks, got {self.levels}, {self.kinks}")
        if any(b <= a for a, b in zip(self.kinks, self.kinks[1:], strict=False)):
            raise ValueError(f"kinks must increase strictly, got {self.kinks}")
        if not all(map(math.isfinite, self.kinks + self.levels)):
            raise ValueError("kinks and levels must be finite")

    @property
    def bound(self) -> float:
        """The largest |level|."""
        return max(abs(level) for level in self.levels)

    def _power_sum(self, t: Any, power: int, xp: ModuleType) -> Any:
        total = self.levels[0] * t**power
        for kink, left, right in zip(self.kinks, self.levels, self.levels[1:], strict=False):
            positive = (t - kink + xp.fabs(t - kink)) / 2
            # The jump is formed in the arithmetic of t: exact under mpmath.
            total = total + (right * positive**power - left * positive**power)
        return total / math.factorial(power)

    def value(self, t: Any, xp: ModuleType = np) -> Any:
        return self._power_sum(t, self.order, xp)

    def slope(self, t: Any, xp: ModuleType = np) -> Any:
        return self._power_sum(t, self.order - 1, xp)

    def source(self) -> tuple[str, str]:
        return self._power_source(self.order), self._power_source(self.order - 1)

    def _power_source(self, power: int) -> str:
        terms = [f"{self.levels[0]!r} * t**{power}"]
        for kink, left, right in zip(self.kinks, self.levels, self.levels[1:], strict=False):
            terms.append(f"({right!r} - {left!r}) * np.maximum(t - {kink!r}, 0)**{power}")
        return f"({' + '.join(terms)}) / {math.factorial(power)}"


def signed_power(order: int) -> PiecewisePolynomial:
    """|t|^p/p! times sign(t)^(p-1): t|t|/2 for p = 2, |t|^3/6 for p = 3; phi^(p) = sign(t)."""
    return PiecewisePolynomial(order, (0.0,), (-1.0, 1.0))


@dataclass(frozen=True)
class Sine(Profile):
    """sin(t/width) width^p: its p-th derivative is a sine or cosine, of amplitude exactly 1."""

    order: int
    width: float
    bound: ClassVar[float] = 1.0
    kinks: ClassVar[tuple[float, ...]] = ()

    def __post_init__(self) -> None:
        _check_order(self.order)
        _check_width(self.width)

    def value(self, t: Any, xp: ModuleType = np) -> Any:
        width = 0 * t + self.width  # its powers in the arithmetic of t
        return width**self.order * xp.sin(t / width)

    def slope(self, t: Any, xp: ModuleType = np) -> Any:
        width = 0 * t + self.width
        return width ** (self.order - 1) * xp.cos(t / width)

    def source(self) -> tuple[str, str]:
        w, p = repr(self.width), self.order
        return f"{w}**{p} * np.sin(t / {w})", f"{w}**{p - 1} * np.cos(t / {w})"


@dataclass(frozen=True)
class LogCosh(Profile):
    """width^2 log cosh(t/width): phi'' = sech^2(t/width), 1 at t = 0; order 2.

    Softplus is the same function up to a linear term: 4 log(1 + e^t) = 2t + 4 log(2 cosh(t/2)).
    """

    width: float
    order: ClassVar[int] = 2
    bound: ClassVar[float] = 1.0
    kinks: ClassVar[tuple[float, ...]] = ()

    def __post_init__(self) -> None:
        _check_width(self.width)

    def value(self, t: Any, xp: ModuleType = np) -> Any:
        width = 0 * t + self.width  # its square in the arithmetic of t
        u = xp.fabs(t / width)
        # log cosh u = log(1 + 2 sinh^2(u/2)); beyond 300, where that could overflow, it is
        # u - log 2 to 1e-260.
        near = _smaller(u, 300.0, xp)
        return width**2 * (xp.log1p(2 * xp.sinh(near / 2) ** 2) + (u - near))

    def slope(self, t: Any, xp: ModuleType = np) -> Any:
        return self.width * xp.tanh(t / self.width)

    def source(self) -> tuple[str, str]:
        w = repr(self.width)
        value = f"{w}**2 * (np.logaddexp(t / {w}, -t / {w}) - np.log(2))"
        return value, f"{w} * np.tanh(t / {w})"


def _check_width(width: float) -> None:
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"a width must be positive and finite, got {width}")


SHAPE_PARAMETERS = (
    Parameter("kind", 0, 3, integer=True),
    Parameter("width", 0.1, 1e3, scale="log"),
    Parameter("left", -1, 1),
    Parameter("middle", -1, 1),
    Parameter("right", -1, 1),
)
"""What `profile_at` reads: which profile, its length, and the levels of the piecewise one."""


def profile_at(point: Point, order: int = 2) -> Profile:
    """The profile that a search's point names, with |phi^(order)| <= 1.

    kind 0: `signed_power`; 1: piecewise with kinks at -width, width and free levels left, middle,
    right; 2: `Sine`; 3: `LogCosh` for order 2, and for other orders the signed power too.
    """
    kind, width = point["kind"], point["width"]
    if kind == 1:
        levels = (point["left"], point["middle"], point["right"])
        return PiecewisePolynomial(order, (-width, width), levels)
    if kind == 2:
        return Sine(order, width)
    if kind == 3 and order == 2:
        return LogCosh(width)
    return signed_power(order)
