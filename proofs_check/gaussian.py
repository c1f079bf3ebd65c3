"""Expectations of products of Gaussian tensors with symbolic dimensions, by Wick pairings.

Isserlis/Wick: the expectation of a product of centred Gaussians is the sum over all perfect
pairings of the products of covariances. Entries of one tensor of iid N(0, 1) entries have
covariance ``E u[s,i] u[t,k] = [s = t][i = k]``, so pairing two entries identifies their indices
slot by slot; an index that occurs nowhere any more has been summed freely and leaves its
dimension. What remains at the end is a contraction of the fixed tensors.

The sum over pairings is a dynamic programme: the first Gaussian entry left is paired with every
possible partner, and equal diagrams (up to renaming, :mod:`proofs_check.contractions`) are merged
with their integer polynomials in the dimensions. E||Z||^6 for a CP-factored Z has 15^3 pairings
but a few dozen diagrams.

    >>> m, n, r = sp.symbols("m n r", integer=True, positive=True)
    >>> tau, u, v, G = Gaussian("tau"), Gaussian("u"), Gaussian("v"), Fixed("G")
    >>> def Z(i, j):
    ...     s = Index("s", r)
    ...     return tau[s], u[s, i], v[s, j]
    >>> (i, k, a), (j, l, b) = [Index(x, m) for x in "ika"], [Index(x, n) for x in "jlb"]
    >>> expect(G[i, j], Z(i, j), G[k, l], Z(k, l))
    r*||G||^2
    >>> sp.factor(expect(Z(a, b), Z(a, b)))
    m*n*r
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import sympy as sp

from proofs_check import contractions
from proofs_check.contractions import Diagram, canonical, components, relabel
from proofs_check.tensors import Factor, Fixed, Gaussian, Index, Product, TensorSum, as_sum

__all__ = [
    "Derivation",
    "Fixed",
    "Gaussian",
    "Index",
    "TensorSum",
    "contraction",
    "derive",
    "expect",
    "pairings",
]

Monomial = tuple[int, ...]  # exponents of the dimensions, in the order of the problem's sizes
Polynomial = dict[Monomial, int]
Distinct = Sequence[tuple[Index, Index]]


@dataclass(frozen=True)
class Derivation:
    """A value and the readable steps that lead to it."""

    value: sp.Expr
    steps: tuple[str, ...]


def expect(*product: Product, distinct: Distinct = ()) -> sp.Expr:
    """The expectation of a product of entries (or of sums of such products), all indices summed.

    ``product``: entries, sums, numbers, SymPy expressions, or (nested) tuples of them.
    ``distinct``: pairs of indices whose sums run over different values only. Returns a SymPy
    polynomial in the dimensions, the terms' coefficients and the symbols of :func:`contraction`.
    Raises ValueError if one tensor is used with different ranks or dimensions, or if an index of
    ``distinct`` is missing from a term.
    """
    return derive(*product, distinct=distinct).value


def contraction(*product: Product, distinct: Distinct = ()) -> sp.Expr:
    """The contraction of fixed tensors as it appears in results, e.g. the symbol ``||G||^2``."""
    total = as_sum(product)
    if any(isinstance(f.tensor, Gaussian) for _, factors in total.terms for f in factors):
        raise ValueError("a contraction has fixed tensors only; use expect for Gaussian ones")
    return expect(total, distinct=distinct)


def derive(*product: Product, distinct: Distinct = ()) -> Derivation:
    """:func:`expect` with its derivation: pairings, the classes they fall into, and the sum."""
    total = as_sum(product)
    problem = _Problem(total)
    groups: dict[Diagram, sp.Expr] = defaultdict(lambda: sp.S.Zero)
    for coefficient, factors in total.terms:
        for diagram, sign in problem.diagrams(factors, distinct).items():
            groups[diagram] += sign * coefficient
    value, steps = sp.S.Zero, []
    for start, coefficient in groups.items():
        coefficient = sp.expand(coefficient)
        if coefficient == 0:
            continue
        classes = problem.classes(start)
        part = sp.Add(*[count * weight for weight, count in classes.items()])
        value += coefficient * part
        steps.append(problem.describe(start, coefficient, classes))
    value = sp.expand(value)
    steps.append(f"Sum: {value}")
    return Derivation(value, tuple(steps))


def pairings(*product: Product) -> int:
    """How many Wick pairings a single product has: (2k-1)!! for every tensor with 2k entries."""
    ((_, factors),) = as_sum(product).terms
    families = Counter(f.tensor for f in factors if isinstance(f.tensor, Gaussian))
    return prod(_double_factorial(k) for k in families.values())


def _double_factorial(k: int) -> int:
    return 0 if k % 2 else prod(range(k - 1, 0, -2))


class _Problem:
    """The tensors and dimensions of one call, numbered; Gaussian tensors come first."""

    def __init__(self, total: TensorSum) -> None:
        shapes: dict[Gaussian | Fixed, tuple[sp.Expr, ...]] = {}
        for factor in (f for _, factors in total.terms for f in factors):
            _check_shape(factor, shapes)
        tensors = sorted(shapes, key=lambda t: (isinstance(t, Fixed), t.name))
        if len({t.name for t in tensors}) < len(tensors):
            raise ValueError(f"two different tensors share a name: {[t.name for t in tensors]}")
        self.number = {t: k for k, t in enumerate(tensors)}
        self.names = {k: t.name for t, k in self.number.items()}
        self.gaussians = sum(isinstance(t, Gaussian) for t in tensors)
        self.symmetric = frozenset(
            k for t, k in self.number.items() if isinstance(t, Fixed) and t.symmetric
        )
        self.sizes = sorted({i.dimension for i in total.indices()}, key=str)

    def diagrams(self, factors: Iterable[Factor], distinct: Distinct) -> dict[Diagram, int]:
        """The term as a signed sum of diagrams: inclusion-exclusion over the distinct pairs.

        sum over s != t is (sum over s, t) minus (sum over s = t); pairs one after the other,
        with equal results collected, so that k mutually distinct indices cost at most the
        number of partitions of k.
        """
        factors = list(factors)
        order = {i: k for k, i in enumerate(dict.fromkeys(i for f in factors for i in f.indices))}
        sizes = {k: self.sizes.index(i.dimension) for i, k in order.items()}
        signs: Counter[frozenset[frozenset[int]]] = Counter({frozenset(): 1})
        for a, b in distinct:
            if not {a, b} <= set(order):
                raise ValueError(f"distinct indices {a}, {b} must both occur in every term")
            if a.dimension != b.dimension:
                raise ValueError(f"distinct indices {a}, {b} must have the same dimension")
            signs = _exclude(signs, order[a], order[b])
        result: Counter[Diagram] = Counter()
        for partition, sign in signs.items():
            to = {i: min(block) for block in partition for i in block}
            entries = [
                (self.number[f.tensor], tuple(to.get(order[i], order[i]) for i in f.indices))
                for f in factors
            ]
            result[relabel(entries, sizes, self.symmetric)] += sign
        return {diagram: sign for diagram, sign in result.items() if sign}

    def classes(self, start: Diagram) -> dict[sp.Expr, int]:
        """{product of dimensions and contractions: number of pairings that give it}."""
        layer: dict[Diagram, Polynomial] = {start: {(0,) * len(self.sizes): 1}}
        families = Counter(t for t, _ in start[0] if t < self.gaussians)
        if any(k % 2 for k in families.values()):
            return {}
        for _ in range(sum(families.values()) // 2):
            after: dict[Diagram, Polynomial] = defaultdict(lambda: defaultdict(int))
            for diagram, polynomial in layer.items():
                for reduced, freed, count in self._pair_first(diagram):
                    _add_shifted(after[reduced], polynomial, freed, count)
            layer = after
        result: dict[sp.Expr, int] = defaultdict(int)
        for diagram, polynomial in layer.items():
            weight = self._contraction(diagram)
            for exponents, count in polynomial.items():
                sizes = sp.Mul(*[d**e for d, e in zip(self.sizes, exponents, strict=True)])
                result[sizes * weight] += count
        # No pairing may be lost or counted twice; an engine that breaks this must not answer.
        expected = prod(_double_factorial(k) for k in families.values())
        if sum(result.values()) != expected:
            raise AssertionError(f"{sum(result.values())} pairings counted, {expected} exist")
        return dict(result)

    def _pair_first(self, diagram: Diagram) -> Iterable[tuple[Diagram, Monomial, int]]:
        """Pair the first entry with each partner: (what is left, sizes freed, multiplicity)."""
        factors, sizes = diagram
        tensor, indices = factors[0]
        partners = Counter(f for f in factors[1:] if f[0] == tensor)
        for partner, count in partners.items():
            to = _identify(indices, partner[1], len(sizes))
            rest = list(factors[1:])
            rest.remove(partner)
            rest = [(t, tuple(to[i] for i in ix)) for t, ix in rest]
            alive = {i for _, ix in rest for i in ix}
            freed = [0] * len(self.sizes)
            for i in set(to) - alive:
                freed[sizes[i]] += 1
            yield relabel(rest, dict(enumerate(sizes)), self.symmetric), tuple(freed), count

    def _contraction(self, diagram: Diagram) -> sp.Expr:
        factors, sizes = diagram
        symbols = []
        for part in components(factors):
            exact, ranges = canonical(part, dict(enumerate(sizes)), self.symmetric)
            dimensions = [self.sizes[k] for k in ranges]
            symbols.append(contractions.symbol(exact, self.names, self.symmetric, dimensions))
        return sp.Mul(*symbols)

    def describe(self, start: Diagram, coefficient: sp.Expr, classes: dict[sp.Expr, int]) -> str:
        """One step of the derivation: the product, its pairings and the classes they fall into."""
        families = Counter(t for t, _ in start[0] if t < self.gaussians)
        ways = " ".join(f"{self.names[t]}: {_double_factorial(k)}" for t, k in families.items())
        found = " + ".join(
            f"{count} x {weight}" for weight, count in sorted(classes.items(), key=str)
        )
        return (
            f"({coefficient}) * E[{contractions.written_out(start[0], self.names)}]: "
            f"{sum(classes.values())} pairings ({ways or 'nothing to pair'}) give {found or 0}"
        )


def _exclude(
    signs: Counter[frozenset[frozenset[int]]], a: int, b: int
) -> Counter[frozenset[frozenset[int]]]:
    """Signed sums over identified indices, times [a != b] = 1 - [a = b]."""
    after: Counter[frozenset[frozenset[int]]] = Counter()
    for partition, sign in signs.items():
        touching = [block for block in partition if a in block or b in block]
        block = frozenset({a, b}).union(*touching)
        if a != b and block not in partition:  # otherwise a = b already: both parts cancel
            after[partition] += sign
            after[(partition - set(touching)) | {block}] -= sign
    return after


def _check_shape(factor: Factor, shapes: dict[Gaussian | Fixed, tuple[sp.Expr, ...]]) -> None:
    shape = tuple(i.dimension for i in factor.indices)
    if shapes.setdefault(factor.tensor, shape) != shape:
        known = shapes[factor.tensor]
        raise ValueError(f"{factor.tensor.name} used with shapes {known} and {shape}")
    if isinstance(factor.tensor, Fixed) and factor.tensor.symmetric and len(set(shape)) > 1:
        raise ValueError(f"symmetric tensor {factor.tensor.name} with unequal dimensions {shape}")


def _identify(first: tuple[int, ...], second: tuple[int, ...], count: int) -> list[int]:
    """For each of ``count`` indices its representative after first[k] = second[k] for every k."""
    to = list(range(count))
    for a, b in zip(first, second, strict=True):
        old, new = to[a], to[b]
        if old != new:
            to = [new if x == old else x for x in to]
    return to


def _add_shifted(target: Polynomial, source: Polynomial, shift: Monomial, count: int) -> None:
    for exponents, coefficient in source.items():
        key = tuple(a + b for a, b in zip(exponents, shift, strict=True))
        target[key] += coefficient * count
