"""Lemma 13: exchanges and negations of entries, before and after Gram-Schmidt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import mpmath
import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import N, R
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.searched import searched
from zotheory.evidence.snippets import inputs
from zotheory.papers.svd0.frames import (
    FITS,
    K,
    gram_schmidt,
    haar_steps,
    measure_columns,
    outer_product,
)
from zotheory.search import Point, Problem, Sides
from zotheory.statistics import Bernstein, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

MOVED = sp.Symbol("||u_k of the moved columns - the moved u_k||^2")
ALONE = "a_k alone"
SWAP, FLIP = sp.Matrix([[0, 1], [1, 0]]), sp.diag(-1, 1)
SQUARE, PRODUCT = sp.symbols("E[u_ki^2/||u_k||^2] E[u_ki*u_kj/||u_k||^2]", real=True)
CHANGE = sp.Symbol("E f(moved) - E f")


def _moved(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """At n = k = 2, in symbols; moving all columns by one orthogonal map is general."""
    alone = statement.setting[ALONE]
    a = sp.Matrix(2, 2, lambda i, j: sp.Symbol(f"a{i + 1}{j + 1}", positive=True))
    total = sp.S.Zero
    for move in (SWAP, FLIP):
        changed = sp.Matrix.hstack(a[:, 0] if alone else move * a[:, 0], move * a[:, 1])
        difference = gram_schmidt(changed)[1] - move * gram_schmidt(a)[1]
        total += sum(x**2 for x in difference)
    total = sp.cancel(sp.together(total))
    which = "a_k alone is moved" if alone else "a_1..a_k are moved"
    steps = (
        f"n = k = 2, {which}: the squared distances, of an exchange and of a negation, add up to "
        f"{sp.factor(total)}",
        *(() if alone else haar_steps()),
    )
    return {MOVED: Derivation(total, steps)}


def _moved_witness(statement: Statement, failed: Counterexample) -> str:
    values = {"a11": 1, "a21": 2, **failed.inputs}  # a_1 drops out of the sum
    return f"""import numpy as np

{inputs(values)}
a = np.array([[a11, a12], [a21, a22]], dtype=float)

def u2(a):
    first = a[:, 0] / np.linalg.norm(a[:, 0])
    return a[:, 1] - (a[:, 1] @ first) * first

total = 0.0
for move in (np.array([[0, 1], [1, 0]]), np.diag([-1, 1])):
    changed = np.column_stack([a[:, 0], move @ a[:, 1]])  # a_2 alone
    total += np.sum((u2(changed) - move @ u2(a)) ** 2)
print("claimed", 0.0)
print("actual", total)
"""


def _moved_problem(statement: Statement) -> Problem:
    """1 + the squared distance <= 1, on integer matrices 3 x 2 and an exchange of two entries."""
    alone = statement.setting[ALONE]

    def candidates(seed: int) -> Iterator[Point]:
        rng = np.random.default_rng(seed)
        while True:
            yield {f"a{i}{j}": int(rng.integers(-3, 4)) for i in range(3) for j in range(2)}

    def sides(point: Point) -> Sides:
        return Sides(1 + float(_distance(point, alone)), 1.0, 1e-9)

    def recheck(point: Point, digits: int) -> Sides:
        found = _distance(point, alone)
        return Sides(1 + mpmath.mpf(found.p) / found.q, mpmath.mpf(1), mpmath.mpf(10) ** -digits)

    return Problem("exchanged entries", sides, recheck, candidates=candidates)


def _distance(point: Point, alone: bool) -> sp.Rational:
    a = sp.Matrix(3, 2, lambda i, j: point[f"a{i}{j}"])
    if not any(a[:, 0]):
        return sp.Rational(0)  # u_2 is not defined
    move = sp.eye(3).permute_rows([[0, 1]])
    changed = sp.Matrix.hstack(a[:, 0] if alone else move * a[:, 0], move * a[:, 1])
    difference = gram_schmidt(changed)[1] - move * gram_schmidt(a)[1]
    return sp.Rational(sum(x**2 for x in difference))


def _search_witness(_: Statement, point: dict) -> str:
    rows = [[point[f"a{i}{j}"] for j in range(2)] for i in range(3)]
    return f"""import numpy as np

a = np.array({rows}, dtype=float)

def u2(a):
    return a[:, 1] - (a[:, 1] @ a[:, 0]) / (a[:, 0] @ a[:, 0]) * a[:, 0]

