"""The gradient and the Hessian of a model's loss on one batch, by differentiating twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import Example

Tensors = Mapping[str, Tensor]  # one for each parameter, by its name


@dataclass(frozen=True, eq=False)
class Curved:
    """A loss at a model's weights: its value, its gradient g and products H v with its Hessian.

    The graph of the gradient is kept, so that the weights must not move meanwhile.
    """

    loss: float
    gradient: dict[str, Tensor]
    _parameters: tuple[Tensor, ...]
    _graph: tuple[Tensor, ...]

    def hessian(self, vector: Tensors) -> dict[str, Tensor]:
        """H v, exactly but for rounding."""
        along = [vector[name] for name in self.gradient]
        found = torch.autograd.grad(self._graph, self._parameters, along, retain_graph=True)
        return dict(zip(self.gradient, found, strict=True))


def curved(model: LanguageModel, text: Sequence[Example]) -> Curved:
    """The cross-entropy of the label words of `text` over the whole vocabulary, as one batch.

    Raises ModelError if the gradient is zero or not finite.
    """
    attention = model.model.config._attn_implementation
    named = dict(model.model.named_parameters())
    weights = next(iter(named.values()))
    batch = make_batch(model.tokenizer, text).to(weights.device, weights.dtype)
    model.model.set_attn_implementation("eager")  # fused attention has no second derivative
    try:
        logits = last_logits(model, batch)
    finally:
        model.model.set_attn_implementation(attention)
    loss = prompt_loss(logits, batch.labels, label_word_ids(model.tokenizer), "vocabulary")
    graph = torch.autograd.grad(loss, list(named.values()), create_graph=True)
    gradient = {name: part.detach() for name, part in zip(named, graph, strict=True)}
    norm2 = sum(inner(part, part) for part in gradient.values())
    if not 0 < norm2 < float("inf"):
        raise ModelError(f"the gradient has squared norm {norm2}")
    return Curved(float(loss.detach()), gradient, tuple(named.values()), graph)


def inner(one: Tensor, other: Tensor) -> float:
    """The inner product, summed in float64."""
    return float(torch.sum(one * other, dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class Reading:
    """What one vector v says of the Hessian, each an array over the tensors i.

    h is H v, and k_i is that with the part of v alone that is of the tensor's kind. For v of
    independent entries of mean 0 and variance 1 the means are

        trace    v_i^T k_i                          Tr H_ii
        diagonal (g_i^2 v_i)^T k_i                  sum over entries of g^2 times H's diagonal
        rows     <G_i G_i^T v_i, k_i>               the sums of `proofs_check.falls` by that name,
        columns  <v_i G_i^T G_i, k_i>               0 for a vector, which has noise of its own
        swapped  <G_i v_i^T G_i, k_i>

    and that of along_i h_along_j, from along <g_i, v_i> and h_along <g_j, h_j>, is g_i^T H_ij g_j.
    """

    trace: np.ndarray
    along: np.ndarray
    h_along: np.ndarray
    diagonal: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    swapped: np.ndarray


@dataclass(frozen=True, eq=False)
class Products:
    """A vector v with its products with the Hessian, see `Reading`: v, k and h."""

    vector: Tensors
    own: Tensors
    whole: Tensors

    def masked(self, mask: Tensors) -> Products:
        """Those on some entries alone."""
        return Products(*(on(mask, part) for part in (self.vector, self.own, self.whole)))


def products(loss: Curved, vector: Tensors) -> Products:
    """Two kinds of tensors, matrices and others: two products with the Hessian.

    Low-rank methods perturb matrices by another variance than vectors. If the two were not told
    apart, what H has between them would be noise of either.
    """
    kinds = [
        loss.hessian(
            {n: v if (v.ndim < 2) is one else torch.zeros_like(v) for n, v in vector.items()}
        )
        for one in (False, True)
    ]
    own = {name: kinds[part.ndim < 2][name] for name, part in vector.items()}
    return Products(vector, own, {name: kinds[0][name] + kinds[1][name] for name in vector})


def on(mask: Tensors, tensors: Tensors) -> dict[str, Tensor]:
    """The tensors on some of their entries, 0 elsewhere."""
    return {name: mask[name] * part for name, part in tensors.items()}


def read(gradient: Tensors, seen: Products, *, matrices: bool = True) -> Reading:
    """What a vector and its products with the Hessian say, for a gradient g.

    matrices: whether the sums that see matrices are taken; they cost more than the products.
    """
    found = []
    for name, g in gradient.items():
        v, k, h = seen.vector[name], seen.own[name], seen.whole[name]
        plain = inner(v, k), inner(g, v), inner(g, h), inner(g * g * v, k)
        sums = _sums(g, v, k) if matrices and g.ndim == 2 else (0.0, 0.0, 0.0)
        found.append((*plain, *sums))
    return Reading(*np.array(found).T)


def _sums(g: Tensor, v: Tensor, k: Tensor) -> tuple[float, float, float]:
    """Rows, columns and swapped, by the smaller products."""
    if g.shape[0] < g.shape[1]:  # rows of one are columns of its transpose
        columns, rows, swapped = _sums(g.T, v.T, k.T)
        return rows, columns, swapped
    x, y = g.T @ v, g.T @ k
    return inner(x, y), inner(v @ (g.T @ g), k), inner(x.T, y)
