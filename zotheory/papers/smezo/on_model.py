"""The masks of Algorithm 3 and Sec. 3.3 on a language model's weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from zotheory.context import Context
from zotheory.evidence.modelled import BATCH_SIZE, WORDS, language_model
from zotheory.vocabulary import Evidence, Kind, Statement, Verdict

SPARSITY = 0.8  # the highest and usually best of the paper's Table 10
SEEDS = 3
SHARE_TOLERANCE = 0.01  # ties and rounding of N p
ROUNDING = 256 * np.finfo(np.float32).eps  # of a loss: some hundred roundings on its way


def selects_smallest(statement: Statement, context: Context) -> Evidence:
    """Weights that the rule selects although as many others are smaller, at the paper's h."""
    from zotheory.papers.smezo.masked import beyond_smallest, selected, weight_matrices

    rule, found = statement.setting["rule"], {}
    for name, weights in weight_matrices(language_model(context).model):
        chosen = selected(weights, rule, SPARSITY)
        found[name] = int(chosen.sum()), beyond_smallest(weights, chosen)
    chosen, wrong = np.sum(list(found.values()), axis=0).tolist()
    shares = [w / c for c, w in found.values()]
    numbers = {
        "selected": chosen,
        "of them not among as many smallest": wrong,
        "share by matrix, quartiles": np.quantile(shares, np.arange(5) / 4).tolist(),
    }
    summary = (
        f"{wrong} of {chosen} weights selected in {len(found)} matrices ({wrong / chosen:.1%}) are "
        "not among the equally many of smallest magnitude"
    )
    inputs = {"rule": rule, "h": f"percentile {SPARSITY:g} of what the rule compares"}
    verdict = Verdict.REFUTED if wrong else Verdict.CONFIRMED
    return _evidence(verdict, summary, numbers, inputs | {"claimed": 0, "actual": wrong}, context)


def updates_share(statement: Statement, context: Context, claimed: float) -> Evidence:
    """The share of every matrix's weights at or below the percentile, against the claimed one."""
    from zotheory.papers.smezo.masked import selected, weight_matrices

    percentile = float(statement.setting["percentile"])
    found = {
        name: selected(weights, "signed", percentile)
        for name, weights in weight_matrices(language_model(context).model)
    }
    shares = np.array([float(chosen.float().mean()) for chosen in found.values()])
    total = sum(int(c.sum()) for c in found.values()) / sum(c.numel() for c in found.values())
    off = np.abs(shares - claimed)
    verdict = Verdict.CONFIRMED if off.max() <= SHARE_TOLERANCE else Verdict.REFUTED
    numbers = {
        "updated, of all": total,
        "by matrix, quartiles": np.quantile(shares, np.arange(5) / 4).tolist(),
    }
    summary = (
        f"the rule updates {total:.2%} of the weights of {len(found)} matrices "
        f"({shares.min():.2%} to {shares.max():.2%}), claimed {claimed:.0%}"
    )
    inputs = {"percentile": percentile, "tolerance": SHARE_TOLERANCE}
    return _evidence(
        verdict, summary, numbers, inputs | {"claimed": claimed, "actual": total}, context
    )


def same_loss(statement: Statement, context: Context) -> Evidence:
    """Both losses of a step in place, the mask as the statement says, and in the forward pass."""
    from zotheory.evidence.borrowed import prompts_loss
    from zotheory.evidence.modelled import borrowed_model
    from zotheory.papers.smezo.masked import losses_masked_again, step_losses

    pairs = []
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
    placed, forward = np.array(pairs).transpose(1, 0, 2)
    gap, allowed = np.abs(placed - forward), ROUNDING * np.abs(forward)
    verdict = Verdict.CONFIRMED if (gap <= allowed).all() else Verdict.REFUTED
    numbers = {
        "in place, + and -, by seed": placed.tolist(),
        "in the forward pass": forward.tolist(),
        "their distance": gap.tolist(),
        "rounding allowed": float(allowed.max()),
        "change of the loss by the perturbation": np.abs(np.diff(forward)).ravel().tolist(),
    }
    summary = f"losses differ by at most {gap.max():.2g}; rounding may make {allowed.max():.2g}"
    batch = f"{BATCH_SIZE} review prompts of at most {WORDS} words"
    inputs = {"batch": batch, "seeds": SEEDS, "sparsity": SPARSITY}
    return _evidence(verdict, summary, numbers, inputs, context)


def mask_changes(statement: Statement, context: Context) -> Evidence:
    """Entries in which the masks of a cycle differ, and weights that it does not bring back."""
    from zotheory.evidence.modelled import borrowed_model
    from zotheory.papers.smezo.masked import cycle

    mask = statement.setting["mask"]
    with borrowed_model(context) as found:
        context.tell(f"{context.claim}  perturbing, the mask {mask}")
        cycled = cycle(found.model, mask, SPARSITY, context.seed)
    holds = min(cycled.changed) > 0 and cycled.displaced > 0
    numbers = {
        "weights": cycled.weights,
        "masked at first": cycled.masked,
        "mask entries that differ at the second and the third move": list(cycled.changed),
        "weights not back": cycled.displaced,
        "the farthest is off by": cycled.farthest,
    }
    summary = (
        f"of {cycled.weights} mask entries {cycled.changed[0]} differ at the second move and "
        f"{cycled.changed[1]} at the third; {cycled.displaced} weights do not come back, the "
        f"farthest by {cycled.farthest:.2g}"
    )
    inputs = {"mask": mask, "sparsity": SPARSITY, "moves": "+eps, -2 eps, +eps, eps = 1e-3"}
    return _evidence(
        Verdict.CONFIRMED if holds else Verdict.REFUTED, summary, numbers, inputs, context
    )


def _evidence(
    verdict: Verdict,
    summary: str,
    numbers: dict[str, Any],
    inputs: dict[str, Any],
    context: Context,
) -> Evidence:
    told = {"model": language_model(context).name, "seed": context.seed}
    return Evidence(Kind.MODEL, verdict, summary, numbers, {**inputs, **told})
