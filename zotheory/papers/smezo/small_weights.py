"""Sec. 1, 3.1 and 3.2 along fine-tuning: what small weights hold, and whom a step hurts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from scipy.stats import t

from proofs_check.results import Enclosed, Proved
from proofs_check.steps import follows
from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.exact import exact
from zotheory.evidence.modelled import Modelled, on_model, what_it_takes
from zotheory.papers.shared.along import ALONG
from zotheory.papers.smezo import finetuned
from zotheory.papers.smezo.batches import COSINE
from zotheory.papers.smezo.finetuned import AT_FIRST, FIFTH, LATER, SHARES_OF
from zotheory.vocabulary import Claim, Kind, Setting, Statement

if TYPE_CHECKING:
    from zotheory.papers.smezo.trained import TrainedStudy

SHARE = sp.Symbol("share of the squared gradient on the smallest entries")
GAIN = sp.Symbol("E cos^2 of S-MeZO / E cos^2 of MeZO")
RAISED = sp.Symbol("P(the step raises another batch's loss)")

OVER = {"vocabulary": "loss over the whole vocabulary", "label_words": "loss over the label words"}


def average(phases: Sequence[np.ndarray], alpha: float) -> Quantity:
    """The mean over phases of their batches' means, with Student's interval.

    Batches are independent; a phase's mean has the variance of its batches' over their number, and
    together they have sum (B - 1) degrees of freedom.
    """
    rows = [np.asarray(values) for values in phases]
    value = float(np.mean([row.mean() for row in rows]))
    variance = sum(row.var(ddof=1) / len(row) for row in rows) / len(rows) ** 2
    freedom = sum(len(row) - 1 for row in rows)
    half = float(t.ppf(1 - alpha / 2, freedom)) * variance**0.5
    return Quantity(value, value - half, value + half, np.concatenate(rows), "np.mean(values)")


def _places(found: TrainedStudy) -> dict[str, list[np.ndarray]]:
    """The shares at the initial weights by loss, and along fine-tuning."""
    first = SHARES_OF[AT_FIRST]
    places = {f"initial weights, {OVER[o]}": [found.shares[o, AT_FIRST]] for o in first}
    later = f"after {', '.join(map(str, LATER))} steps, {OVER[ALONG.loss]}"
    return places | {later: [found.shares[ALONG.loss, phase] for phase in LATER]}


def _shares(_: Statement, context: Context) -> Modelled:
    found = finetuned.study(context)
    places = _places(found)
    alpha = context.alpha / len(places)
    cases = [Case(at, {SHARE: average(rows, alpha)}) for at, rows in places.items()]
    return Modelled(cases, _numbers(places, found), _setting(found, context))


def _gains(_: Statement, context: Context) -> Modelled:
    """By the law on a linear loss, of a small step: s/n under the mask, 1/d without (smezo.cosine).

    n of the d entries of the blocks' matrices are on the mask, with a share s.
    """
    found = finetuned.study(context)
    places, ratio = _places(found), found.weights / found.masked
    alpha = context.alpha / len(places)
    cases = []
    for at, rows in places.items():
        gains = [ratio * row for row in rows]
        cases.append(Case(at, {GAIN: average(gains, alpha)}))
    numbers = _numbers(places, found) | {"d": found.weights, "n": found.masked}
    return Modelled(cases, numbers, _setting(found, context))


def _raised(statement: Statement, context: Context) -> Modelled:
    """By the exact law of a small step at each pair's cosine, own.held_out."""
    found = finetuned.study(context)
    raised = sp.lambdify(COSINE, 1 - finetuned.LAW, "numpy")
    measured = finetuned.average_over(list(found.cosines.values()), raised, context.alpha)
    pairs = {k: c[np.triu_indices(len(c), 1)] for k, c in found.cosines.items()}
    numbers = {
        f"after {k} steps": {"mean": float(raised(c).mean()), "cosines of the pairs": c.tolist()}
        for k, c in pairs.items()
    }
    at = (
        f"step {AT_FIRST} and every step from {min(finetuned.STEPS)} to {max(pairs)}, "
        f"{len(pairs[max(pairs)])} pairs of batches or more"
    )
    setting = finetuned.setting(context, found.cosines) | {
        "step": "small: to first order it raises the other loss with probability "
        "1/2 - arcsin(cos)/pi, own.held_out",
        "interval": finetuned.INTERVAL,
    }
    further = what_it_takes(measured, [float(statement.formula.rhs)])
    return Modelled([Case(at, {RAISED: measured})], numbers, setting, further)


UP, DOWN = sp.symbols("p q", nonnegative=True)


