"""Sec. 3.1 and Figure 2: whom a step helps, and which weights bear noise, on a language model."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case, median
from zotheory.evidence.modelled import Modelled, language_model, on_model
from zotheory.papers.smezo import batches
from zotheory.papers.smezo.batches import COSINE
from zotheory.vocabulary import DRAWN, Claim, Kind, Statement

TOLERANCE = sp.Rational(1, 10)
LAW = sp.Rational(1, 2) + sp.asin(COSINE) / sp.pi
AVERAGE_LAW = sp.Symbol("1/2 + arcsin(cos)/pi, averaged over the pairs")
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


def held_out(_: Statement, context: Context) -> Modelled:
    """Steps that lower another batch's loss: their share, and what the law says of it."""
    study = batches.steps(context)
    outcomes = study.changes[:, :, 1] < 0
    predicted = batches.law(LAW, study)
    found = batches.lowered(study, outcomes, 1, context.alpha, context.seed)
    cases = [
        Case(name, {ANOTHER: share, AVERAGE_LAW: float(p)})
        for (name, share), p in zip(batches.told(found, outcomes).items(), predicted, strict=True)
    ]
    numbers = batches.shares(study, outcomes) | {
        "interval": _ends(found),
        str(AVERAGE_LAW): batches.by_loss(predicted),
        DRAWN: batches.by_pair(study, outcomes),
    }
    predictions = " and ".join(f"{p:.1%}" for p in predicted)
    further = f"1/2 + arcsin(cos)/pi says {predictions}"
    return Modelled(cases, numbers, batches.setting(study, context), further)


def large_weights(_: Statement, context: Context) -> Modelled:
    """The raise by noise on the largest weights minus that on the smallest, draw by draw."""
    study = batches.noise(context)
    differences = study.raises[:, :, 0] - study.raises[:, :, 1]  # (T, norms, losses)
    cases, numbers, drawn = [], {}, {}
    for scale, norm in enumerate(study.norms):
        for loss, name in enumerate(batches.NAMES):
            values = differences[:, scale, loss]
            found = median(values).at(context.alpha / differences[0].size)
            where = f"noise of {norm:.0%} of the weights' norm, {name}"
            cases.append(Case(where, {DIFFERENCE: found}))
            numbers[where] = {
                "largest minus smallest, quartiles": np.quantile(values, np.arange(5) / 4).tolist(),
                "interval of the median": [found.low, found.high],
                "largest, median raise": float(np.median(study.raises[:, scale, 0, loss])),
                "smallest, median raise": float(np.median(study.raises[:, scale, 1, loss])),
            }
            drawn[where] = {
                "largest, raise by draw": study.raises[:, scale, 0, loss].tolist(),
                "smallest, raise by draw": study.raises[:, scale, 1, loss].tolist(),
            }
    setting = {
        "model": language_model(context).name,
        "draws": f"{len(differences)}, each with + and - the noise, batches in turn",
        "differs": batches.DIFFERS,
    }
    return Modelled(cases, numbers | {DRAWN: drawn}, setting)


def _falls(study: Any) -> np.ndarray:
    """(2, 5) quartiles of -change / (|slope| s): 1 where the loss is a line along the step."""
    predicted = np.abs(study.slopes[:, :, 0]) * study.length
    falls = -study.changes[:, :, 0] / np.maximum(predicted, np.finfo(float).tiny)
    return np.quantile(falls, np.arange(5) / 4, axis=0).T


def _ends(found: Any) -> dict[str, Any]:
    return batches.by_loss(np.stack([found.lower, found.upper], axis=1))


def _band(low: sp.Expr, high: sp.Expr) -> sp.Basic:
    return sp.And(sp.Ge(ANOTHER, low), sp.Le(ANOTHER, high))


CLAIMS = (
    Claim(
        id="smezo.fig2b.held_out",
        where="Fig. 2b, Sec. 3.1",
        statement=Statement(
            "It lowers the loss of another batch about half the time (45% to 65%).",
            _band(sp.Rational(45, 100), sp.Rational(65, 100)),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(held_out, alike=True),),
        mutant=Statement(
            "It lowers the loss of another batch at least 97% of the time.",
            sp.Ge(ANOTHER, sp.Rational(97, 100)),
        ),
        correction=Statement(
            "It lowers it as often as the gradients' cosine says, 1/2 + arcsin(cos)/pi (within 0.1 "
            "on average over pairs of batches): half the time only if the gradients are nearly "
            "orthogonal.",
            _band(AVERAGE_LAW - TOLERANCE, AVERAGE_LAW + TOLERANCE),
        ),
    ),
    Claim(
        id="smezo.fig2c.large_weights",
        where="Fig. 2c, Sec. 3.1",
        statement=Statement(
            "Gaussian noise of equal norm raises the loss more when put on the 20% largest weights "
            "than on the 20% smallest.",
            sp.Gt(DIFFERENCE, 0),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(large_weights, alike=True),),
        mutant=(
            smallest := Statement(
                "It raises the loss more when put on the 20% smallest.",
                sp.Lt(DIFFERENCE, 0),
            )
        ),
        correction=smallest,
    ),
)
