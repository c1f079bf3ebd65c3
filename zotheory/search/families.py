"""Functions on R^d whose smoothness constant is exact by construction.

The argument is the displacement x from the point W where the estimate is taken; f(0) = 0 and the
gradient at x = 0 is free, whatever the curvature.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import ModuleType

import mpmath
import numpy as np

from zotheory.search.profiles import Profile


class SmoothFunction(ABC):
    """f with f(0) = 0; `order` 2: gradient is `constant`-Lipschitz, order 3: Hessian is.

    `gradient_at_zero` has shape (d,).
    """

    order: int
    constant: float
    gradient_at_zero: np.ndarray

    @abstractmethod
    def remainder(self, x: Sequence, xp: ModuleType = np):
        """f(x) - <gradient_at_zero, x>, for x of shape (d,)."""

    @abstractmethod
    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient at x, shape (d,)."""

    @abstractmethod
    def gradient_precise(self, x: Sequence[mpmath.mpf]) -> list[mpmath.mpf]:
        """The gradient at x in mpmath's current precision."""

    def value(self, x: np.ndarray) -> float:
        """f(x) in floats."""
        return float(self.gradient_at_zero @ x + self.remainder(x))

    def value_precise(self, x: Sequence[mpmath.mpf]) -> mpmath.mpf:
        """f(x) in mpmath's current precision."""
        return _dot(self.gradient_at_zero, x) + self.remainder(x, mpmath)


def _dot(a: Sequence, b: Sequence) -> mpmath.mpf:
    return mpmath.fsum(mpmath.mpf(float(p)) * q for p, q in zip(a, b, strict=True))


class ProfileSum(SmoothFunction):
    """f(x) = <g, x> + scale sum_i c_i [phi_i(t_i + <b_i, x>) - phi_i(t_i) - phi_i'(t_i) <b_i, x>].

    The b_i are the first coordinate axes unless one `direction` of any length is given. The b_i
    are orthogonal, so the constant is scale max_i |c_i| bound_i ||b_i||^order, exactly. Separable
    functions have one profile per coordinate; `ridge` has one profile along one direction.

    Raises ValueError for shapes that do not match, more profiles than coordinates, profiles of
    different orders or a scale that is not positive and finite.
    """

    def __init__(
        self,
        gradient: np.ndarray,
        profiles: Sequence[Profile],
        weights: Sequence[float],
        offsets: Sequence[float],
        scale: float,
        direction: np.ndarray | None = None,
    ) -> None:
        gradient = _finite_vector("gradient", gradient)
        d = gradient.size
        if direction is not None:
            direction = _finite_vector("direction", direction)
            if len(profiles) != 1 or direction.size != d:
                raise ValueError("a direction goes with one profile and has the gradient's length")
        if not 1 <= len(profiles) <= d or len({p.order for p in profiles}) != 1:
            raise ValueError("needs between 1 and d profiles, all of the same order")
        if not len(profiles) == len(weights) == len(offsets):
            raise ValueError("needs one weight and one offset per profile")
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be positive and finite, got {scale}")
        self.gradient_at_zero, self._profiles = gradient, tuple(profiles)
        self._weights, self._offsets = tuple(map(float, weights)), tuple(map(float, offsets))
        self._scale, self._direction = float(scale), direction
        self.order = profiles[0].order
        length = 1.0 if direction is None else float(np.linalg.norm(direction))
        largest = max(abs(c) * p.bound for c, p in zip(self._weights, profiles, strict=True))
        self.constant = self._scale * largest * length**self.order

    def _coordinates(self, x: Sequence, xp: ModuleType) -> list:
        if self._direction is None:
            return list(x[: len(self._profiles)])
        return [self._direction @ x if xp is np else _dot(self._direction, x)]

    def _terms(self, x: Sequence, xp: ModuleType):
        return zip(
            self._profiles, self._weights, self._offsets, self._coordinates(x, xp), strict=True
        )

    def remainder(self, x: Sequence, xp: ModuleType = np):
        total = 0 * x[0]
        for profile, c, t, s in self._terms(x, xp):
            t = s * 0 + t  # the offset in the arithmetic of x
            here, slope = profile.value(t, xp), profile.slope(t, xp)
            total = total + c * (profile.value(t + s, xp) - here - slope * s)
        return self._scale * total

    def _slopes(self, x: Sequence, xp: ModuleType) -> list:
        return [
            self._scale * c * (profile.slope(t + s, xp) - profile.slope(s * 0 + t, xp))
            for profile, c, t, s in self._terms(x, xp)
        ]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        slopes = np.array(self._slopes(x, np))
        curved = slopes if self._direction is None else self._direction * slopes[0]
        return self.gradient_at_zero + np.pad(curved, (0, self.gradient_at_zero.size - curved.size))

    def gradient_precise(self, x: Sequence[mpmath.mpf]) -> list[mpmath.mpf]:
        slopes = self._slopes(x, mpmath)
        total = [mpmath.mpf(float(g)) for g in self.gradient_at_zero]
        if self._direction is not None:
            return [
                g + mpmath.mpf(float(a)) * slopes[0]
                for g, a in zip(total, self._direction, strict=True)
            ]
        return [g + (slopes[i] if i < len(slopes) else 0) for i, g in enumerate(total)]


