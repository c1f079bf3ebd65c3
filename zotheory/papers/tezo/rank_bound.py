"""Eq. 6: the rank of a layer's gradient against the rank of the later weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain, pairwise, product
from typing import Any

import numpy as np
import sympy
import sympy as sp
from sympy.polys.matrices import DomainMatrix

from proofs_check.results import Proved
from proofs_check.steps import follows
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, conjuncts, refuted
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.searched import searched
from zotheory.search import Bound, Point, Problem, Sides, as_bound, search
from zotheory.search.problem import coded
from zotheory.statistics import ClopperPearson, decide_equal
from zotheory.vocabulary import (
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
    conjunction,
)

GRADIENT, PRODUCT, LEAST = sp.symbols(
    "gradient_rank product_rank min_rank", integer=True, nonnegative=True
)
PATTERNS, MASKED = sp.symbols("patterns masked_rank_sum", integer=True, nonnegative=True)
LINEAR_FACTS = (sp.Le(GRADIENT, PRODUCT), sp.Le(PRODUCT, LEAST))
FACTORISATION = (
    "X_L = P (W_l X + b) + const with P the product of the later weights: df = <D, P dW X> = "
    "<P^T D X^T, dW>, so df/dW_l = P^T (D X^T)",
    "rank(AB) <= min(rank A, rank B): the columns of AB are in the column space of A, its rows in "
    "the row space of B; hence rank(df/dW_l) <= rank P, and rank P <= rank of each of its factors",
)


def _exact_linear(statement: Statement, context: Context) -> Evidence:
    """Prove the relations from the factorisation; where that fails, look for exact networks."""
    relations = conjuncts(statement.formula)
    found = [follows(LINEAR_FACTS, relation) for relation in relations]
    if all(isinstance(result, Proved) for result in found):
        steps = [*FACTORISATION, *(step for result in found for step in result.steps)]
        return Evidence(Kind.EXACT, Verdict.PROVED, "from df/dW_l = P^T M", {}, {"steps": steps})
    return _violating_network(statement, context)


def _violating_network(statement: Statement, context: Context) -> Evidence:
    """An integer network whose ranks, computed over the rationals, violate the statement."""
    for relation in conjuncts(statement.formula):
        if relation.lhs != GRADIENT:
            continue
        outcome = search(relu_rank(relation.rhs, "linear"), context.seed, 2_000)
        if outcome.found:
            failed = Counterexample(outcome.point, claimed=outcome.rhs, actual=outcome.lhs)
            witness = partial(_witness, activation="linear", bound=relation.rhs)
            return refuted(statement, failed, relation, FACTORISATION, witness)
    return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, "neither derived nor violated")


def _witness(statement: Statement, failed: Counterexample, activation: str, bound: sp.Expr) -> str:
    return relu_rank_snippet(bound, dict(failed.inputs), activation)


def _problem(statement: Statement) -> Problem:
    return relu_rank(_search_bound(statement))


def _search_bound(statement: Statement) -> sp.Expr:
    """The least of all bounds that the formula puts on the gradient's rank."""
    return reduce(sp.Min, (relation.rhs for relation in conjuncts(statement.formula)))


def _searched_witness(statement: Statement, point: dict[str, Any]) -> str:
    return relu_rank_snippet(_search_bound(statement), point)


def _measure_linear(statement: Statement, _: Context) -> Sequence[Measurement]:
    slack = int((relation_bound(statement) - PRODUCT).subs(PRODUCT, 0))
    decide = partial(decide_equal, method=ClopperPearson(), target=0.0, tolerance=0.02, scale=1.0)
    sampler = LinearNetworkRanks(slack)
    return [Measurement("random low-rank networks", sampler, decide, 50, 64)]


def relation_bound(statement: Statement) -> sp.Expr:
    """What the statement says bounds the gradient's rank."""
    return next(r.rhs for r in conjuncts(statement.formula) if r.lhs == GRADIENT)


def _chain(*bounds: sp.Expr) -> sp.Basic:
    """gradient_rank <= first bound <= second bound."""
    return conjunction(*(sp.Le(a, b) for a, b in zip((GRADIENT, *bounds), bounds, strict=False)))