changed = np.column_stack([a[:, 0], a[[1, 0, 2], 1]])
print("claimed", 1.0)
print("actual", 1 + float(np.sum((u2(changed) - u2(a)[[1, 0, 2]]) ** 2)))
"""


def _rest(_: Statement) -> Mapping[sp.Expr, Derivation]:
    diagonal, off = outer_product(sp.S.One, N)
    for move in (SWAP, FLIP):
        if move * move.T != sp.eye(2):
            raise ArithmeticError(f"{move} is not orthogonal")
    step = (
        "a_k moved by an exchange or a negation has the law of a_k (its covariance O O^T is I), "
        "and the other columns are independent of it: A, and with it (A, U, E), has the same law"
    )
    return {
        CHANGE: Derivation(sp.S.Zero, (step,)),
        SQUARE: Derivation(diagonal.value, ("u_k/||u_k|| = e_k", *diagonal.steps)),
        PRODUCT: off,
    }


@dataclass(frozen=True)
class MovedIndicators:
    """f(A) - f(A with two entries of a_k exchanged), and the same with one negated, in columns.

    f: whether u_k's first entry exceeds both its second one and a_1's. n x r, k = r.
    """

    n: int
    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [-1, 1]."""
        a = rng.standard_normal((size, self.n, self.r))
        swapped, negated = a.copy(), a.copy()
        swapped[:, [0, 1], -1] = swapped[:, [1, 0], -1]
        negated[:, 0, -1] *= -1
        return np.stack([self._f(a) - self._f(moved) for moved in (swapped, negated)], axis=1)

    def _f(self, a: np.ndarray) -> np.ndarray:
        q, r = np.linalg.qr(a)
        u = q[:, :, -1] * r[:, -1:, -1]
        return ((u[:, 0] > u[:, 1]) & (u[:, 0] > a[:, 0, 0])).astype(float)


def _measure_rest(statement: Statement, context: Context) -> Sequence[Measurement]:
    """(1) by a function of A and U; (4) and (5) by all entries of e_k e_k^T."""
    (square,) = (x for x in statement.formula.args if x.has(SQUARE))
    entries = Statement(statement.says, conjunction(square, sp.Eq(PRODUCT, 0)), statement.domain)
    decide = partial(
        decide_equal, method=Bernstein(-1.0, 1.0), target=0.0, tolerance=0.05, scale=1.0
    )
    change = Measurement("n=4 r=3: f of A and U", MovedIndicators(4, 3), decide, 1_000, 64)
    return [*measure_columns(entries, context), change]


def _rest_statement(says: str, square: sp.Expr) -> Statement:
    formula = conjunction(sp.Eq(SQUARE, square), sp.Eq(PRODUCT, 0), sp.Eq(CHANGE, 0))
    return Statement(says, formula, (sp.Le(K, R, evaluate=False), *FITS))


CLAIMS = (
    Claim(
        id="svd0.lemma13.single_swap",
        where="Lemma 13 (2), (3)",
        setting=Setting("a step of the proof, Gaussian columns a_1 .. a_k"),
        statement=Statement(
            "For every k >= 1, exchanging (or negating) entries of a_k alone, all other columns "
            "unchanged, exchanges (or negates) the same entries of u_k and e_k.",
            sp.Eq(MOVED, 0),
            setting={ALONE: True},
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_moved, _moved_witness), searched(_moved_problem, _search_witness, 0.05)),
        correction=Statement(
            "It does where the same entries of all of a_1..a_k are exchanged (or negated), for "
            "Gram-Schmidt commutes with orthogonal maps of all columns; of a_k alone only at k = "
            "1. Lemmas 13 (4), (5) and 14 to 16 follow by moving all columns.",
            sp.Eq(MOVED, 0),
            setting={ALONE: False},
        ),
    ),
    Claim(
        id="svd0.lemma13.rest",
        where="Lemma 13 (1), (4), (5)",
        setting=Setting("Gaussian matrices and their Gram-Schmidt columns"),
        statement=_rest_statement(
            "E f(A, U, E) is unchanged by the exchange or negation of entries of one a_k; "
            "E([u_k]_i^2/||u_k||^2) = 1/n; E([u_k]_i [u_k]_j/||u_k||^2) = 0 for i != j; for all 1 "
            "<= k <= r <= n.",
            1 / N,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_rest), measured(_measure_rest)),
        mutant=_rest_statement(
            "The same with 1/(n-k+1), the dimensions that e_1..e_(k-1) leave.", 1 / (N - K + 1)
        ),
    ),
)