def _at_most_half(_: Statement) -> Mapping[sp.Expr, Enclosed]:
    """For batches drawn independently of each other and of the weights, whatever their law is."""
    opposite, half = 2 * UP * DOWN, sp.Rational(1, 2)
    found = follows((sp.Le(UP + DOWN, 1),), sp.Le(opposite, half))
    if not isinstance(found, Proved):
        raise ArithmeticError(f"two independent signs differ with probability {opposite}: {found}")
    steps = (
        "a small step along minus the estimate of batch i, along z, changes the loss of batch j by "
        "a negative multiple of <g_i, z><g_j, z>: it raises it where the two slopes have opposite "
        "signs",
        "given z the slopes of two batches are independent and of one law, p(z) and q(z) the "
        f"probabilities of > 0 and < 0: opposite with probability {opposite}, p + q <= 1",
        *found.steps,
        "so it is for every z and every weights, hence on average; equal if g and -g are as likely",
    )
    return {RAISED: Enclosed(sp.S.Zero, half, steps)}


def _half_witness(*_: object) -> str:
    return """import numpy as np

rng = np.random.default_rng(0)


def raised(gradients):
    # over pairs of batches drawn independently, each of these gradients as likely as another
    unit = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    return np.mean(1 / 2 - np.arcsin(np.clip(unit @ unit.T, -1, 1)) / np.pi)


half = rng.standard_normal((20, 5))
print("claimed", 0.5)
print("actual", raised(np.concatenate([half, -half])))  # the largest: g and -g are as likely
laws = [raised(rng.standard_normal((8, 5)) + shift) for shift in rng.standard_normal((1000, 5))]
print("the largest of 1000 laws drawn at random:", max(laws))
"""


def _numbers(places: dict[str, list[np.ndarray]], found: TrainedStudy) -> dict[str, object]:
    by_batch = {at: [row.tolist() for row in rows] for at, rows in places.items()}
    return {"share by batch": by_batch, "training loss, first and last": found.losses[[0, -1]]}


def _setting(found: TrainedStudy, context: Context) -> dict[str, object]:
    shares = {phase: of for (_, phase), of in found.shares.items()}
    return finetuned.setting(context, shares) | {
        "smallest": f"{FIFTH:.0%} of each matrix by the magnitudes of the weights at hand"
    }


ABOVE_HALF = "as a probability above 1/2"  # not as one above that on the batch itself
HERE = Setting("SmolLM2-135M's initial weights, and along its fine-tuning on reviews")

SMALL_SHARE = Claim(
    id="smezo.small_share",
    where="ours, for Sec. 3.1 and 3.2",
    setting=HERE,
    statement=Statement(
        "The 20% of the entries of each of the blocks' matrices that are smallest in magnitude "
        "hold together more than 20% of the squared gradient of these matrices, for batches of 16 "
        "review prompts (at most 10 words), either loss at the initial weights, and on average "
        "over steps 10 to 44 along fine-tuning.",
        sp.Gt(SHARE, sp.Rational(1, 5)),
    ),
    needs=(Kind.MODEL,),
    checks=(on_model(_shares),),
    mutant=Statement("They hold more than 90%.", sp.Gt(SHARE, sp.Rational(9, 10))),
    correction=Statement("They hold at most 20%.", sp.Le(SHARE, sp.Rational(1, 5))),
)

GAIN_OF_MASK = Claim(
    id="smezo.cosine.gain",
    where="ours, for Fig. 1 and Sec. 4.4",
    setting=HERE,
    statement=Statement(
        "With the blocks' matrices perturbed and nothing else, S-MeZO at sparsity 0.8 (mask on the "
        "20% smallest of each matrix) has at least twice MeZO's E cos^2 with the true gradient, "
        "for batches of 16 review prompts (at most 10 words), either loss at the initial weights, "
        "and on average over steps 10 to 44 along fine-tuning.",
        sp.Ge(GAIN, 2),
    ),
    needs=(Kind.MODEL,),
    checks=(on_model(_gains),),
    mutant=Statement(
        "It has at least 5 times MeZO's, as if the mask held the whole gradient.", sp.Ge(GAIN, 5)
    ),
    correction=Statement("It has less than twice MeZO's.", sp.Lt(GAIN, 2)),
)

MORE_LIKELY = Claim(
    id="smezo.intro.more_likely",
    where="Sec. 1 ('more likely to increase the loss on other batches')",
    setting=Setting("any model along fine-tuning, small steps, batches independent of each other"),
    statement=Statement(
        "Along fine-tuning, from step 0 to step 44, a small step along minus the ZO estimate of "
        "one batch of 16 raises the loss of another batch with probability above 1/2, averaged "
        "over the steps looked at (at least five, 0 and 44 among them) and at least 6 pairs of "
        "batches each.",
        sp.Gt(RAISED, sp.Rational(1, 2)),
    ),
    needs=(Kind.EXACT, Kind.MODEL),
    checks=(
        exact(_at_most_half, _half_witness).refutes(ABOVE_HALF),
        on_model(_raised).refutes(ABOVE_HALF),
    ),
    correction=Statement(
        "It raises it with probability at most 1/2, at any weights: given the direction, the "
        "slopes of two independent batches have one sign at least as often as opposite ones.",
        sp.Le(RAISED, sp.Rational(1, 2)),
    ),
)