CLAIMS = (
    Claim(
        id="tezo.eq6.linear",
        where="Eq. 6",
        setting=Setting(
            "a cascade of layers with activation functions, any batch",
            "a deep linear network, where the paper's activation is the identity",
        ),
        statement=Statement(
            "For a deep linear network, rank(df/dW_l) <= rank(product of the later weights) <= the "
            "least of their ranks, for any batch.",
            _chain(PRODUCT, LEAST),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(Check(Kind.EXACT, _exact_linear), measured(_measure_linear)),
        mutant=Statement(
            "The same with rank(product of the later weights) - 1 in the middle.",
            _chain(PRODUCT - 1, LEAST),
        ),
    ),
    Claim(
        id="tezo.eq6.relu",
        where="Eq. 6",
        setting=Setting("a cascade of layers with activation functions, any batch"),
        statement=Statement(
            "The same for a network with ReLU between the layers, for any batch.",
            _chain(PRODUCT, LEAST),
        ),
        needs=(Kind.SEARCH,),
        checks=(searched(_problem, _searched_witness, share=0.1),),
        correction=Statement(
            "With ReLU, rank(df/dW_l) is at most the sum, over the batch's distinct activation "
            "patterns (layers l and later), of the rank of the masked product of the later "
            "weights, and at most (number of patterns) x (least rank).",
            conjunction(sp.Le(GRADIENT, MASKED), sp.Le(GRADIENT, PATTERNS * LEAST)),
        ),
    ),
)


# Ranks of gradients in random deep linear networks, in exact arithmetic over a prime field.
#
# Rank inequalities between products of matrices hold over every field, so arithmetic modulo a prime
# can neither hide nor invent a violation of them through rounding.


PRIME = 2_147_483_629  # below 2^31: products of residues fit into 64 bits


@dataclass(frozen=True)
class LinearNetworkRanks:
    """1 where a random network violates rank(df/dW_l) <= rank(later product) + slack <= least rank.

    Depth 2 to 5, widths 1 to 6, weights of random rank, batches of 1 to 8, any layer but the last.
    The gradient is backpropagated sample by sample, not formed from the product of the weights.
    """

    slack: int = 0

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values, 0.0 or 1.0."""
        return np.array([float(self._violated(rng)) for _ in range(size)])

    def _violated(self, rng: np.random.Generator) -> bool:
        depth, batch = int(rng.integers(2, 6)), int(rng.integers(1, 9))
        widths = rng.integers(1, 7, depth + 1)
        weights = [_low_rank(rng, rows, columns) for columns, rows in itertools.pairwise(widths)]
        layer = int(rng.integers(0, depth - 1))
        x = rng.integers(0, PRIME, (widths[0], batch))
        for weight in weights[:layer]:
            x = _product(weight, x)
        delta = rng.integers(0, PRIME, (widths[-1], batch))
        for weight in reversed(weights[layer + 1 :]):
            delta = _product(weight.T, delta)
        gradient = rank(_product(delta, x.T))
        later = weights[layer + 1 :]
        product = rank(reduce(lambda a, b: _product(b, a), later))
        return gradient > product + self.slack or product + self.slack > min(map(rank, later))


def _low_rank(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    r = int(rng.integers(1, min(rows, columns) + 1))
    return _product(rng.integers(0, PRIME, (rows, r)), rng.integers(0, PRIME, (r, columns)))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b modulo the prime; the sum is reduced term by term so that nothing overflows."""
    total = np.zeros((a.shape[0], b.shape[1]), dtype=np.int64)
    for k in range(a.shape[1]):
        total = (total + a[:, k, None] * b[None, k, :]) % PRIME
    return total


def rank(matrix: np.ndarray) -> int:
    """The rank modulo the prime, by Gaussian elimination."""
    rows = matrix.copy() % PRIME
    found = 0
    for column in range(rows.shape[1]):
        pivots = np.flatnonzero(rows[found:, column])
        if not len(pivots):
            continue
        rows[[found, found + pivots[0]]] = rows[[found + pivots[0], found]]
        rows[found] = rows[found] * pow(int(rows[found, column]), -1, PRIME) % PRIME
        below = rows[found + 1 :]
        below -= below[:, column, None] * rows[found] % PRIME
        below %= PRIME
        found += 1
        if found == rows.shape[0]:
            break
    return found


# Ranks of a weight's gradient in small ReLU networks, exactly (TeZO, Eq. 4 to 6).
#
# X_l = relu(W_l X_{l-1}) for l < L, X_L = W_L X_{L-1}; each column is a sample. The loss is
# f = <C, X_L>, so C stands for the derivative of any loss by the outputs. With p_b the pattern of
# active units of sample b in the layers l, ..., L - 1 and D the diagonal 0/1 matrices it names,
#     df/dW_l = sum_b M(p_b) c_b x_b^T,   M(p) = D_l W_{l+1}^T D_{l+1} W_{l+2}^T ... D_{L-1} W_L^T.
# Samples that share p share M(p), hence rank(df/dW_l) <= sum over distinct p of rank M(p), and each
# M(p) is a product that contains every later weight, hence of at most their least rank.


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
