"""The expectations of `expectation.py` in high precision, by another route: Meijer G densities."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise

import mpmath
from sympy.integrals.quadrature import gauss_legendre

PreciseIntegrand = Callable[[mpmath.mpf], mpmath.mpf]

_GUARD = 8  # digits carried beyond those asked for
_TAIL = -8
_PANELS = (-44, -30, -20, -13, -8, -6, *range(-5, 7))


def precise_mean(
    h: PreciseIntegrand,
    terms: Mapping[tuple[int, ...], int],
    kinks: Sequence[float],
    digits: int,
) -> mpmath.mpf:
    """The sum over powers of terms[powers] E[h(s) prod |N_i|^p_i], with s = N_1 ... N_k.

    h is analytic but at 0 and at the kinks (given by |s|). Gauss-Legendre in log|s| on panels split
    at the kinks, with nodes for about `digits` digits where h varies on the scale of |s| itself,
    and the density
    2 2^(sum p/2) (2 pi)^(-k/2) G^{k,0}_{0,k}(s^2/2^k | p/2).
    """
    with mpmath.workdps(digits + _GUARD):
        order = 2 + digits  # an error of 3.4^(-2 order) on a panel of length 1
        # Beyond the top the density is below exp(-110), against moments of order 12 of 1e33 there.
        factors = max(map(len, terms))
        top = factors * mpmath.log(mpmath.mpf(220) / factors) / 2
        inner = [mpmath.log(abs(mpmath.mpf(k))) for k in kinks if k]
        edges = sorted({top, *(mpmath.mpf(y) for y in (*_PANELS, *inner) if _PANELS[0] <= y < top)})
        total = mpmath.mpf(0)
        for a, b in reversed(list(pairwise(edges))):
            before = total
            for node, weight in _legendre(order):
                y = (a + b) / 2 + (b - a) / 2 * node
                s = mpmath.exp(y)
                even = (h(s) + h(-s)) / 2
                if even:
                    density = sum(c * _log_density(p, y) for p, c in terms.items())
                    total += (b - a) / 2 * weight * even * density
            # Towards s = 0 only tails are left, each panel's below its predecessor's.
            if b <= _TAIL and abs(total - before) < abs(total) * mpmath.mpf(10) ** -mpmath.mp.dps:
                break
        return total


@cache
def _legendre(order: int) -> tuple[tuple[mpmath.mpf, mpmath.mpf], ...]:
    nodes, weights = gauss_legendre(order, order + 3 * _GUARD)
    with mpmath.workdps(order + 3 * _GUARD):
        return tuple(
            (mpmath.mpf(str(x)), mpmath.mpf(str(w))) for x, w in zip(nodes, weights, strict=True)
        )


def _log_density(powers: tuple[int, ...], y: mpmath.mpf) -> mpmath.mpf:
    """Density of log|s| weighted by prod |N_i|^p_i; a common power is a factor |s|^power."""
    common = min(powers)
    reduced = tuple(sorted(p - common for p in powers))
    return mpmath.exp((1 + common) * y) * _density(reduced, y, mpmath.mp.dps)


@cache
def _density(powers: tuple[int, ...], y: mpmath.mpf, dps: int) -> mpmath.mpf:
    """Density of s > 0 and s < 0 together at |s| = e^y; dps is part of the cache's key."""
    k = len(powers)
    halves = [mpmath.mpf(p) / 2 for p in powers]
    square = mpmath.exp(2 * y) / 2**k
    # Values below 2^-1000 may be taken for 0; without leave to, meijerg does not end.
    value = mpmath.meijerg([[], []], [halves, []], square, zeroprec=1000)
    return 2 * value * 2 ** sum(halves) / mpmath.sqrt(2 * mpmath.pi) ** k
