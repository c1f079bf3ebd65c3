"""Cards of directions on a random subset of layers (LeZO)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp

from proofs_check.cards.card import KEEP, KEPT, Card, M, N, Support, count, share
from proofs_check.cards.dense import LINEAR, iid_second_moment
from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.cards.support import averaged_over, within
from proofs_check.moments import scalar_moment

LAYERS = sp.Symbol("L", integer=True, positive=True)
DROPPED = sp.Symbol("D", integer=True, nonnegative=True)


def layer_subset(inner: Card, keep: sp.Expr | float = KEEP) -> Card:
    """One tensor of a layer that a step keeps with probability ``keep``; ``inner`` if kept.

    For LeZO keep = 1 - floor(sparsity L)/L. cos = 0 where the layer is dropped. Compositions
    like this hold for a loss that depends on this tensor only; for a whole model see `layers`.
    """
    keep = share("keep", keep)
    return Card(
        f"layer_subset({inner.name})",
        inner.target,
        keep * inner.scale,
        (1 + inner.relative_variance) / keep - 1,
        None if inner.cos2 is None else keep * inner.cos2,
        (
            *inner.steps,
            f"b in {{0, 1}} with mean p = {keep}, independent: E[b g] = p E[g], "
            "E||b g||^2 = p E||g||^2; relative variance (1 + v)/p - 1, and likewise for the part "
            "of what is kept for a step, b included; E cos^2 is multiplied by p.",
        ),
        (*inner.assumptions, "the loss depends on one tensor of one layer"),
        basis_variance=(1 + inner.basis_variance) / keep - 1,
        support=inner.support and replace(inner.support, share=keep * inner.support.share),
        gaussian=inner.gaussian,
    )


def layers(
    layers: sp.Expr | int = LAYERS,
    dropped: sp.Expr | int = DROPPED,
    m: sp.Expr | int = M,
    n: sp.Expr | int = N,
) -> Card:
    """A whole model of L layers, each one m x n tensor; D of them dropped uniformly (LeZO).

    Gaussian entries in the others; norms are those of the whole gradient (d = L m n). Raises
    ValueError unless 0 <= D < L.
    """
    total, off = count("layers", layers), count("dropped", dropped, 0)
    if (total - off).is_nonpositive:
        raise ValueError(f"{off} of {total} layers dropped leaves none")
    size = count("m", m) * count("n", n)
    kept = (total - off) / total
    steps = (
        f"The subset is uniform: each layer is kept with probability {kept}, so that the "
        f"projection P on the kept layers has E[P] = ({kept}) I.",
    )
    support = Support((total - off) * size, kept)
    return averaged_over("layers", support, None, steps, (LINEAR, "layers of equal size"))


# Cards of masked Gaussian directions Z = mask * N(0, I): S-MeZO and R-MeZO.


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
