"""Falls of estimates over several tensors with independent noise, from those over one.

Let z = (z_1, ..., z_l) be independent, of mean 0 and covariance s_i I, and kappa = <g, z>. Of

    E[kappa^2 z^T H z] = sum_abcd g_a g_b H_cd E[z_a z_b z_c z_d]

those terms alone remain in which every tensor has an even number of the four entries: all four in
one, or two and two. With D = diag(s_i I) that is

    b = (g^T D g) Tr(D H) + 2 g^T D H D g + sum_i x_i,
    x_i = b_i - s_i^2 (||g_i||^2 Tr H_ii + 2 g_i^T H_ii g_i),

b_i that of tensor i alone: what its noise has beyond a Gaussian one of the same covariance.

    >>> from proofs_check import falls
    >>> print(excess(falls.low_rank(3)))
    {'rows': 6, 'columns': 6, 'swapped': 6, 'form': 0, 'diagonal': 0, 'whole': 0}
"""

from __future__ import annotations

from functools import cache
from itertools import product

import sympy as sp

from proofs_check.falls import COLUMNS, DIAGONAL, FORM, NORM2, ROWS, SWAPPED, TRACE, Fall

_INVARIANTS = {
    "rows": ROWS,
    "columns": COLUMNS,
    "swapped": SWAPPED,
    "form": FORM,
    "diagonal": DIAGONAL,
    "whole": NORM2 * TRACE,
}


def variance(found: Fall) -> sp.Expr:
    """s, the variance of an entry of the noise: E kappa^2 = s ||g||^2.

    Raises ValueError for noise whose covariance is no multiple of the identity.
    """
    share = sp.cancel(found.slope / NORM2)
    if share.has(*_INVARIANTS.values(), NORM2):
        raise ValueError(f"{found.name} has E kappa^2 = {found.slope}, no multiple of ||g||^2")
    return share


def excess(found: Fall) -> dict[str, sp.Expr]:
    """x_i, by the invariants of g_i and H_ii that `falls` names; whole is ||g_i||^2 Tr H_ii.

    Raises ValueError for noise of another covariance than s I, ArithmeticError if b is no linear
    function of the invariants.
    """
    _check()
    beyond = sp.expand(found.curvature - variance(found) ** 2 * (NORM2 * TRACE + 2 * FORM)).subs(
        NORM2 * TRACE, sp.Symbol("whole")
    )
    named = _INVARIANTS | {"whole": sp.Symbol("whole")}
    shares = {name: sp.factor(beyond.coeff(symbol)) for name, symbol in named.items()}
    left = beyond - sum(shares[name] * symbol for name, symbol in named.items())
    if sp.cancel(sp.expand(left)) != 0:
        raise ArithmeticError(f"{found.name}: {left} is in no known invariant")
    return shares


@cache
def _check() -> None:
    """Three tensors of one entry each, any moments of order 2 and 4: every term enumerated."""
    tensors = range(3)
    g, s, four = (sp.symbols(f"{name}_1:4", positive=True) for name in ("g", "s", "f"))
    h = sp.Matrix(3, 3, lambda i, j: sp.Symbol(f"h_{min(i, j)}{max(i, j)}"))

    def moment(entries: tuple[int, ...]) -> sp.Expr:
        """Of four entries: none alone (mean 0), so that no third moment is left."""
        counts = {i: entries.count(i) for i in entries}
        if 1 in counts.values():
            return sp.S.Zero
        return sp.prod({2: s, 4: four}[count][i] for i, count in counts.items())

    whole = sum(
        g[a] * g[b] * h[c, d] * moment((a, b, c, d)) for a, b, c, d in product(tensors, repeat=4)
    )
    slope = sum(s[i] * g[i] ** 2 for i in tensors)
    trace = sum(s[i] * h[i, i] for i in tensors)
    form = sum(s[i] * g[i] * h[i, j] * s[j] * g[j] for i in tensors for j in tensors)
    alone = [(four[i] - 3 * s[i] ** 2) * g[i] ** 2 * h[i, i] for i in tensors]
    if sp.expand(whole - slope * trace - 2 * form - sum(alone)) != 0:
        raise ArithmeticError("several tensors: the sum over all terms is another one")
