"""Noise on the value projections alone, on a language model: own.layers with measured gradients."""

from __future__ import annotations

from collections.abc import Mapping

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
from zotheory.vocabulary import AssetMissing, Claim, Kind, Setting, Statement

GAIN = sp.Symbol("E cos^2 of noise on the value projections / E cos^2 of noise on all matrices")
BATCHES = (0, 1, 2)
LOSSES = ("vocabulary", "label_words")
Norms = Mapping[str, tuple[int, float]]  # by a matrix's module: entries, sum of squared gradients


def gain(norms: Norms, module: str = "v_proj") -> tuple[float, float]:
    """(w, n): E cos^2 = w/(entries of the module), which is w n times that of noise on all.

    By own.layers, Gaussian noise on some matrices has p_i = (entries of i)/(all their entries):
    E cos^2 = (their part of ||g||^2)/(their entries). On all of them it is 1/(all entries).

    Raises ValueError if the model has no such module, or no gradient.
    """
    entries, squares = (sum(found) for found in zip(*norms.values(), strict=True))
    if module not in norms or not 0 < squares < float("inf"):
        raise ValueError(f"no {module} with gradients among {sorted(norms)}")
    own, part = norms[module]
    return part / squares, entries / own


def _gains(_: Statement, context: Context) -> Modelled:
    found = once("own.value projections", context, _norms)
    cases, numbers = [], {}
    for (batch, loss), norms in found.items():
        share, inverse = gain(norms)
        value = share * inverse
        data = np.array([share, inverse])  # of ||g||^2; all entries over theirs
        known = Quantity(value, value, value, data, "values[0] * values[1]")
        at = f"batch of seed {batch}, loss over the {loss.replace('_', ' ')}"
        cases.append(Case(at, {GAIN: known}))
        squares = sum(square for _, square in norms.values())
        numbers[at] = {
            "their part of ||g||^2": share,
            "all entries over theirs": inverse,
            "E cos^2 over that of all, by module": {m: np.prod(gain(norms, m)) for m in norms},
            "||g||": squares**0.5,
        }
    setting = {
        "setting": f"{BATCH_SIZE} review sentences of at most {WORDS} words a batch, pretrained "
        "weights, gradients by backpropagation"
    }
    return Modelled(cases, numbers, setting)


def _norms(context: Context) -> dict[tuple[int, str], Norms]:
    """Squared norms of the gradients of all decoder matrices, by module, batch and loss."""
    from zotheory.model.gradients import consumed_gradients, layer_weights
    from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss

    text = sentences(context, WORDS)
    if len(text) < BATCH_SIZE:
        raise AssetMissing(f"{BATCH_SIZE} sentences of at most {WORDS} words are needed")
    found: dict[tuple[int, str], Norms] = {}
    with borrowed_model(context) as model:
        weights = {weight.name: weight for weight in layer_weights(model.model)}
        words = label_word_ids(model.tokenizer)
        for seed in BATCHES:
            chosen = np.random.default_rng(seed).choice(len(text), BATCH_SIZE, replace=False)
            batch = make_batch(model.tokenizer, [text[i] for i in chosen])
            for loss in LOSSES:
                context.tell(f"{context.claim}  gradient of batch {seed}, loss over {loss}")
                norms: dict[str, tuple[int, float]] = {}

                def consume(name, _, gradient, norms=norms) -> None:
                    if name in weights:
                        module = weights[name].module
                        entries, square = norms.get(module, (0, 0.0))
                        square += float(gradient.double().square().sum())
                        norms[module] = (entries + gradient.numel(), square)

                with consumed_gradients(model.model, consume):
                    prompt_loss(last_logits(model, batch), batch.labels, words, loss).backward()
                found[seed, loss] = norms
    return found


CLAIMS = (
    Claim(
        id="own.layers.v_projections",
        where="ours, for own.layers, LeZO and S-MeZO",
        statement=Statement(
            "Gaussian noise on the value projections alone has at least 3 times the E cos^2, with "
            "the gradient of all matrices, of Gaussian noise on all of them. Model: SmolLM2-135M, "
            "its 210 attention and feed-forward weight matrices; the gradient of the mean prompt "
            "loss of 16 review sentences of at most 10 words; three batches (seeds 0, 1, 2), each "
            "with the loss over the whole vocabulary and over the label words alone; all six must "
            "agree.",
            sp.Ge(GAIN, 3),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(_gains, alike=True),),
        mutant=Statement(
            "It has at least 32 times that: all of the gradient would be theirs, of whose entries "
            "they are a 32nd.",
            sp.Ge(GAIN, 32),
        ),
        correction=Statement("It has less than 3 times that.", sp.Lt(GAIN, 3)),
        setting=Setting(paper="SmolLM2-135M at its pretrained weights, review prompts"),
    ),
)
