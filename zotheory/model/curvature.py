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
    norm2 = _total(gradient, gradient)
    if not 0 < norm2 < float("inf"):
        raise ModelError(f"the gradient has squared norm {norm2}")
    return Curved(float(loss.detach()), gradient, tuple(named.values()), graph)


def inner(one: Tensor, other: Tensor) -> float:
    """The inner product, summed in float64."""
    return float(torch.sum(one * other, dtype=torch.float64))


def _total(one: Tensors, other: Tensors) -> float:
    """The inner product over all tensors."""
    return sum(inner(one[name], other[name]) for name in one)


@dataclass(frozen=True, eq=False)
class Reading:
    """What one vector v and the gradient say of the Hessian, each an array over the tensors i.

    Let h be the product of H with the part of v alone that is of the tensor's kind. For v of
    independent entries of mean 0 and variance 1 the means are

        trace    v_i^T h_i                          Tr H_ii
        diagonal (g_i^2 v_i)^T h_i                  sum over entries of g^2 times H's diagonal
        rows     <G_i G_i^T v_i, h_i>               the sums of `proofs_check.falls` by that name,
        columns  <v_i G_i^T G_i, h_i>               0 for a vector, which has noise of its own
        swapped  <G_i v_i^T G_i, h_i>

    Of vectors u_k with sum_k E u_k u_k^T = I there are along[k, i] = <g_i, (u_k)_i> and
    h_along[k, i] = <g_i, (H u_k)_i>: the mean of sum_k h_along[k, i] along[k, j] is g_i^T H_ij g_j.
    """

    trace: np.ndarray
    diagonal: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    swapped: np.ndarray
    along: np.ndarray
    h_along: np.ndarray

    def form(self, weights: np.ndarray) -> float:
        """An estimate of sum_ij weights_ij g_i^T H_ij g_j."""
        return float(np.einsum("ki,ij,kj->", self.h_along, weights, self.along))


@dataclass(frozen=True, eq=False)
class Products:
    """Vectors with their products with the Hessian.

    vector, own: v, and h of `Reading`. across: (u, H u) for the gradient of either kind of tensors
    at length 1, and for what is left of v across both: in sum_ij s_i s_j g_i^T H_ij g_j then
    nothing is random where s_i is one number on each kind.
    """

    vector: Tensors
    own: Tensors
    across: tuple[tuple[Tensors, Tensors], ...]

    def masked(self, mask: Tensors) -> Products:
        """Those on some entries alone."""
        pairs = tuple((on(mask, u), on(mask, product)) for u, product in self.across)
        return Products(on(mask, self.vector), on(mask, self.own), pairs)


def products(loss: Curved, vector: Tensors) -> Products:
    """Two kinds of tensors, matrices and others: two products of the Hessian for each.

    Low-rank methods perturb matrices by another variance than vectors. If the two were not told
    apart, what H has between them would be noise of either.
    """
    parts, gradients = _kinds(vector), [_unit(part) for part in _kinds(loss.gradient)]
    seen = [loss.hessian(part) for part in parts]
    own = {name: seen[part.ndim < 2][name] for name, part in vector.items()}
    across = [(unit, loss.hessian(unit)) for unit in gradients]
    rest: tuple[Tensors, Tensors]
    rest = vector, {name: seen[0][name] + seen[1][name] for name in vector}
    for unit, its in across:
        share = _total(unit, vector)
        rest = _less(rest[0], share, unit), _less(rest[1], share, its)
    return Products(vector, own, (*across, rest))


def _less(tensors: Tensors, share: float, others: Tensors) -> dict[str, Tensor]:
    return {name: part - share * others[name] for name, part in tensors.items()}


def _kinds(tensors: Tensors) -> tuple[dict[str, Tensor], ...]:
    """The matrices, and the others, with zeros in place of those of the other kind."""
    return tuple(
        {n: x if (x.ndim < 2) is flat else torch.zeros_like(x) for n, x in tensors.items()}
        for flat in (False, True)
    )


def _unit(vector: Tensors) -> dict[str, Tensor]:
    """The vector at length 1, or zero."""
    length = _total(vector, vector) ** 0.5
    return {name: part / (length or 1.0) for name, part in vector.items()}


def on(mask: Tensors, tensors: Tensors) -> dict[str, Tensor]:
    """The tensors on some of their entries, 0 elsewhere."""
    return {name: mask[name] * part for name, part in tensors.items()}


def read(gradient: Tensors, seen: Products, *, matrices: bool = True) -> Reading:
    """What vectors and their products with the Hessian say, for a gradient g.

    matrices: whether the sums that see matrices are taken; they cost more than the products.
    """
    found = []
    for name, g in gradient.items():
        v, h = seen.vector[name], seen.own[name]
        sums = _sums(g, v, h) if matrices and g.ndim == 2 else (0.0, 0.0, 0.0)
        found.append((inner(v, h), inner(g * g * v, h), *sums))
    along, h_along = (
        np.array(
            [[inner(g, pair[i][name]) for name, g in gradient.items()] for pair in seen.across]
        )
        for i in (0, 1)
    )
    trace, diagonal, rows, columns, swapped = np.array(found).T
    return Reading(trace, diagonal, rows, columns, swapped, along, h_along)


def _sums(g: Tensor, v: Tensor, h: Tensor) -> tuple[float, float, float]:
    """Rows, columns and swapped, by the smaller products."""
    if g.shape[0] < g.shape[1]:  # rows of one are columns of its transpose
        columns, rows, swapped = _sums(g.T, v.T, h.T)
        return rows, columns, swapped
    x, y = g.T @ v, g.T @ h
    return inner(x, y), inner(v @ (g.T @ g), h), inner(x.T, y)
