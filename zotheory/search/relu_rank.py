"""Ranks of a weight's gradient in small ReLU networks, exactly (TeZO, Eq. 4 to 6).

X_l = relu(W_l X_{l-1}) for l < L, X_L = W_L X_{L-1}; each column is a sample. The loss is
f = <C, X_L>, so C stands for the derivative of any loss by the outputs. With p_b the pattern of
active units of sample b in the layers l, ..., L - 1 and D the diagonal 0/1 matrices it names,
    df/dW_l = sum_b M(p_b) c_b x_b^T,   M(p) = D_l W_{l+1}^T D_{l+1} W_{l+2}^T ... D_{L-1} W_L^T.
Samples that share p share M(p), hence rank(df/dW_l) <= sum over distinct p of rank M(p), and each
M(p) is a product that contains every later weight, hence of at most their least rank.
"""

from collections.abc import Iterator
from functools import partial, reduce
from itertools import chain, pairwise, product

import numpy as np
import sympy
from sympy.polys.matrices import DomainMatrix

from zotheory.search.problem import Bound, Point, Problem, Sides, as_bound, coded

Matrix = tuple[tuple[int, ...], ...]


def relu_rank(bound: sympy.Expr | Bound, activation: str = "relu") -> Problem:
    """rank(df/dW_l) <= bound for every network, batch and hidden layer l (Eq. 6).

    The bound's symbols: product_rank (of W_L ... W_{l+1}), min_rank (the least of their ranks),
    patterns (distinct activation patterns in the batch), masked_rank_sum (the sum over these of
    rank M(p)), batch. activation "relu" or "linear" (one pattern, all units active).

    A point has weights (W_1, ..., W_L), inputs X_0, cotangent C and layer l, integers throughout.
    A network with a pre-activation at the kink 0 has no gradient there and says nothing.
    Raises ValueError for another activation.
    """
    if activation not in ("relu", "linear"):
        raise ValueError(f'activation must be "relu" or "linear", got {activation!r}')
    relu = activation == "relu"
    return Problem(
        name=f"TeZO Eq. 6, {activation}",
        sides=partial(_float_sides, as_bound(bound), relu),
        recheck=partial(_exact_sides, as_bound(bound), relu),
        candidates=_candidates,
    )


# In floats


def _float_sides(bound: Bound, relu: bool, point: Point) -> Sides:
    """Batched backpropagation in NumPy and numerical ranks."""
    weights = [np.array(w) for w in point["weights"]]
    layer, x, active, activations = point["layer"], np.array(point["inputs"]), [], []
    for w in weights[:-1]:
        activations.append(x)
        x = w @ x
        if relu and np.any(x == 0):
            return Sides(float("nan"), 0.0)
        active.append(x > 0 if relu else np.ones_like(x, dtype=bool))
        x = x * active[-1]
    back = np.array(point["cotangent"])
    for w, mask in zip(reversed(weights[layer:]), reversed(active[layer - 1 :]), strict=True):
        back = (w.T @ back) * mask
    gradient = back @ activations[layer - 1].T
    patterns = {tuple(p) for p in np.concatenate(active[layer - 1 :]).T.tolist()}
    later = weights[layer:]
    facts = {
        "product_rank": _float_rank(reduce(np.matmul, later[::-1])),
        "min_rank": min(map(_float_rank, later)),
        "patterns": len(patterns),
        "masked_rank_sum": sum(_float_rank(_masked_product(later, p)) for p in patterns),
        "batch": back.shape[1],
    }
    return Sides(float(_float_rank(gradient)), bound(**facts))


def _float_rank(matrix: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(matrix))


def _masked_product(later: list[np.ndarray], pattern: tuple[bool, ...]) -> np.ndarray:
    """M(p) for the weights after layer l and the pattern of layers l, ..., L - 1, concatenated."""
    total, start = None, 0
    for w in later:
        mask = np.array(pattern[start : start + w.shape[1]])[:, None]
        start += w.shape[1]
        total = mask * w.T if total is None else total @ (mask * w.T)
    return total


# Exactly, sample by sample, in Python integers


def gradient_of_layer(point: Point, relu: bool = True) -> tuple[Matrix, list[tuple[bool, ...]]]:
    """df/dW_l in exact integers, and each sample's pattern in the layers l, ..., L - 1.

    Raises ValueError where a pre-activation is 0 (no gradient there).
    """
    weights, layer = point["weights"], point["layer"]
    rows, columns = len(weights[layer - 1]), len(weights[layer - 1][0])
    total = [[0] * columns for _ in range(rows)]
    patterns = []
    for x, c in zip(_columns(point["inputs"]), _columns(point["cotangent"]), strict=True):
        masks, activations = [], []
        for w in weights[:-1]:
            activations.append(x)
            a = _apply(w, x)
            if relu and 0 in a:
                raise ValueError("a pre-activation is 0: the network has no gradient there")
            masks.append([not relu or v > 0 for v in a])
            x = [v if on else 0 for v, on in zip(a, masks[-1], strict=True)]
        for w, mask in zip(reversed(weights[layer:]), reversed(masks[layer - 1 :]), strict=True):
            c = [v if on else 0 for v, on in zip(_apply(_columns(w), c), mask, strict=True)]
        for i, j in product(range(rows), range(columns)):
            total[i][j] += c[i] * activations[layer - 1][j]
        patterns.append(tuple(chain.from_iterable(masks[layer - 1 :])))
    return tuple(map(tuple, total)), patterns


