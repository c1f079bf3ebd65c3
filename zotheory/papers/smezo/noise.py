"""Sec. 3.1 and Figure 2: whom a step helps, and which weights bear noise, on a language model."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case, mean
from zotheory.evidence.exact import conjuncts
from zotheory.evidence.modelled import (
    BATCH_SIZE,
    WORDS,
    Modelled,
    language_model,
    on_model,
    what_it_takes,
)
from zotheory.papers.smezo import batches, finetuned
from zotheory.papers.smezo.batches import COSINE
from zotheory.vocabulary import DRAWN, Claim, Kind, Setting, Statement, conjunction

PROBABILITY = sp.Symbol("P(the step lowers the loss)")
ANOTHER = sp.Symbol("P(the step lowers another batch's loss)")
DIFFERENCE = sp.Symbol("raise by noise on the largest weights - raise by noise on the smallest")


def same_batch(statement: Statement, context: Context) -> Modelled:
    """Steps that lower the loss whose gradient has the statement's cosine with the step's own."""
    study = batches.steps(context)
    cosine = float(statement.setting["cosine"])
    outcomes = batches.at_cosine(study, cosine)
    found = batches.binomial(outcomes, context.alpha)
    cases = [
        Case(f"at the cosine {cosine:g}, {name}", {PROBABILITY: share})
        for name, share in batches.told(found, outcomes).items()
    ]
    numbers = batches.shares(study, outcomes) | {"interval": _ends(found)}
    numbers[DRAWN] = batches.by_pair(study, outcomes)
    numbers["fall, relative to |slope| s, quartiles"] = batches.by_loss(_falls(study))
    return Modelled(cases, numbers, batches.setting(study, context))


def held_out(statement: Statement, context: Context) -> Modelled:
    """P(a small step on one batch lowers another's loss) by the law of their cosine, at phases."""
    study = finetuned.study(context)
    law = sp.lambdify(COSINE, finetuned.LAW, "numpy")
    cosines = {step: study.cosines[step] for step in finetuned.STEPS}
    found = finetuned.average_over(list(cosines.values()), law, context.alpha)
    pairs = {step: c[np.triu_indices(len(c), 1)] for step, c in cosines.items()}
    numbers = {
        f"after {step} steps": {
            "P(the step lowers another batch's loss), quartiles": np.quantile(
                law(of), batches.QUARTILES
            ).tolist(),
            "mean": float(law(of).mean()),
            "cosines of the pairs": of.tolist(),
        }
        for step, of in pairs.items()
    }
    at = f"every step from {min(pairs)} to {max(pairs)}, {len(pairs[max(pairs)])} pairs of batches"
    setting = finetuned.setting(context, cosines) | {
        "step": "small: to first order it lowers the other loss with probability "
        "1/2 + arcsin(cos)/pi, own.held_out",
        "interval": finetuned.INTERVAL,
    }
    bounds = [float(relation.rhs) for relation in conjuncts(statement.formula)]
    further = what_it_takes(found, bounds)
    return Modelled([Case(at, {ANOTHER: found})], numbers, setting, further)


def large_weights(statement: Statement, context: Context) -> Modelled:
    """The raise by noise on the largest weights minus that on the smallest, draw by draw."""
    study = batches.noise(context)
    differences = study.raises[:, :, 0] - study.raises[:, :, 1]  # (T, norms, losses)
    judged = statement.setting.get("losses", batches.NAMES)
    cases, numbers, drawn = [], {}, {}
    for scale, norm in enumerate(study.norms):
        for loss, name in enumerate(batches.NAMES):
            values = differences[:, scale, loss]
            found = mean(values).at(context.alpha / differences[0].size)
            where = f"noise of {norm:.0%} of the weights' norm, {name}"
            if name in judged:
                cases.append(Case(where, {DIFFERENCE: found}))
            numbers[where] = {
                "largest minus smallest, quartiles": np.quantile(values, np.arange(5) / 4).tolist(),
                "interval of the mean": [found.low, found.high],
                "largest, mean raise": float(np.mean(study.raises[:, scale, 0, loss])),
                "smallest, mean raise": float(np.mean(study.raises[:, scale, 1, loss])),
            }
            drawn[where] = {
                "largest, raise by draw": study.raises[:, scale, 0, loss].tolist(),
                "smallest, raise by draw": study.raises[:, scale, 1, loss].tolist(),
            }
    highest = study.start.max() + study.raises.max()
    setting = {
        "model": language_model(context).name,
        "draws": f"{len(differences)}, each with + and - the noise, {batches.BATCHES} batches of "
        f"{BATCH_SIZE} review sentences of at most {WORDS} words in turn",
        "the loss stays below": float(highest),
    }
    return Modelled(cases, numbers | {DRAWN: drawn}, setting)


def _falls(study: Any) -> np.ndarray:
    """(2, 5) quartiles of -change / (|slope| s): 1 where the loss is a line along the step."""
    predicted = np.abs(study.slopes[:, :, 0]) * study.length
    falls = -study.changes[:, :, 0] / np.maximum(predicted, np.finfo(float).tiny)
    return np.quantile(falls, np.arange(5) / 4, axis=0).T


def _ends(found: Any) -> dict[str, Any]:
    return batches.by_loss(np.stack([found.lower, found.upper], axis=1))


CLAIMS = (
    Claim(
        id="smezo.fig2b.held_out",
        where="Fig. 2b, Sec. 3.1, Fig. 4 (by epoch)",
        setting=Setting(
            "LLaMA-7B fine-tuned on RTE, batches of 16 + 16, about half",
            "SmolLM2-135M along 44 steps of fine-tuning on reviews",
        ),
        statement=Statement(
            "Along fine-tuning a small step along minus the ZO estimate of a batch of 16 lowers "
            "the loss of a held-out batch of 16 between 45% and 65% of the time, averaged over "
            "steps 10 to 44 (at least four of them, at least 6 pairs of batches each, counted or "
            "from the measured gradients by the exact probability for a small step).",
            conjunction(sp.Ge(ANOTHER, sp.Rational(45, 100)), sp.Le(ANOTHER, sp.Rational(65, 100))),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(held_out),),
        mutant=Statement("At least 97% of the time.", sp.Ge(ANOTHER, sp.Rational(97, 100))),
        correction=Statement("More than half of the time.", sp.Gt(ANOTHER, sp.Rational(1, 2))),
    ),
    Claim(
        id="smezo.fig2c.large_weights",
        where="Fig. 2c, Sec. 3.1, abstract",
        setting=Setting(
            "LLaMA-7B fine-tuned on RTE, continued from the point where accuracy drops",
            "SmolLM2-135M at its pretrained weights, review prompts",
        ),
        statement=Statement(
            "At SmolLM2-135M's initial weights, batches of 16 review prompts (at most 10 words), "
            "Gaussian noise of norm 1%, 3% and 5% of that of the blocks' matrices together "
            "(MeZO's eps = 1e-3 on every weight is near the lower end; the loss stays below ln of "
            "the vocabulary size) raises the loss more, on average over at least 32 paired draws "
            "spread over at least four batches, when put on the 20% largest weights of each matrix "
            "than on the 20% smallest, at each of the three sizes, for the loss over the whole "
            "vocabulary and over the label words.",
            sp.Gt(DIFFERENCE, 0),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(large_weights),),
        mutant=Statement(
            "It raises the loss more when put on the 20% smallest.", sp.Lt(DIFFERENCE, 0)
        ),
        correction=Statement(
            "It raises the loss over the whole vocabulary more when put on the 20% smallest, at "
            "each of the three sizes.",
            sp.Lt(DIFFERENCE, 0),
            setting={"losses": batches.NAMES[:1]},
        ),
    ),
)
