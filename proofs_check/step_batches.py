"""What a stream of batches does to the best step of MeZO, and what loss values tell of it.

A step is made along kappa_B z with the slope kappa_B = <g_B, z> of a batch; what counts is the loss
f of all data, with gradient g = E g_B. Let S be the covariance of g_B, independent of z, and
n = Tr S/||g||^2. On average a step lowers f by eta a - eta^2 b/2 with

    a = E[kappa_B <g, z>] = E[kappa_B kappa_B'] for an independent batch B' and the same z,
    b = E[kappa_B^2 z^T H z] = E[kappa_B^2 c_B'],  c_B' the curvature of batch B' along z,

both of which are means of loss values, also where H_B and g_B depend on each other. The best step
is shorter than that of the batch's own loss by about the signal share a/E kappa_B^2 = 1/(1 + n).
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from proofs_check.falls import FORM, NORM2, TRACE, Fall, gaussian
from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, TensorSum, contraction, derive
from proofs_check.moments import scalar_moment

NOISE = sp.Symbol("Tr S", nonnegative=True)
NOISE_FORM = sp.Symbol("Tr(SH)", real=True)
RATIO = sp.Symbol("n", nonnegative=True)  # Tr S/||g||^2 of one sub-batch
PARTS = sp.Symbol("K", integer=True, positive=True)  # sub-batches seen along one z


def on_batches() -> Fall:
    """MeZO's step on one batch, and the loss of all data: two loss values a step.

    b = (||g||^2 + Tr S) Tr H + 2 (g^T H g + Tr(S H)).
    """
    return _on_batches()


@cache
def _on_batches() -> Fall:
    size = sp.Symbol("d", integer=True, positive=True)
    g, h, root = Fixed("g"), Fixed("Q", symmetric=True), Fixed("C")
    z, y = Gaussian("z"), Gaussian("y")
    a, b, c = (Index(x, size) for x in "abc")
    named = {
        contraction(g[a] * g[a]): NORM2,
        contraction(h[a, a]): TRACE,
        contraction(g[a] * h[a, b] * g[b]): FORM,
        contraction(root[a, b] * root[a, b]): NOISE,
        contraction(root[a, c] * h[a, b] * root[b, c]): NOISE_FORM,
    }

    def slope(noisy: bool) -> TensorSum:
        i, k = Index("i", size), Index("k", size)
        whole = g[i] * z[i]
        return whole + root[i, k] * y[k] * z[i] if noisy else whole

    def curved() -> TensorSum:
        i, k = Index("i", size), Index("k", size)
        return z[i] * h[i, k] * z[k]

    first = derive(slope(True) * slope(False))
    found = derive(slope(True) * slope(True) * curved())
    value = found.value.subs(named)
    # Again: of one batch it is linear in g_B g_B^T, whose mean is g g^T + S.
    one = gaussian().curvature
    averaged = one.subs({NORM2: NORM2 + NOISE, FORM: FORM + NOISE_FORM}, simultaneous=True)
    if sp.expand(value - averaged) != 0:
        raise ArithmeticError(f"b is {value} by pairings, {averaged} by averaging over batches")
    return Fall(
        "gaussian, one batch a step",
        first.value.subs(named),
        sp.expand(value),
        sp.Integer(2),
        FORM,
        (
            "g_B = g + C y, C C^T = S (second moments of g_B are all that occurs).",
            *first.steps,
            *found.steps,
            f"Again: b of one batch is {one}, linear in g_B g_B^T, of mean g g^T + S.",
        ),
        ("S is independent of z",),
    )


def signal_share() -> sp.Expr:
    """a/E kappa_B^2, by which the best step of the stream is shorter where Tr H >> rho."""
    return NORM2 / (NORM2 + NOISE)


def share_variance(parts: sp.Expr | int = PARTS) -> Derivation:
    """The relative variance of one draw's U = mean over pairs of kappa_i kappa_j, of mean ||g||^2.

    K sub-batches along one z, kappa_i = <g, z> + e_i, e_i independent and normal with variance
    n ||g||^2. At a fixed number of evaluations per relative variance it is best at K = n: 8 n
    evaluations for the relative variance 1.
    """
    general = 2 + 4 * RATIO / PARTS + 2 * RATIO**2 / (PARTS * (PARTS - 1))
    for count in (2, 3):
        written = _written_out(count)
        if sp.expand(general.subs(PARTS, count) - written) != 0:
            raise ArithmeticError(f"K = {count}: {written} written out")
    steps = (
        "U = x^2 + 2 x mean(e) + (mean over pairs e_i e_j), three uncorrelated terms of variance "
        "2, 4 n/K and 2 n^2/(K (K-1)), x = <g, z>, ||g|| = 1.",
        "Again with all products of two and of three sub-batches written out.",
    )
    return Derivation(general.subs(PARTS, parts), steps)


def _written_out(count: int) -> sp.Expr:
    """The variance of U with K sub-batches, every monomial integrated on its own."""
    x, *noise = sp.symbols(f"x e_1:{count + 1}")
    slopes = [x + sp.sqrt(RATIO) * e for e in noise]
    pairs = [a * b for i, a in enumerate(slopes) for j, b in enumerate(slopes) if i != j]
    mean = sp.expand(sum(pairs) / len(pairs))

    def expected(polynomial: sp.Expr) -> sp.Expr:
        terms = sp.Poly(sp.expand(polynomial), x, *noise).terms()
        return sp.expand(sum(c * sp.prod([scalar_moment(k) for k in ks]) for ks, c in terms))

    return expected(mean**2) - expected(mean) ** 2
