"""Curved parts of adversarial losses whose smoothness constant is exactly 1, and their moments.

A loss is f(x) = <g, x> + L eps^p s(x / eps), with s(0) = 0, grad s(0) = 0 and a derivative of order
p - 1 that is 1-Lipschitz: p = 2 for L-smooth f, p = 3 for f with an L-Lipschitz Hessian. s is
symmetric about an axis e (a unit vector), so that what the two-point estimate makes of it for
z ~ N(0, I_n) are three numbers, with o the odd part of s:

    slope = E <e, grad s(z)>,   cross = E[o(z) <e, z> ||z||^2],   square = E[o(z)^2 ||z||^2].

Each is computed twice: in floats, and in high precision by another route (the slope by Stein's
identity, E[o(z) <e, z>]).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import mpmath
import numpy as np

from zotheory.search.expectation import LogRule, gaussian_terms, terms_density
from zotheory.search.precise import precise_mean
from zotheory.search.profiles import Profile


@dataclass(frozen=True)
class Moments:
    """slope, cross and square of the module's docstring, in floats or mpmath numbers."""

    slope: Any
    cross: Any
    square: Any


class Curvature(ABC):
    """s of the module's docstring; `order` is p."""

    if TYPE_CHECKING:  # a property, or a constant of the class

        @property
        @abstractmethod
        def order(self) -> int: ...

    @abstractmethod
    def slope(self, n: int) -> float:
        """E <e, grad s(z)> in floats, from the gradient."""

    @abstractmethod
    def moments(self, n: int) -> Moments:
        """All three in floats."""

    @abstractmethod
    def precise(self, n: int, digits: int) -> Moments:
        """All three to about `digits` digits, none from the gradient."""


@dataclass(frozen=True)
class Ridge(Curvature):
    """s(y) = phi(t + <e, y>) - phi(t) - phi'(t) <e, y> for a profile phi and an offset t."""

    profile: Profile
    offset: float

    @property
    def order(self) -> int:
        return self.profile.order

    @property
    def _kinks(self) -> list[float]:
        """The |<e, y>| where the odd part of s is not analytic."""
        return [abs(kink - self.offset) for kink in self.profile.kinks]

    def slope(self, n: int) -> float:
        rule, phi, t = LogRule(self._kinks), self.profile, np.float64(self.offset)
        curved = (phi.slope(t + rule.x) + phi.slope(t - rule.x)) / 2 - phi.slope(t)
        return float(rule.weights @ (curved * rule.density((0,))))

    def moments(self, n: int) -> Moments:
        rule = LogRule(self._kinks)
        odd = self.profile.odd_error(self.offset, rule.x)
        weighted = rule.weights * terms_density(rule, gaussian_terms(n, 1))
        return Moments(self.slope(n), float(odd * rule.x @ weighted), float(odd**2 @ weighted))

    def precise(self, n: int, digits: int) -> Moments:
        def odd(s: mpmath.mpf) -> mpmath.mpf:
            return self.profile.odd_error(mpmath.mpf(self.offset), s, mpmath)

        def mean(h: Callable[[mpmath.mpf], mpmath.mpf], power: int) -> mpmath.mpf:
            return precise_mean(h, gaussian_terms(n, power), self._kinks, digits)

        with mpmath.workdps(2 * digits):
            along = [mean(lambda s: odd(s) * s, power) for power in (0, 1)]
            return Moments(along[0], along[1], mean(lambda s: odd(s) ** 2, 1))


class Axial(Curvature):
    """An odd s, homogeneous of degree p, that depends on <e, y> and on the rest's length alone.

    With y = R (c e + d w), w a unit vector across e, c^2 + d^2 = 1: s(y) = R^p sigma(c, d), and R
    is independent of (c, d).
    """

    @abstractmethod
    def sigma(self, c: Any, d: Any, n: int, xp: ModuleType = np) -> Any:
        """s on the unit sphere of R^n, for c, d >= 0."""

    @abstractmethod
    def sigma_slope(self, c: Any, d: Any, n: int) -> Any:
        """<e, grad s> on the unit sphere, for c, d >= 0."""

    def slope(self, n: int) -> float:
        c, d, weights = _sphere(n)
        return _chi(n, self.order - 1, math) * float(weights @ self.sigma_slope(c, d, n))

    def moments(self, n: int) -> Moments:
        c, d, weights = _sphere(n)
        sigma, p = self.sigma(c, d, n), self.order
        return Moments(
            self.slope(n),
            _chi(n, p + 3, math) * float(weights @ (c * sigma)),
            _chi(n, 2 * p + 2, math) * float(weights @ sigma**2),
        )

    def precise(self, n: int, digits: int) -> Moments:
        def mean(h: Callable[[mpmath.mpf, mpmath.mpf], mpmath.mpf]) -> mpmath.mpf:
            if n == 1:
                return h(mpmath.mpf(1), mpmath.mpf(0))
            ends = [0, mpmath.pi / 4, mpmath.pi / 2]
            parts = [
                mpmath.quad(lambda a, q=q: q(mpmath.cos(a), mpmath.sin(a)), ends)
                for q in (lambda c, d: h(c, d) * d ** (n - 2), lambda c, d: d ** (n - 2))
            ]
            return parts[0] / parts[1]

        with mpmath.workdps(2 * digits):
            along = mean(lambda c, d: c * self.sigma(c, d, n, mpmath))
            square = mean(lambda c, d: self.sigma(c, d, n, mpmath) ** 2)
            chi = [_chi(n, power, mpmath) for power in (self.order + 1, self.order + 3)]
            return Moments(
                chi[0] * along, chi[1] * along, _chi(n, 2 * self.order + 2, mpmath) * square
            )


