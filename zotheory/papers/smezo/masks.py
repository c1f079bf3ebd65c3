"""Algorithm 3, Sec. 8.2, 3.3 and 3.1: which weights are masked, and what a masked step does."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.gaussian import Derivation
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.modelled import on_model
from zotheory.evidence.snippets import inputs
from zotheory.papers.smezo.noise import PROBABILITY, same_batch
from zotheory.papers.smezo.on_model import (
    CHANGED,
    DISPLACED,
    FIFTH,
    FORWARD,
    IN_PLACE,
    LEFT,
    SELECTED,
    UPDATED,
    mask_changes,
    same_loss,
    selects_smallest,
    updates_share,
)
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

THRESHOLD = sp.Symbol("threshold", real=True)
POSITIVE = sp.Gt(THRESHOLD, 0)
SIGNED = (sp.Le(SELECTED, THRESHOLD), sp.Gt(LEFT, THRESHOLD), POSITIVE)
BY_SIZE = (sp.Le(SELECTED**2, THRESHOLD**2), sp.Gt(LEFT**2, THRESHOLD**2), POSITIVE)

WEIGHT, NOISE, EPS = sp.symbols("w z eps", real=True)
MASK, LATER_MASK = sp.symbols("mask later_mask", real=True)
SAME = conjunction(*(sp.Eq(a, b) for a, b in zip(IN_PLACE, FORWARD, strict=True)))

CHANGES = conjunction(*(sp.Gt(count, 0) for count in (*CHANGED, DISPLACED)))


def _selection_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
weights = np.array([selected, left], dtype=float)
mask = weights <= threshold
assert mask.tolist() == [True, False]
print("claimed", (weights[~mask] ** 2).min())  # no selected weight is larger in square
print("actual", (weights[mask] ** 2).max())
"""


