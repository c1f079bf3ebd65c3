"""The masks of Algorithm 3 and Sec. 3.3 on a language model's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.modelled import BATCH_SIZE, WORDS, Modelled, language_model
from zotheory.vocabulary import Statement

SELECTED, LEFT = sp.symbols("selected left", real=True)
UPDATED = sp.Symbol("weights updated")
FIFTH = sp.Symbol("k", integer=True, positive=True)  # a layer of 5 k weights
IN_PLACE = tuple(sp.Symbol(f"weight in place, {side}") for side in ("+", "-"))
FORWARD = tuple(sp.Symbol(f"weight in the forward pass, {side}") for side in ("+", "-"))
CHANGED = tuple(sp.Symbol(f"mask entries changed at the {move} move") for move in ("2nd", "3rd"))
DISPLACED = sp.Symbol("weights not back")

SPARSITY = 0.8  # the highest and usually best of the paper's Table 10
SEEDS = 3
SHARE_TOLERANCE = 0.01  # ties and rounding of N p
ROUNDING = 256 * np.finfo(np.float32).eps  # of a loss: some hundred roundings on its way


def selects_smallest(statement: Statement, context: Context) -> Modelled:
    """The largest weight selected and the smallest left, where the rule at the paper's h is worst.

    Beside it: weights that the rule selects although as many others are smaller.
    """
    from zotheory.papers.smezo.masked import beyond_smallest, selected, weight_matrices

    rule, found, extremes = statement.setting["rule"], {}, {}
    for name, weights in weight_matrices(language_model(context).model):
        chosen, sizes = selected(weights, rule, SPARSITY), weights.abs().flatten()
        found[name] = int(chosen.sum()), beyond_smallest(weights, chosen)
        extremes[name] = float(sizes[chosen].max()), float(sizes[~chosen].min())
    chosen, wrong = np.sum(list(found.values()), axis=0).tolist()
    shares = [w / c for c, w in found.values()]
    numbers = {
        "selected": chosen,
        "of them not among as many smallest": wrong,
        "share by matrix, quartiles": np.quantile(shares, np.arange(5) / 4).tolist(),
    }
    further = (
        f"{wrong} of {chosen} weights selected in {len(found)} matrices ({wrong / chosen:.1%}) are "
        "not among the equally many of smallest magnitude"
    )
    worst = max(extremes, key=lambda name: np.divide(*extremes[name]))
    case = Case(worst, dict(zip((SELECTED, LEFT), extremes[worst], strict=True)))
    setting = {"rule": rule, "h": f"percentile {SPARSITY:g} of what the rule compares"}
    return _found([case], numbers, setting, context, further)


def updates_share(statement: Statement, context: Context) -> Modelled:
    """The share of weights at or below the percentile, in the matrix farthest from the claimed."""
    from zotheory.papers.smezo.masked import selected, weight_matrices

    percentile = float(statement.setting["percentile"])
    found = {
        name: selected(weights, "signed", percentile)
        for name, weights in weight_matrices(language_model(context).model)
    }
    shares = {name: float(chosen.float().mean()) for name, chosen in found.items()}
    total = sum(int(c.sum()) for c in found.values()) / sum(c.numel() for c in found.values())
    numbers = {
        "updated, of all": total,
        "by matrix, quartiles": np.quantile(list(shares.values()), np.arange(5) / 4).tolist(),
    }
    layer = {FIFTH: sp.Rational(1, 5)}  # all of it is 1
    claimed = float(statement.formula.rhs.subs(layer))
    farthest = max(shares, key=lambda name: abs(shares[name] - claimed))
    case = Case(farthest, {UPDATED: shares[farthest], **layer}, tolerance=SHARE_TOLERANCE)
    setting = {"percentile": percentile, "tolerance": SHARE_TOLERANCE}
    further = f"{total:.2%} of the weights of all {len(found)} matrices"
    return _found([case], numbers, setting, context, further)


def same_loss(statement: Statement, context: Context) -> Modelled:
    """The losses of a step at the formula's weights: in place, the mask as the statement says."""
    from zotheory.evidence.borrowed import prompts_loss
    from zotheory.evidence.modelled import borrowed_model
    from zotheory.papers.smezo.masked import losses_masked_again, step_losses

    cases, pairs = [], []
    for seed in range(context.seed, context.seed + SEEDS):
        with borrowed_model(context) as found:
            context.tell(f"{context.claim}  seed {seed}")
            closure = prompts_loss(found, context, WORDS)
            forward = step_losses(found.model, closure, "forward", SPARSITY, seed)
            if statement.setting["mask"] == "stored":
                placed = step_losses(found.model, closure, "mask", SPARSITY, seed)
            else:
                placed = losses_masked_again(found.model, closure, SPARSITY, seed)
        pairs.append((placed, forward))
        values = dict(zip((*IN_PLACE, *FORWARD), (*placed, *forward), strict=True))
        rounding = float(ROUNDING * min(map(abs, forward)))
        cases.append(Case(f"losses, seed {seed}", values, tolerance=rounding))
    placed, forward = np.array(pairs).transpose(1, 0, 2)
    gap, allowed = np.abs(placed - forward), max(case.tolerance for case in cases)
    numbers = {
        "in place, + and -, by seed": placed.tolist(),
        "in the forward pass": forward.tolist(),
        "their distance": gap.tolist(),
        "rounding allowed": allowed,
        "change of the loss by the perturbation": np.abs(np.diff(forward)).ravel().tolist(),
    }
    batch = f"{BATCH_SIZE} review prompts of at most {WORDS} words"
    setting = {"batch": batch, "seeds": SEEDS, "sparsity": SPARSITY}
    further = f"losses differ by at most {gap.max():.2g}; rounding may make {allowed:.2g}"
    return _found(cases, numbers, setting, context, further)


def mask_changes(statement: Statement, context: Context) -> Modelled:
    """Entries in which the masks of a cycle differ, and weights that it does not bring back."""
    from zotheory.evidence.modelled import borrowed_model
    from zotheory.papers.smezo.masked import cycle

    mask = statement.setting["mask"]
    with borrowed_model(context) as found:
        context.tell(f"{context.claim}  perturbing, the mask {mask}")
        cycled = cycle(found.model, mask, SPARSITY, context.seed)
    numbers = {
        "weights": cycled.weights,
        "masked at first": cycled.masked,
        "mask entries that differ at the second and the third move": list(cycled.changed),
        "weights not back": cycled.displaced,
        "the farthest is off by": cycled.farthest,
    }
    values = dict(zip((*CHANGED, DISPLACED), (*cycled.changed, cycled.displaced), strict=True))
    setting = {"mask": mask, "sparsity": SPARSITY, "moves": "+eps, -2 eps, +eps, eps = 1e-3"}
    further = f"the farthest of {cycled.weights} weights is off by {cycled.farthest:.2g}"
    return _found([Case(f"the mask {mask}", values)], numbers, setting, context, further)


def _found(
    cases: Sequence[Case],
    numbers: Mapping[str, Any],
    setting: Mapping[str, Any],
    context: Context,
    further: str,
) -> Modelled:
    model = {"model": language_model(context).name}
    return Modelled(cases, numbers, {**setting, **model}, further)
