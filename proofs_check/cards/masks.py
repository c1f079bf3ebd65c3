"""Cards of masked Gaussian directions Z = mask * N(0, I): S-MeZO and R-MeZO."""

from __future__ import annotations

from functools import cache

import sympy as sp

from proofs_check.cards.card import KEEP, KEPT, Card, M, N, Support, count, share
from proofs_check.cards.dense import LINEAR, iid_second_moment
from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.cards.support import within
from proofs_check.moments import scalar_moment

ON = sp.Symbol("k", integer=True, positive=True)  # entries that are on


def magnitude_mask(k: sp.Expr | int = ON, kept: sp.Expr | float = KEPT) -> Card:
    """A given mask with k entries on, kept = ||mask * G||^2 / ||G||^2 (S-MeZO).

    The mask depends on the weights only, so it is given to the noise; a mask of R-MeZO, once
    drawn, is one too. The mean is mask * G.
    """
    support = Support(count("k", k), sp.sympify(kept))
    return within("magnitude_mask", "mask * G", support)


def random_mask(m: sp.Expr | int = M, n: sp.Expr | int = N, keep: sp.Expr | float = KEEP) -> Card:
    """Every entry is on with probability ``keep``, independently (R-MeZO), averaged over masks.

    cos = 0 where no entry is on.
    """
    return _random_mask().at(m=count("m", m), n=count("n", n), p=share("keep", keep))


@cache
def _random_mask() -> Card:
    def moment(k: int) -> sp.Expr:  # E (b x)^k, b in {0, 1} with mean p, x ~ N(0, 1)
        return KEEP * scalar_moment(k)

    second = iid_second_moment(moment)
    nonzero = 1 - (1 - KEEP) ** (M * N)
    cosine = isotropic(lambda X: X, {"X": Factor(("m", "n"), "signs")}, nonzero)
    basis = 1 / KEEP - 1
    return Card(
        "random_mask",
        "G",
        moment(2),
        sp.expand(second.value / moment(2) ** 2 - 1),
        cosine.value,
        (
            "Entries b x with b in {0, 1} of mean p and x ~ N(0, 1): iid, symmetric, "
            f"E z^2 = {moment(2)}, E z^4 = {moment(4)}.",
            *second.steps,
            "Mask kept: E[g | mask] = mask * G, E||mask * G||^2 = p ||G||^2, "
            f"basis variance p/p^2 - 1 = {basis}.",
            *cosine.steps,
        ),
        (LINEAR,),
        basis_variance=basis,
    )
