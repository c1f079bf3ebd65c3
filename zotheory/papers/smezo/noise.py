"""Sec. 3.1 and Figure 2: whom a step helps, and which weights bear noise, on a language model."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from zotheory.context import Context
from zotheory.evidence.modelled import language_model, on_model
from zotheory.papers.smezo import batches
from zotheory.papers.smezo.batches import COSINE
from zotheory.statistics.intervals import median_interval
from zotheory.vocabulary import DRAWN, Claim, Evidence, Kind, Statement, Verdict

LAW = sp.Rational(1, 2) + sp.asin(COSINE) / sp.pi
TOLERANCE = 0.1

SHARE = """import numpy as np

# whether {count} small steps, each made on one batch, lowered the loss of another ({name})
lowered = np.array(list("{outcomes}")) == "1"
claimed = {claimed}  # the nearest share that is claimed
print("claimed", claimed)
print("actual", float(lowered.mean()))
"""
RAISES = """import numpy as np

# raise of the loss by noise on the largest weights minus that on the smallest ({name})
differences = np.array({values})
print("claimed", {claimed})  # {sign} than this
print("actual", float(np.median(differences)))
"""


def same_batch(statement: Statement, context: Context) -> Evidence:
    """Steps that lower the loss whose gradient has the statement's cosine with the step's own."""
    study = batches.steps(context)
    cosine = float(statement.setting["cosine"])
    outcomes = batches.at_cosine(study, cosine)
    found = batches.binomial(outcomes, context.alpha)
    verdicts = _within(found.lower, found.upper, float(statement.formula.rhs), 1.0)
    summary = f"at the cosine {cosine:g} lowered " + _told(found)
    numbers = batches.shares(study, outcomes) | {"interval": _ends(found)}
    numbers[DRAWN] = batches.by_pair(study, outcomes)
    numbers["fall, relative to |slope| s, quartiles"] = batches.by_loss(_falls(study))
    return _evidence(_agreed(verdicts), summary, numbers, batches.setting(study, context))


def held_out(statement: Statement, context: Context) -> Evidence:
    """Steps that lower another batch's loss: their share in a band, or within 0.1 of the law's."""
    study = batches.steps(context)
    outcomes = study.changes[:, :, 1] < 0
    predicted = batches.law(LAW, study)
    found = batches.lowered(study, outcomes, 1, context.alpha, context.seed)
    band = statement.setting["between"]
    if band is None:
        low, high = predicted - TOLERANCE, np.minimum(predicted + TOLERANCE, 1.0)
    else:
        low, high = (np.full(2, end) for end in band)
    verdicts = _within(found.lower, found.upper, low, high)
    verdict = _agreed(verdicts)
    predictions = " and ".join(f"{p:.1%}" for p in predicted)
    summary = f"lowered {_told(found)}; 1/2 + arcsin(cos)/pi says {predictions}"
    if len(set(verdicts)) > 1:
        summary += "; the two losses do not say the same"
    numbers = batches.shares(study, outcomes) | {
        "interval": _ends(found),
        "1/2 + arcsin(cos)/pi, averaged over the pairs": batches.by_loss(predicted),
        DRAWN: batches.by_pair(study, outcomes),
    }
    inputs: dict[str, Any] = batches.setting(study, context)
    if verdict is Verdict.REFUTED:
        inputs |= _share_certificate(outcomes, low, high)
    return _evidence(verdict, summary, numbers, inputs)


def _share_certificate(outcomes: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict[str, Any]:
    """The loss whose share is farthest off the band, and all its outcomes."""
    share = outcomes.mean(axis=0)
    nearest = np.clip(share, low, high)
    worst = int(np.argmax(np.abs(share - nearest)))
    told = "".join("01"[int(o)] for o in outcomes[:, worst])
    claimed, name = float(nearest[worst]), batches.NAMES[worst]
    relation = "share <= claimed" if share[worst] > claimed else "share >= claimed"
    return {
        "inputs": {"loss": name},
        "relation": relation,
        "claimed": claimed,
        "actual": float(share[worst]),
        "snippet": SHARE.format(count=len(outcomes), name=name, outcomes=told, claimed=claimed),
    }


def large_weights(statement: Statement, context: Context) -> Evidence:
    """The raise by noise on the largest weights minus that on the smallest, draw by draw."""
    study = batches.noise(context)
    sign = {"largest": 1.0, "smallest": -1.0}[statement.setting["more"]]
    differences = study.raises[:, :, 0] - study.raises[:, :, 1]  # (T, norms, losses)
    alpha = context.alpha / differences[0].size
    numbers, drawn, verdicts, lines = {}, {}, [], []
    worst = (np.inf, "", differences[:, 0, 0])
    for scale, norm in enumerate(study.norms):
        for loss, name in enumerate(batches.NAMES):
            values = differences[:, scale, loss]
            low, high = median_interval(values, alpha)
            verdicts += _within(*sorted((sign * low, sign * high)), 0.0, np.inf)
            where = f"noise of {norm:.0%} of the weights' norm, {name}"
            numbers[where] = {
                "largest minus smallest, quartiles": np.quantile(values, np.arange(5) / 4).tolist(),
                "interval of the median": [low, high],
                "largest, median raise": float(np.median(study.raises[:, scale, 0, loss])),
                "smallest, median raise": float(np.median(study.raises[:, scale, 1, loss])),
            }
            drawn[where] = {
                "largest, raise by draw": study.raises[:, scale, 0, loss].tolist(),
                "smallest, raise by draw": study.raises[:, scale, 1, loss].tolist(),
            }
            median = float(np.median(values))
            lines.append(f"{median:.2g} in [{low:.2g}, {high:.2g}] ({where})")
            worst = min(worst, (sign * median, where, values), key=lambda w: w[0])
    verdict = _agreed(verdicts)
    summary = "raise on the largest minus raise on the smallest, median " + "; ".join(lines)
    inputs = {
        "model": language_model(context).name,
        "draws": f"{len(differences)}, each with + and - the noise, batches in turn",
        "error probability": f"{context.alpha:g}",
        "differs": batches.DIFFERS,
        "seed": context.seed,
    }
    if verdict is Verdict.REFUTED:
        told = np.array2string(worst[2], precision=8, separator=", ", threshold=10_000)
        inputs |= {
            "inputs": {"setting": worst[1]},
            "relation": "difference > 0" if sign > 0 else "difference < 0",
            "claimed": 0,
            "actual": sign * worst[0],
            "snippet": RAISES.format(
                name=worst[1], values=told, claimed=0, sign="more" if sign > 0 else "less"
            ),
        }
    return _evidence(verdict, summary, numbers | {DRAWN: drawn}, inputs)


def _falls(study: Any) -> np.ndarray:
    """(2, 5) quartiles of -change / (|slope| s): 1 where the loss is a line along the step."""
    predicted = np.abs(study.slopes[:, :, 0]) * study.length
    falls = -study.changes[:, :, 0] / np.maximum(predicted, np.finfo(float).tiny)
    return np.quantile(falls, np.arange(5) / 4, axis=0).T


def _within(lower: Any, upper: Any, low: Any, high: Any) -> list[Verdict]:
    """For every interval whether it lies in the band, off it, or neither."""
    rows = np.broadcast_arrays(*map(np.atleast_1d, (lower, upper, low, high)))
    return [_judged(*row) for row in zip(*rows, strict=True)]


def _judged(lower: float, upper: float, low: float, high: float) -> Verdict:
    if low <= lower and upper <= high:
        return Verdict.CONFIRMED
    return Verdict.REFUTED if upper < low or lower > high else Verdict.INCONCLUSIVE


def _agreed(verdicts: list[Verdict]) -> Verdict:
    """What all losses and scales say alike."""
    return verdicts[0] if len(set(verdicts)) == 1 else Verdict.INCONCLUSIVE


def _told(found: Any) -> str:
    rows = zip(found.estimate, found.lower, found.upper, batches.NAMES, strict=True)
    return "; ".join(f"{e:.1%} in [{a:.1%}, {b:.1%}] ({name})" for e, a, b, name in rows)


def _ends(found: Any) -> dict[str, Any]:
    return batches.by_loss(np.stack([found.lower, found.upper], axis=1))


def _evidence(
    verdict: Verdict, summary: str, numbers: dict[str, Any], certificate: dict[str, Any]
) -> Evidence:
    return Evidence(Kind.MODEL, verdict, summary, numbers, certificate)


CLAIMS = (
    Claim(
        id="smezo.fig2b.held_out",
        where="Fig. 2b, Sec. 3.1",
        statement=Statement(
            "It lowers the loss of another batch about half the time (45% to 65%).",
            setting={"between": (0.45, 0.65)},
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(held_out),),
        mutant=Statement(
            "It lowers the loss of another batch at least 97% of the time.",
            setting={"between": (0.97, 1.0)},
        ),
        correction=Statement(
            "It lowers it as often as the gradients' cosine says, 1/2 + arcsin(cos)/pi (within 0.1 "
            "on average over pairs of batches): half the time only if the gradients are nearly "
            "orthogonal.",
            setting={"between": None},
        ),
    ),
    Claim(
        id="smezo.fig2c.large_weights",
        where="Fig. 2c, Sec. 3.1",
        statement=Statement(
            "Gaussian noise of equal norm raises the loss more when put on the 20% largest weights "
            "than on the 20% smallest.",
            setting={"more": "largest"},
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(large_weights),),
        mutant=(
            smallest := Statement(
                "It raises the loss more when put on the 20% smallest.",
                setting={"more": "smallest"},
            )
        ),
        correction=smallest,
    ),
)
