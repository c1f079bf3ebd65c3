"""Cards of directions on a random subset of layers (LeZO)."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from proofs_check.cards.card import KEEP, Card, M, N, Support, count, share
from proofs_check.cards.dense import LINEAR
from proofs_check.cards.support import averaged_over

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
