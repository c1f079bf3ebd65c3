"""Table 15 on whole models: one direction over all matrices at once, the same rank on each.

On a linear loss with gradients G_i (m_i x n_i), i = 1..l, w_i = ||G_i||^2 / ||G||^2 and noises
Z_i that are independent, each with the law of A Z_i B for orthogonal A, B: the sign of one Z_i
turned, the rest as it is, E<G_i, Z_i><G_j, Z_j>/||Z||^2 vanishes, and

    E cos^2(G, Z) = sum_i w_i p_i / (m_i n_i),   p_i = E[||Z_i||^2 / ||Z||^2].

MeZO: p_i = m_i n_i / D, D = sum m_j n_j, so it is 1/D. SubZero with one rank: ||U_i S_i V_i^T|| =
||S_i||, r x r Gaussian for every i, so p_i = 1/l. Given the gradients the two numbers are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case, Quantity
from zotheory.evidence.modelled import (
    BATCH_SIZE,
    WORDS,
    Modelled,
    language_model,
    on_model,
    once,
    sentences,
)
from zotheory.vocabulary import Claim, Kind, Setting, Statement

SUBZERO, MEZO = sp.symbols("cos2_of_SubZero cos2_of_MeZO", positive=True)
LOSSES, SEEDS = ("vocabulary", "label_words"), (0, 1, 2)


@dataclass(frozen=True, eq=False)
class Norms:
    """Squared norms of the gradients of every matrix, by loss and batch; the matrices' sizes."""

    names: tuple[str, ...]
    sizes: np.ndarray
    squares: Mapping[tuple[str, int], np.ndarray]


def norms(context: Context) -> Norms:
    """The gradient of the mean prompt loss of 16 review sentences, for every loss and seed.

    Raises AssetMissing if the model or the text cannot be had, ModelError if a gradient is zero or
    not finite.
    """
    import torch

    from zotheory.model.gradients import layer_weights
    from zotheory.model.language_model import ModelError
    from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss

    found, text = language_model(context), sentences(context, WORDS)
    weights = layer_weights(found.model)
    parameters = dict(found.model.named_parameters())
    chosen = [parameters[weight.name] for weight in weights]
    words, squares = label_word_ids(found.tokenizer), {}
    for seed in SEEDS:
        picked = np.random.default_rng(seed).choice(len(text), min(BATCH_SIZE, len(text)), False)
        batch = make_batch(found.tokenizer, [text[i] for i in picked])
        for loss in LOSSES:
            context.tell(f"{context.claim}  gradients of batch {seed}, {loss}")
            value = prompt_loss(last_logits(found, batch), batch.labels, words, loss)
            gradients = torch.autograd.grad(value, chosen)
            row = np.array([float(g.double().square().sum()) for g in gradients])
            if not (np.isfinite(row).all() and row.sum() > 0):
                raise ModelError(f"the gradient of batch {seed} over the {loss} has no norm")
            squares[loss, seed] = row
    sizes = np.array([float(np.prod(weight.shape)) for weight in weights])
    return Norms(tuple(weight.name for weight in weights), sizes, squares)


def aligned(squares: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The terms w_i D/(l m_i n_i): E cos^2 of SubZero in units of MeZO's 1/D, matrix by matrix."""
    return squares / squares.sum() * sizes.sum() / (len(sizes) * sizes)


def _measure(_: Statement, context: Context) -> Modelled:
    study = once("svd0.whole gradients", context, norms)
    cases: list[Case] = []
    for (loss, seed), squares in study.squares.items():
        terms = aligned(squares, study.sizes)
        value = float(terms.sum())
        known = Quantity(value, value, value, terms, "np.sum(values)")
        at = f"loss over the {loss.replace('_', ' ')}, batch {seed}, in units of 1/D"
        cases.append(Case(at, {SUBZERO: known, MEZO: 1}))
    numbers = {case.at: _kinds(study, case.values[SUBZERO].values) for case in cases}
    told = f"{len(study.sizes)} matrices, {len(cases)} gradients of {BATCH_SIZE} prompts of at "
    return Modelled(cases, numbers, {"setting": f"{told}most {WORDS} words; exact given them"})


def _kinds(study: Norms, terms: np.ndarray) -> dict[str, float]:
    """The sum's parts by the kind of matrix."""
    kinds = [name.removesuffix(".weight").rsplit(".", 1)[-1] for name in study.names]
    return {
        kind: float(terms[[other == kind for other in kinds]].sum())
        for kind in dict.fromkeys(kinds)
    }


CLAIMS = (
    Claim(
        id="svd0.table15.whole_model",
        where="App. C, Table 15 (SubZero above MeZO)",
        statement=Statement(
            "With one direction over all matrices of a model at once and the same r = 24 on every "
            "matrix, SubZero's expected squared cosine with the true gradient of them all is "
            "larger than MeZO's. Model: SmolLM2-135M, its 210 attention and feed-forward weight "
            "matrices; the gradient of the mean prompt loss of 16 review sentences of at most 10 "
            "words; three batches (seeds 0, 1, 2), each with the loss over the whole vocabulary "
            "and over the label words alone; all six must agree.",
            sp.Gt(SUBZERO, MEZO),
        ),
        needs=(Kind.MODEL,),
        checks=(on_model(_measure, alike=True),),
        mutant=Statement(
            "It is more than ten times MeZO's.",
            sp.Gt(SUBZERO, 10 * MEZO),
        ),
        correction=Statement("It is at most MeZO's.", sp.Le(SUBZERO, MEZO)),
        setting=Setting(
            "OPT-1.3B on SST-2, along fine-tuning",
            "SmolLM2-135M on review sentences, at the pretrained weights",
        ),
    ),
)
