"""The squared cosine of MeZO-GV's guiding vector, bounded for every number M of candidates.

On a linear loss v = sum_i w_i Z_i, where the weights go down as y_i = <G, Z_i>/||G|| go up. With
X = (sum_i w_i y_i)^2 / sum_i w_i^2, cos^2(G, v) = X / (X + chi^2_(d-1)), which increases with X;
the chi^2 comes from what is across G and is independent of the y_i.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.cards.ratio import cosine_of_chi2
from proofs_check.results import Enclosed


def guiding_cosine(candidates: sp.Expr, d: sp.Expr) -> Enclosed:
    """Bounds of E cos^2(G, v) for an even number of candidates, half of them the elite; d >= 1."""
    lower, upper = cosine_of_chi2(sp.S.One, d), cosine_of_chi2(candidates, d)
    steps = (
        f"Cauchy-Schwarz: X <= sum_i y_i^2 ~ chi^2_M, M = {candidates}, so that "
        f"E cos^2 <= E[chi^2_M / (chi^2_M + chi^2_(d-1))] = {upper}",
        "rearrangement: with the weights ordered against y, sum_i w_i y_i is least over all orders "
        "of the weights; -w is w in another order, so X is largest, at least what it is with "
        f"weights in a fixed order, where X ~ chi^2_1: E cos^2 >= {lower}",
    )
    return Enclosed(lower, upper, steps)