def ridge(
    gradient: np.ndarray, direction: np.ndarray, profile: Profile, scale: float, offset: float = 0.0
) -> ProfileSum:
    """f(x) = <g, x> + scale [phi(t + <a, x>) - phi(t) - phi'(t) <a, x>], a = direction."""
    return ProfileSum(gradient, [profile], [1.0], [offset], scale, direction)


class Quadratic(SmoothFunction):
    """f(x) = <g, x> + x^T H x / 2; its gradient is ||H||-Lipschitz, with ||H|| = max |eigenvalue|.

    H is Q diag(eigenvalues) Q^T with Q the Householder reflection I - 2 w w^T/||w||^2 (w = None:
    Q = I), so that `constant` = max |eigenvalue| holds exactly in exact arithmetic. Raises
    ValueError for shapes that do not match and for w = 0.
    """

    order = 2

    def __init__(
        self, gradient: np.ndarray, eigenvalues: np.ndarray, reflection: np.ndarray | None = None
    ) -> None:
        self.gradient_at_zero = _finite_vector("gradient", gradient)
        self._eigenvalues = _finite_vector("eigenvalues", eigenvalues)
        self._w = None if reflection is None else _finite_vector("reflection", reflection)
        sizes = {v.size for v in (gradient, self._eigenvalues, self._w) if v is not None}
        if len(sizes) != 1:
            raise ValueError(f"gradient, eigenvalues and reflection differ in length: {sizes}")
        if self._w is not None and not np.any(self._w):
            raise ValueError("the reflection vector is zero")
        self.constant = float(np.max(np.abs(self._eigenvalues)))

    def _reflect(self, x: Sequence, xp: ModuleType) -> list:
        if self._w is None:
            return list(x)
        w = [x[0] * 0 + float(v) for v in self._w]
        share = 2 * sum(a * b for a, b in zip(w, x, strict=True)) / sum(a * a for a in w)
        return [b - share * a for a, b in zip(w, x, strict=True)]

    def remainder(self, x: Sequence, xp: ModuleType = np):
        y = self._reflect(x, xp)
        return sum(float(e) * c**2 for e, c in zip(self._eigenvalues, y, strict=True)) / 2

    def _curved(self, x: Sequence, xp: ModuleType) -> list:
        y = self._reflect(x, xp)
        return self._reflect([float(e) * c for e, c in zip(self._eigenvalues, y, strict=True)], xp)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return self.gradient_at_zero + np.array(self._curved(x, np))

    def gradient_precise(self, x: Sequence[mpmath.mpf]) -> list[mpmath.mpf]:
        curved = self._curved(x, mpmath)
        return [
            mpmath.mpf(float(g)) + c for g, c in zip(self.gradient_at_zero, curved, strict=True)
        ]


def _finite_vector(name: str, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    if x.ndim != 1 or x.size == 0 or not np.all(np.isfinite(x)):
        raise ValueError(f"{name} must be a finite vector, not empty; got shape {x.shape}")
    return x
