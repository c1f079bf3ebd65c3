"""Where low-rank gradients come from: the same model with Gaussian weights in its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.modelled import (
    BATCH_SIZE,
    WORDS,
    Modelled,
    borrowed_model,
    on_model,
    once,
    sentences,
)
from zotheory.papers.tezo.measurements import threshold_rank
from zotheory.vocabulary import Claim, Kind, Setting, Statement

if TYPE_CHECKING:
    import torch

    from zotheory.model.gradients import Weight
    from zotheory.model.language_model import LanguageModel
    from zotheory.model.reviews import Example

SHARE = sp.Symbol("share of matrices with more than that part of their singular values above 25%")
THRESHOLD, DRAWS = 0.25, 3
TENTH = sp.Rational(1, 10)


def _origin(statement: Statement, context: Context) -> Modelled:
    """How many gradients keep many large singular values, at each of several draws."""
    part = Fraction(int(statement.setting["part"].p), int(statement.setting["part"].q))
    found = once("tezo.gaussian weights", context, _measure)
    cases = []
    for draw, parts in enumerate(found["Gaussian"]):
        many = np.array([share > part for share in parts])
        share = Fraction(int(many.sum()), len(many))
        known = Quantity(share, share, share, many, "np.mean(values)")
        cases.append(Case(f"draw {draw} of the weights, batch {draw}", {SHARE: known}))
    quartiles = {
        name: [np.quantile(np.array(parts, dtype=float), np.arange(5) / 4) for parts in rows]
        for name, rows in found.items()
    }
    setting = {
        "model": context.model,
        "text": f"{DRAWS} batches of {BATCH_SIZE} review sentences of at most {WORDS} words",
        "weights": "each block's matrices redrawn, mean 0 and each matrix's own deviation",
    }
    return Modelled(cases, {"part of the singular values above 25%, quartiles": quartiles}, setting)


def _measure(context: Context) -> dict[str, list[list[Fraction]]]:
    """By matrix the part of its gradient's singular values above 25% of the largest.

    With the model's own weights and with Gaussian ones, batch by batch.
    """
    from zotheory.model.gradients import layer_weights

    text = sentences(context, WORDS)
    found: dict[str, list[list[Fraction]]] = {"as trained": [], "Gaussian": []}
    for draw in range(DRAWS):
        batch = text[draw * BATCH_SIZE : (draw + 1) * BATCH_SIZE]
        with borrowed_model(context) as model:
            weights = layer_weights(model.model)
            context.tell(f"{context.claim}  gradients of batch {draw + 1} of {DRAWS}")
            found["as trained"].append(parts_above(model, batch, weights))
            redraw(model.model, weights, np.random.default_rng([context.seed, draw]))
            found["Gaussian"].append(parts_above(model, batch, weights))
    return found


def parts_above(
    model: LanguageModel, batch: Sequence[Example], weights: Sequence[Weight]
) -> list[Fraction]:
    """Singular values above the threshold over the smaller dimension, of each weight's gradient."""
    from zotheory.model.gradients import SpectrumQueue
    from zotheory.model.points import point

    gradients = point(model, batch, weights).gradients
    spectra: dict[str, np.ndarray] = {}
    with SpectrumQueue(spectra.__setitem__) as queue:
        for weight in weights:
            queue.put(weight.name, gradients.pop(weight.name))
    return [Fraction(threshold_rank(spectra[w.name], THRESHOLD), min(w.shape)) for w in weights]


def redraw(model: torch.nn.Module, weights: Sequence[Weight], rng: np.random.Generator) -> None:
    """Put independent Gaussian entries in place of each matrix, of the entries' own deviation."""
    import torch

    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for weight in weights:
            matrix = parameters[weight.name]
            drawn = torch.from_numpy(rng.standard_normal(weight.shape)) * matrix.double().std()
            matrix.copy_(drawn)


CLAIMS = (
    Claim(
        id="tezo.sec42.origin",
        where="Sec. 4.2 ('the low-rankness of the gradients originates from the low-rankness of "
        "the model parameters')",
        setting=Setting(
            "OPT and LLaMA models in fine-tuning",
            "SmolLM2-135M before fine-tuning, three batches, each with its own Gaussian weights",
        ),
        statement=Statement(
            "When each of the blocks' matrices of SmolLM2-135M is replaced by independent Gaussian "
            "entries of the same standard deviation (embeddings kept), the gradient of one batch "
            "of 16 review prompts (at most 10 words, label word over the whole vocabulary) has, in "
            "more than half of the 210 matrices, more singular values above 25% of the largest "
            "than a tenth of the smaller dimension.",
            sp.Gt(SHARE, sp.Rational(1, 2)),
            setting={"part": TENTH},
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(_origin, alike=True),),
        mutant=Statement(
            "The same with nine tenths of the smaller dimension.",
            sp.Gt(SHARE, sp.Rational(1, 2)),
            setting={"part": 9 * TENTH},
        ),
        correction=Statement(
            "It has so many in at most half of them: with Gaussian weights, too, most gradients "
            "are of low rank.",
            sp.Le(SHARE, sp.Rational(1, 2)),
            setting={"part": TENTH},
        ),
    ),
)
