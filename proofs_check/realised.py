"""Contractions of fixed tensors as what they are: values that some tensors have.

Two things follow. What is true of every value they can have may be used in a proof: a contraction
<A, B>, cut in two by the indices that both parts share, has <A, B>^2 <= <A, A> <B, B>. And what
refutes a statement is a tensor, not a number for a name: :func:`violation` looks for one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import combinations, product
from math import prod
from typing import TypeAlias

import sympy as sp

from proofs_check import contractions
from proofs_check.contractions import Contraction, Entry, canonical, components
from proofs_check.results import Point

Entries = tuple[tuple[str, bool, tuple[int, ...]], ...]
Tensor = dict[tuple[int, ...], Fraction]  # the entries that are not 0
Nested: TypeAlias = "sp.Rational | list[Nested]"  # rows of rows of numbers
Shapes = dict[str, tuple[tuple[sp.Expr, ...], bool]]

_MOST_FACTORS = 6
_TRIALS = 400
_BLOCK = 3  # random tensors are 0 outside a corner of this size
_MOST_FACTS = 24


def tensors(symbols: Iterable[sp.Symbol]) -> Shapes:
    """The fixed tensors behind contractions: {name: (dimensions, whether symmetric)}.

    Raises ValueError for two tensors of one name.
    """
    found: Shapes = {}
    for symbol in symbols:
        if isinstance(symbol, Contraction):
            for name, shape in symbol.shape.tensors().items():
                if found.setdefault(name, shape) != shape:
                    raise ValueError(f"two different tensors share the name {name}")
    return found


def facts(symbols: Iterable[sp.Symbol]) -> list[sp.Basic]:
    """Relations that hold between the contractions among the symbols, whatever the tensors are."""
    known = [s for s in symbols if isinstance(s, Contraction)]
    looser = {d: s for s in known for d in _diagonals(s)}
    found: list[sp.Basic] = [
        sp.Le(d, s, evaluate=False) for d, s in looser.items() if d in known and d != s
    ]

    def among_known(bound: sp.Expr, depth: int = 1) -> sp.Expr | None:
        """The bound, or a larger one, in contractions that are known."""
        for b in sorted(bound.free_symbols, key=str):
            if not isinstance(b, Contraction) or b in known:
                continue
            larger = (among_known(x, depth - 1) for x in _above(b)) if depth else ()
            replaced = looser.get(b) or next((x for x in larger if x is not None), None)
            if replaced is None or not (b.is_nonnegative or sp.degree(bound, b) == 1):
                return None
            bound = bound.xreplace({b: replaced})
        return bound

    for s in known:
        for left, bound in _cuts(s):
            if left is None:
                found.append(sp.Ge(s, 0, evaluate=False))
                continue
            bound = among_known(bound)
            if bound is not None and sp.expand(left - bound) != 0:
                found.append(sp.Le(left, bound, evaluate=False))
    found += _determinants(known)
    return list(dict.fromkeys(found))[:_MOST_FACTS]


def violation(
    violates: Callable[[Point], bool],
    symbols: Iterable[sp.Symbol],
    admitted: Callable[[Point], bool],
    suggestion: Point | None,
) -> tuple[Point, dict[str, list]] | None:
    """A point and tensors that attain its contractions, where `violates` says yes, or None.

    `suggestion` gives dimensions and further symbols to try first. Deterministic.
    """
    symbols = list(symbols)
    shapes = tensors(symbols)
    free = [s for s in symbols if not isinstance(s, Contraction)]
    sized = {d for dimensions, _ in shapes.values() for d in dimensions}
    sizes = {s for d in sized for s in d.free_symbols}
    free += sorted(sizes - set(free), key=str)
    for point, entries in _trials(free, sizes, shapes, suggestion or {}):
        sized_shapes = {
            name: [_size(d, point) for d in dimensions] for name, (dimensions, _) in shapes.items()
        }
        ranges = {
            name: [k for k in lengths if k is not None] for name, lengths in sized_shapes.items()
        }
        if ranges != sized_shapes:
            continue
        made = {name: entries(name, ranges[name], shapes[name][1]) for name in shapes}
        for s in symbols:
            if isinstance(s, Contraction):
                point[s] = _rational(contract(s.shape.entries, made))
        if admitted(point) and violates(point):
            return point, {name: _dense(made[name], ranges[name]) for name in made}
    return None


def contract(entries: Entries, made: Mapping[str, Tensor]) -> Fraction:
    """The sum over all indices of the product of entries, exactly."""
    state: dict[tuple[tuple[int, int], ...], Fraction] = {(): Fraction(1)}
    for k, (name, _, indices) in enumerate(entries):
        later = {i for _, _, more in entries[k + 1 :] for i in more}
        after: dict[tuple[tuple[int, int], ...], Fraction] = {}
        for known, value in state.items():
            for place, entry in made[name].items():
                at = dict(known)
                if all(at.setdefault(i, p) == p for i, p in zip(indices, place, strict=True)):
                    key = tuple(sorted((i, p) for i, p in at.items() if i in later))
                    after[key] = after.get(key, Fraction(0)) + value * entry
        state = after
    return sum(state.values(), Fraction(0))


# Facts.


def _cuts(s: Contraction) -> Iterator[tuple[sp.Expr | None, sp.Expr]]:
    """(left, right) with left <= right for the symbol's values; (None, 0) says that it is >= 0."""
    entries, dimensions = s.shape.entries, s.shape.dimensions
    if len(entries) > _MOST_FACTORS:
        return
    if norms := _norms(s):
        yield s, norms
    places = range(len(entries))
    for size in range(1, len(entries) // 2 + 1):
        for part in combinations(places, size):
            a = tuple(entries[k] for k in part)
            b = tuple(entries[k] for k in places if k not in part)
            cut = _indices(a) & _indices(b)
            copies = _alike(a, b, cut, dimensions)
            if copies and not s.is_nonnegative:
                yield None, sp.S.Zero
            for shared in (cut, _indices(entries)):  # a part is constant in what it has not got
                aa, bb = (_square(x, shared, dimensions) for x in (a, b))
                if aa != bb:
                    yield s**2, aa * bb
                    continue
                yield s, aa  # |<A, B>| <= <A, A>, without the square
                if not (copies or s.is_nonnegative):
                    yield -s, aa
    whole = _indices(entries)
    for size in range(1, min(len(whole), 2) + 1):
        for kept in combinations(sorted(whole), size):  # B = 1 for every value of these indices
            ones = sp.Mul(*(dimensions[i] for i in kept))
            yield s**2, ones * _square(entries, set(kept), dimensions)


def _above(s: Contraction) -> Iterator[sp.Expr]:
    """Bounds s <= ..., none of them squared."""
    yield from (bound for left, bound in _cuts(s) if left == s)


def _norms(s: Contraction) -> sp.Expr | None:
    """sum x^(2c) y^(2d) ... <= (sum x^2)^c (sum y^2)^d ...: the sum over fewer terms, all >= 0."""
    counts = Counter(s.shape.entries)
    if any(count % 2 for count in counts.values()) or len(s.shape.entries) == 2:
        return None
    bound = sp.S.One
    for entry, count in counts.items():
        bound *= _product((entry, entry), s.shape.dimensions) ** (count // 2)
    return bound


def _diagonals(s: Contraction) -> Iterator[sp.Expr]:
    """Sums over fewer of the squares that the symbol is a sum of: where two indices are equal."""
    entries, dimensions = s.shape.entries, s.shape.dimensions
    if len(entries) > _MOST_FACTORS or len(entries) % 2:
        return
    places = range(len(entries))
    for part in combinations(places, len(entries) // 2):
        a = tuple(entries[k] for k in part)
        b = tuple(entries[k] for k in places if k not in part)
        cut = _indices(a) & _indices(b)
        if not _alike(a, b, cut, dimensions):
            continue
        for i, j in combinations(sorted(cut), 2):
            if dimensions[i] == dimensions[j]:
                merged = tuple(
                    (t, symmetric, tuple(i if x == j else x for x in indices))
                    for t, symmetric, indices in entries
                )
                found = _product(merged, dimensions)
                if found.is_Symbol:
                    yield found


def _determinants(known: list[Contraction]) -> list[sp.Basic]:
    """Gram matrices of three tensors of one shape have no negative determinant."""
    inner = {}
    for s in known:
        entries = s.shape.entries
        if len(entries) == 2 and entries[0][2] == entries[1][2]:
            inner[frozenset(name for name, _, _ in entries)] = s
    names = sorted({name for pair in inner for name in pair})
    found = []
    for three in combinations(names, 3):
        pairs = [[frozenset({a, b}) for b in three] for a in three]
        if all(pair in inner for row in pairs for pair in row):
            gram = sp.Matrix([[inner[pair] for pair in row] for row in pairs])
            found.append(sp.Ge(sp.expand(gram.det()), 0, evaluate=False))
    return found


def _square(part: Entries, cut: set[int], dimensions: tuple[sp.Expr, ...]) -> sp.Expr:
    """<A, A>: two copies of the part that share the cut's indices, of which it may lack some."""
    fresh = {i: len(dimensions) + k for k, i in enumerate(sorted(_indices(part) - cut))}
    copy = tuple((t, s, tuple(fresh.get(i, i) for i in indices)) for t, s, indices in part)
    ones = sp.Mul(*(dimensions[i] for i in cut - _indices(part)))
    return ones * _product((*part, *copy), (*dimensions, *(dimensions[i] for i in fresh)))


def _alike(a: Entries, b: Entries, cut: set[int], dimensions: tuple[sp.Expr, ...]) -> bool:
    """Whether b is a copy of a, with the same indices in the cut and others renamed."""
    if sorted(t for t, _, _ in a) != sorted(t for t, _, _ in b):
        return False
    # a mark on every index of the cut, so that renaming cannot move it
    marks = tuple((f"'{i}", False, (i,)) for i in sorted(cut))
    return _canonical((*a, *marks), dimensions) == _canonical((*b, *marks), dimensions)


def _product(entries: Entries, dimensions: tuple[sp.Expr, ...]) -> sp.Expr:
    """The symbols of the connected parts, multiplied."""
    numbered, names, symmetric, sizes, ranges = _numbered(entries, dimensions)
    found = []
    for part in components(tuple(numbered)):
        factors, order = canonical(part, sizes, symmetric)
        found.append(contractions.symbol(factors, names, symmetric, [ranges[k] for k in order]))
    return sp.Mul(*found)


def _canonical(
    entries: Entries, dimensions: tuple[sp.Expr, ...]
) -> tuple[tuple[Entry, ...], tuple[int, ...]]:
    numbered, _, symmetric, sizes, _ = _numbered(entries, dimensions)
    return canonical(numbered, sizes, symmetric)


def _numbered(
    entries: Entries, dimensions: tuple[sp.Expr, ...]
) -> tuple[list[Entry], dict[int, str], frozenset[int], dict[int, int], list[sp.Expr]]:
    names = sorted({t for t, _, _ in entries})
    number = {t: k for k, t in enumerate(names)}
    symmetric = frozenset(number[t] for t, s, _ in entries if s)
    ranges = sorted({dimensions[i] for i in _indices(entries)}, key=str)
    sizes = {i: ranges.index(dimensions[i]) for i in _indices(entries)}
    factors = [
        (number[t], tuple(sorted(ix)) if number[t] in symmetric else ix) for t, _, ix in entries
    ]
    return factors, dict(enumerate(names)), symmetric, sizes, ranges


def _indices(entries: Entries) -> set[int]:
    return {i for _, _, indices in entries for i in indices}


# The search for tensors.


Make = Callable[[str, list[int], bool], Tensor]


def _trials(
    free: list[sp.Symbol], sizes: set[sp.Symbol], shapes: Shapes, suggestion: Point
) -> Iterator[tuple[Point, Make]]:
    generator = random.Random(0)
    kinds = ("first", "ones", "identity", "zero")
    starts = [dict.fromkeys(shapes, kind) for kind in kinds]
    if len(shapes) <= 2:
        starts += [dict(zip(shapes, k, strict=True)) for k in product(kinds, repeat=len(shapes))]
    for trial in range(_TRIALS):
        point = {s: _symbol_value(s, s in sizes, trial, suggestion, generator) for s in free}
        fixed = starts[trial // 3] if trial < 3 * len(starts) else {}
        drawn: dict[tuple[int, ...], Tensor] = {}
        scale = Fraction(10) ** generator.choice((0, 0, 0, 1, -1, 2, -2, 4, -4))

        def make(
            name: str,
            ranges: list[int],
            symmetric: bool,
            fixed: dict[str, str] = fixed,
            drawn: dict[tuple[int, ...], Tensor] = drawn,
            scale: Fraction = scale,
        ) -> Tensor:
            made = _tensor(fixed.get(name) or _kind(generator), ranges, symmetric, generator)
            before = drawn.get(tuple(ranges))
            if before is not None and not fixed and generator.random() < 0.4:
                factor = Fraction(generator.choice((1, 1, 1, -1, 2, -2)), generator.choice((1, 2)))
                made = {place: factor * value for place, value in before.items()}
            elif not fixed:
                made = {place: scale * value for place, value in made.items()}
            drawn[tuple(ranges)] = made
            return made

        yield point, make


def _symbol_value(
    s: sp.Symbol, size: bool, trial: int, suggestion: Point, generator: random.Random
) -> sp.Rational:
    if s in suggestion and (trial % 3 == 0 or generator.random() < 0.3):
        return suggestion[s]
    if size:
        return sp.Integer(1 + trial % 3 if trial < 36 else generator.choice((1, 2, 2, 3, 4, 5)))
    if s.is_integer:
        return sp.Integer(generator.choice((0, 1, 2, 3, -1)))
    sign = 1 if s.is_nonnegative else generator.choice((1, 1, -1))
    numbers = ("0", "1", "1", "2", "1/2", "3", "1/10", "10", "1/100", "100")
    return sign * sp.Rational(generator.choice(numbers))


def _kind(generator: random.Random) -> str:
    return generator.choice(("first", "ones", "identity", "zero", *["random"] * 4, "sparse"))


def _tensor(kind: str, ranges: list[int], symmetric: bool, generator: random.Random) -> Tensor:
    if kind == "zero" or not all(ranges):
        return {}
    if kind == "first":
        return {(0,) * len(ranges): Fraction(1)}
    if kind == "identity":
        return {(k,) * len(ranges): Fraction(1) for k in range(min([*ranges, 12], default=1))}
    corner = [range(min(k, _BLOCK)) for k in ranges]
    if kind == "ones" and prod(ranges) <= 64:
        corner = [range(k) for k in ranges]
    found: Tensor = {}
    for place in product(*corner):
        canonical_place = tuple(sorted(place)) if symmetric else place
        if canonical_place in found:
            found[place] = found[canonical_place]
            continue
        drawn = 1 if kind == "ones" else generator.randint(-3, 3)
        if kind == "sparse" and generator.random() < 0.6:
            drawn = 0
        found[place] = Fraction(drawn)
    return {place: value for place, value in found.items() if value}


def _size(dimension: sp.Expr, point: Point) -> int | None:
    size = sp.sympify(dimension).subs(point)
    return int(size) if size.is_Integer and 1 <= size <= 4096 else None


def _dense(made: Tensor, ranges: list[int]) -> Nested:
    """Nested lists of all entries; a number for a tensor without indices."""
    if not ranges:
        return _rational(made.get((), Fraction(0)))

    def rows(prefix: tuple[int, ...]) -> Nested:
        if len(prefix) == len(ranges):
            return _rational(made.get(prefix, Fraction(0)))
        return [rows((*prefix, k)) for k in range(ranges[len(prefix)])]

    return rows(())


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)
