"""A function on R^d whose smoothness constant is exact by construction.

The argument is the displacement x from the point W where the estimate is taken; f(0) = 0 and the
gradient at x = 0 is free, whatever the curvature.
"""

from collections.abc import Sequence
from types import ModuleType

import mpmath
import numpy as np

from zotheory.search.profiles import Profile


class ProfileSum:
    """f(x) = <g, x> + scale sum_i c_i [phi_i(t_i + x_i) - phi_i(t_i) - phi_i'(t_i) x_i].

    With profiles of order 2 its gradient, of order 3 its Hessian, is Lipschitz with the constant
    scale max_i |c_i| bound_i, exactly.

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
    ) -> None:
        gradient = np.asarray(gradient, dtype=float)
        if gradient.ndim != 1 or not np.all(np.isfinite(gradient)):
            raise ValueError(f"gradient must be a finite vector; got shape {gradient.shape}")
        if not 1 <= len(profiles) <= gradient.size or len({p.order for p in profiles}) != 1:
            raise ValueError("needs between 1 and d profiles, all of the same order")
        if not len(profiles) == len(weights) == len(offsets):
            raise ValueError("needs one weight and one offset per profile")
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be positive and finite, got {scale}")
        self._gradient, self._scale = gradient, float(scale)
        self._terms = tuple(zip(profiles, map(float, weights), map(float, offsets), strict=True))

    def remainder(self, x: Sequence, xp: ModuleType = np):
        """f(x) - <g, x>, for x of shape (d,)."""
        total = 0 * x[0]
        for (profile, c, t), s in zip(self._terms, x, strict=False):
            t = s * 0 + t  # the offset in the arithmetic of x
            here, slope = profile.value(t, xp), profile.slope(t, xp)
            total = total + c * (profile.value(t + s, xp) - here - slope * s)
        return self._scale * total

    def value_precise(self, x: Sequence[mpmath.mpf]) -> mpmath.mpf:
        """f(x) in mpmath's current precision."""
        linear = (mpmath.mpf(float(g)) * s for g, s in zip(self._gradient, x, strict=True))
        return mpmath.fsum(linear) + self.remainder(x, mpmath)

    def gradient_precise(self, x: Sequence[mpmath.mpf]) -> list[mpmath.mpf]:
        """The gradient at x in mpmath's current precision."""
        total = [mpmath.mpf(float(g)) for g in self._gradient]
        for i, ((profile, c, t), s) in enumerate(zip(self._terms, x, strict=False)):
            t = s * 0 + t
            total[i] += self._scale * c * (profile.slope(t + s, mpmath) - profile.slope(t, mpmath))
        return total