def _columns(matrix: Matrix) -> list[tuple[int, ...]]:
    return list(zip(*matrix, strict=True))


def _apply(matrix: Matrix, x: list[int]) -> list[int]:
    return [sum(a * b for a, b in zip(row, x, strict=True)) for row in matrix]


def _exact_sides(bound: Bound, relu: bool, point: Point, digits: int) -> Sides:
    """Exact ranks over the rationals; `digits` has no effect."""
    try:
        gradient, patterns = gradient_of_layer(point, relu)
    except ValueError:
        return Sides(float("nan"), 0.0)
    later = [sympy.Matrix(w) for w in point["weights"][point["layer"] :]]
    masked = 0
    for pattern in set(patterns):
        start, total = 0, sympy.eye(later[0].cols)
        for w in later:
            total = total * sympy.diag(*map(int, pattern[start : start + w.cols])) * w.T
            start += w.cols
        masked += exact_rank(total)
    facts = {
        "product_rank": exact_rank(reduce(lambda a, b: b * a, later)),
        "min_rank": min(map(exact_rank, later)),
        "patterns": len(set(patterns)),
        "masked_rank_sum": masked,
        "batch": len(patterns),
    }
    return Sides(float(exact_rank(sympy.Matrix(gradient))), bound(**facts))


def exact_rank(matrix: sympy.Matrix) -> int:
    """The rank over the rationals."""
    return DomainMatrix.from_Matrix(matrix).to_field().rank()


# Candidates


def _candidates(seed: int) -> Iterator[Point]:
    """Small systematic cases and random ones in turn; without end."""
    random = _random_points(np.random.default_rng(seed))
    for small in _systematic_points():
        yield small
        yield next(random)
    yield from random


def _systematic_points() -> Iterator[Point]:
    """Two layers, W_1 = I, two inputs, one output, two samples: all small integers."""
    entries = (1, -1, 2, -2)
    for w, c in product(product((1, -1), repeat=2), repeat=2):
        for a, b, p, q in product(entries, repeat=4):
            yield {
                "weights": (((1, 0), (0, 1)), (w,)),
                "inputs": ((a, b), (p, q)),
                "cotangent": (c,),
                "layer": 1,
            }


def _random_points(rng: np.random.Generator) -> Iterator[Point]:
    """Two to four layers of width one to four, one to five samples, often of low rank."""
    while True:
        depth, batch = int(rng.integers(2, 5)), int(rng.integers(1, 6))
        widths = rng.integers(1, 5, size=depth + 1)
        yield {
            "weights": tuple(_random_matrix(rng, b, a) for a, b in pairwise(widths)),
            "inputs": _as_tuple(rng.integers(-3, 4, size=(widths[0], batch))),
            "cotangent": _as_tuple(rng.integers(-3, 4, size=(widths[-1], batch))),
            "layer": int(rng.integers(1, depth)),
        }


def _random_matrix(rng: np.random.Generator, rows: int, columns: int) -> Matrix:
    if rng.random() < 0.5:
        return _as_tuple(rng.integers(-3, 4, size=(rows, columns)))
    rank = int(rng.integers(1, min(rows, columns) + 1))
    return _as_tuple(
        rng.integers(-2, 3, size=(rows, rank)) @ rng.integers(-2, 3, size=(rank, columns))
    )


def _as_tuple(matrix: np.ndarray) -> Matrix:
    return tuple(tuple(int(v) for v in row) for row in matrix)


_RELU = """\
# X_l = {name}(W_l X_(l-1)) below the last layer, f = <C, X_L>; a column is a sample.
# df/dW_l = sum over samples of M c x^T with M = D_l W_(l+1)^T D_(l+1) ... W_L^T, D the 0/1 masks.
import math
import numpy as np

weights = {weights}
inputs = np.array({inputs})
cotangent = np.array({cotangent})
layer = {layer}

weights = [np.array(w) for w in weights]
rank = lambda matrix: int(np.linalg.matrix_rank(matrix))
gradient, ranks = 0, {{}}
for x, c in zip(inputs.T, cotangent.T):
    layer_input, chain, pattern = None, None, ()
    for number, w in enumerate(weights, start=1):
        if number > layer:
            chain = chain @ w.T
        if number == layer:
            layer_input, chain = x, np.eye(len(w))
        x = w @ x
        if number < len(weights):
            assert np.all(x != 0), "not differentiable here"
            mask = {mask}
            x = x * mask
            if number >= layer:
                chain = chain * mask
                pattern += tuple(mask)
    gradient = gradient + np.outer(chain @ c, layer_input)
    ranks[pattern] = rank(chain)
later = weights[layer:]
product = later[0]
for w in later[1:]:
    product = w @ product
product_rank, min_rank = rank(product), min(map(rank, later))
patterns, masked_rank_sum, batch = len(ranks), sum(ranks.values()), inputs.shape[1]

print("gradient of W_%d:" % layer, gradient.tolist())
print("claimed bound on its rank:", {bound})
print("actual rank:", rank(gradient))
"""


def relu_rank_snippet(bound: sympy.Expr | Bound, point: Point, activation: str = "relu") -> str:
    """The code that prints Eq. 6's bound and the actual rank of the gradient at a search point."""
    relu = activation == "relu"
    return _RELU.format(
        name="relu" if relu else "",
        mask="(x > 0).astype(int)" if relu else "np.ones(len(x), dtype=int)",
        bound=coded(bound),
        **point,
    )