@dataclass(frozen=True)
class DoubleCone(Axial):
    """s(y) = y_1 r for |y_1| <= r = ||(y_2, ..., y_n)||, and sign(y_1) ||y||^2 / 2 outside.

    Once continuously differentiable. In the plane of e and the radius the Hessian is the swap
    ((0, 1), (1, 0)) for |y_1| < r, across it y_1/r, and it is sign(y_1) I outside: of norm 1
    everywhere. <e, grad s> = max(|y_1|, r), so the slope is E max(|z_1|, ||z_rest||), which tends
    to E||z||, the most that any s can have, as n grows. n = 1: y|y|/2.
    """

    order: ClassVar[int] = 2

    def sigma(self, c: Any, d: Any, n: int, xp: ModuleType = np) -> Any:
        if xp is np:
            return np.where(c < d, c * d, 0.5)
        return c * d if c < d else mpmath.mpf(1) / 2

    def sigma_slope(self, c: Any, d: Any, n: int) -> Any:
        return np.maximum(c, d)


@dataclass(frozen=True)
class CubicForm(Axial):
    """s(y) = (b y_1^3 + 3 a y_1 r^2) / (6 K), with K the form's largest value on the sphere.

    The norm of a symmetric trilinear form is its largest value at three equal unit vectors
    (Banach), so the Hessian's Lipschitz constant is 1. a = `across` and b = `along` not both 0;
    for n = 1 there is no r and s is 0 if b is.
    """

    across: float
    along: float
    order: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if not (math.isfinite(self.across) and math.isfinite(self.along)):
            raise ValueError("the coefficients must be finite")
        if self.across == 0 and self.along == 0:
            raise ValueError("the coefficients are both 0")

    def _scaled(self, n: int, number: Callable[[float], Any] = float) -> tuple[Any, Any]:
        a, b = number(self.across), number(self.along)
        if n == 1:
            return number(0), number(1 if b > 0 else -1 if b < 0 else 0)
        largest = abs(b)
        if a and 0 < a / (3 * a - b or math.inf) < 1:  # the stationary point inside
            largest = max(largest, 2 * abs(a) * (a / (3 * a - b)) ** number(0.5))
        return a / largest, b / largest

    def sigma(self, c: Any, d: Any, n: int, xp: ModuleType = np) -> Any:
        a, b = self._scaled(n, float if xp is np else mpmath.mpf)
        return (b * c**3 + 3 * a * c * d**2) / 6

    def sigma_slope(self, c: Any, d: Any, n: int) -> Any:
        a, b = self._scaled(n)
        return (b * c**2 + a * d**2) / 2


@cache
def _sphere(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes c, d and weights (of sum 1) for functions of (|c|, d) of a uniform unit vector."""
    if n < 1:
        raise ValueError(f"the dimension must be at least 1, got {n}")
    if n == 1:
        return np.ones(1), np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    angle = np.concatenate([(nodes + 1) * np.pi / 8, (nodes + 3) * np.pi / 8])
    weights = np.tile(weights, 2) * np.sin(angle) ** (n - 2)
    return np.cos(angle), np.sin(angle), weights / weights.sum()


def _chi(n: int, power: int, xp: ModuleType) -> Any:
    """E||z||^power = 2^(power/2) Gamma((n + power)/2) / Gamma(n/2), xp is math or mpmath."""
    log_gamma = math.lgamma if xp is math else mpmath.loggamma
    half = 0.5 if xp is math else mpmath.mpf(1) / 2
    return xp.exp(power * half * xp.log(2) + log_gamma((n + power) * half) - log_gamma(n * half))