def _updated(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """Of N weights without ties, the N p smallest are those that do not exceed the (N p)-th."""
    size, share = 5 * FIFTH, statement.setting["percentile"]
    steps = (
        f"a layer's {size} weights (or their magnitudes) in order: y_1 < ... < y_N",
        f"the percentile {share} is y_(N p), N p = {size * share}",
        "y_j <= y_(N p) for j <= N p and for no other j: so many are updated",
    )
    return {UPDATED: Derivation(size * share, steps)}


def _updated_witness(statement: Statement, failed: Counterexample) -> str:
    percentile = 100 * statement.setting["percentile"]
    return f"""import numpy as np

{inputs(failed.inputs)}
weights = np.random.default_rng(0).standard_normal(5 * k)
threshold = np.percentile(weights, {percentile}, method="inverted_cdf")
print("claimed", k)  # 20% of the layer
print("actual", np.count_nonzero(weights <= threshold))
"""


def _threshold(says: str, percentile: sp.Rational) -> Statement:
    return Statement(says, sp.Eq(UPDATED, FIFTH), setting={"percentile": percentile})


def _perturbed(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """The weight at which both evaluations of a step take place, either way."""
    stored = statement.setting["mask"] == "stored"
    plus = WEIGHT + EPS * MASK * NOISE
    minus = plus - 2 * EPS * (MASK if stored else LATER_MASK) * NOISE
    forward = [WEIGHT + sign * EPS * MASK * NOISE for sign in (1, -1)]
    told = "stored" if stored else "computed again from the perturbed weights"
    steps = (
        f"in place, the mask {told}: + eps m z, then - 2 eps m z: {plus}, then {minus}",
        f"in the forward pass, the mask from the unperturbed weights: {forward}",
        "the loss is one function of the weights, whichever way they come about",
    )
    found = {IN_PLACE[0]: Derivation(plus, steps), IN_PLACE[1]: Derivation(minus, ())}
    return found | {name: Derivation(w, ()) for name, w in zip(FORWARD, forward, strict=True)}


def _lowers(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """For a step and eps that tend to 0, m*g not 0."""
    cosine = statement.setting["cosine"]
    value = 1 - sp.acos(cosine) / sp.pi
    steps = (
        "f(w - eta kappa m*z) = f(w) - eta kappa <m*g', z> + o(eta), g' the gradient of the batch "
        "that is looked at, and kappa -> <m*g, z>: lowered where <m*g, z><m*g', z> > 0",
        "the two are r cos t and r cos(t - a) up to lengths, cos a the cosine of m*g and m*g', t "
        "uniform: their product is positive on a share 1 - a/pi of the circle",
        f"at the cosine {cosine}: {value}",
    )
    return {PROBABILITY: Derivation(value, steps)}


MASKS = (
    Claim(
        id="smezo.alg3.magnitude",
        where="Algorithm 3 against Sec. 3.2",
        setting=Setting("Algorithm 3 as printed, any weights"),
        statement=Statement(
            "The printed rule theta_ij <= h_i selects exactly the weights of smallest magnitude.",
            sp.Le(SELECTED**2, LEFT**2),
            SIGNED,
            setting={"rule": "signed"},
        ),
        needs=(Kind.EXACT, Kind.MODEL),
        checks=(exact(witness=_selection_witness), on_model(selects_smallest)),
        correction=Statement(
            "The rule |theta_ij| <= h_i does: no weight that it selects is larger in magnitude "
            "than one that it leaves out.",
            sp.Le(SELECTED**2, LEFT**2),
            BY_SIZE,
            setting={"rule": "absolute"},
        ),
    ),
    Claim(
        id="smezo.appendix8.sparsity",
        where="Sec. 8.2 with Algorithm 3",
        setting=Setting("Algorithm 3 as printed with Sec. 8.2's threshold, any layer"),
        statement=_threshold(
            "Threshold at the 80th percentile and mask theta_ij <= h_i update 20% of a layer "
            "(sparsity 0.8).",
            sp.Rational(4, 5),
        ),
        needs=(Kind.EXACT, Kind.MODEL),
        checks=(exact(_updated, _updated_witness), on_model(updates_share)),
        correction=_threshold(
            "They update 80% of it. A threshold at the 20th percentile, 1 - sparsity, updates 20%.",
            sp.Rational(1, 5),
        ),
    ),
    Claim(
        id="smezo.mask_changes",
        where="Sec. 3.3",
        setting=Setting(
            "the dynamic mask of Sec. 3.3 during fine-tuning",
            "SmolLM2-135M at its pretrained weights, one perturbation",
        ),
        statement=Statement(
            "A mask recomputed from perturbed weights differs from the mask of the unperturbed "
            "ones, so restoring from the seed alone does not return the weights.",
            CHANGES,
            setting={"mask": "again"},
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(mask_changes),),
        mutant=Statement(
            "The same if the mask of the unperturbed weights is stored for the step.",
            CHANGES,
            setting={"mask": "stored"},
        ),
    ),
    Claim(
        id="smezo.ei.same_loss",
        where="Sec. 3.3",
        setting=Setting("any model, any mask"),
        statement=Statement(
            "Computing the masked perturbation inside the forward pass gives the same loss as "
            "perturbing in place (to rounding).",
            SAME,
            setting={"mask": "stored"},
        ),
        needs=(Kind.EXACT, Kind.MODEL),
        checks=(exact(_perturbed), on_model(same_loss)),
        mutant=Statement(
            "The same in place with the mask computed again before the second evaluation, from "
            "the perturbed weights, where it differs.",
            SAME,
            (
                sp.Eq(MASK, 1),
                sp.Eq(LATER_MASK, 0),
                sp.Le(WEIGHT**2, THRESHOLD**2),
                sp.Gt((WEIGHT + EPS * NOISE) ** 2, THRESHOLD**2),
            ),
            setting={"mask": "again"},
        ),
    ),
)

STEPS = (
    Claim(
        id="smezo.fig2b.same_batch",
        where="Fig. 2b, Sec. 3.1",
        setting=Setting(
            "LLaMA-7B fine-tuned on RTE, batches of 16; judged for any smooth loss and a small "
            "step, and measured on SmolLM2-135M",
        ),
        statement=Statement(
            "A small step along -estimate lowers the loss of the batch it was computed on at "
            "least 90% of the time.",
            sp.Ge(PROBABILITY, sp.Rational(9, 10)),
            setting={"cosine": sp.S.One},
        ),
        needs=(Kind.EXACT, Kind.MODEL),
        checks=(exact(_lowers), on_model(same_batch, alike=True)),
        mutant=Statement(
            "It lowers the loss of a batch with an orthogonal gradient at least 90% of the time.",
            sp.Ge(PROBABILITY, sp.Rational(9, 10)),
            setting={"cosine": sp.S.Zero},
        ),
    ),
)
