"""A whole domain looked through: every point of a finite one, boxes that cover a bounded one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import sympy as sp
from sympy.core.relational import Relational

from proofs_check import values
from proofs_check.domain import admits
from proofs_check.question import At, Question, at_point, fraction
from proofs_check.results import Proved, Result, Undefined
from proofs_check.sampling import bounds
from proofs_check.values import Number, Unknown

_MOST_POINTS = 1000
_MOST_BOXES = 1500


def covered(question: Question) -> Result | None:
    """What holds, or fails, at all of its points; None for a domain that is too large."""
    return enumerated(question) or _subdivided(question)


def enumerated(question: Question) -> Result | None:
    """A domain of few integer points, looked through."""
    if question.contractions or not all(s.is_integer for s in question.symbols):
        return None
    axes, size = [], 1
    for s in question.symbols:
        low, high = bounds(s, question.domain)
        if low is None or high is None:
            return None
        axes.append(range(int(sp.ceiling(low)), int(sp.floor(high)) + 1))
        size *= len(axes[-1])
        if size > _MOST_POINTS:
            return None
    count = 0
    for at in product(*axes):
        point = {s: sp.Integer(k) for s, k in zip(question.symbols, at, strict=True)}
        if not all(admits(s, x) for s, x in point.items()):
            continue
        try:
            inside = all(_decided(values.holds(r, at_point(point))) for r in question.domain)
        except values.Undefined:
            continue
        if not inside:
            continue
        try:
            if not _decided(question.truth(point)):
                return question.violated(point)
        except values.Undefined as error:
            return Undefined(str(error), point)
        count += 1
    if not count:
        return None
    return Proved((f"it holds at each of the {count} points of the domain.",), "enumeration")


def _decided(truth: bool | None) -> bool:
    if truth is None:
        raise Unknown("a relation is too close to call at a point of the domain")
    return truth


def _subdivided(question: Question) -> Result | None:
    """An inequality on a bounded domain, by intervals on boxes that cover it."""
    if question.contractions or isinstance(question.relation, sp.Eq) or not question.symbols:
        return _constant(question)
    ends = [bounds(s, question.domain) for s in question.symbols]
    if any(None in pair for pair in ends):
        return None
    waiting, boxes = [tuple(ends)], 0
    while waiting:
        box = waiting.pop()
        boxes += 1
        if boxes > _MOST_BOXES:
            return None
        at = {s: _range(s, *pair) for s, pair in zip(question.symbols, box, strict=True)}
        if None in at.values() or _outside(question.domain, at):
            continue
        try:
            if values.holds(question.relation, at):
                continue
        except ValueError:
            pass
        halves = _halved(question.symbols, box)
        if not halves:
            return None
        waiting += halves
    step = f"{question.relation} holds on each of the {boxes} boxes that cover the domain."
    return Proved((step,), "interval subdivision")


def _constant(question: Question) -> Result | None:
    """A relation without symbols is decided by the interval of either side."""
    if question.symbols or isinstance(question.relation, sp.Eq):
        return None
    if not _decided(question.truth({})):
        return question.violated({})
    return Proved((f"{question.relation} by intervals.",), "enclosure")


def _range(s: sp.Symbol, low: sp.Rational, high: sp.Rational) -> Number | None:
    if s.is_integer:
        low, high = sp.ceiling(low), sp.floor(high)
    if low > high:
        return None
    if low == high:
        return fraction(low)
    return values.hull(fraction(low), fraction(high))


def _outside(domain: Iterable[Relational], at: At) -> bool:
    for relation in domain:
        try:
            if values.holds(relation, at) is False:
                return True
        except values.Undefined:
            return True
        except Unknown:
            continue
    return False


def _halved(symbols: Sequence[sp.Symbol], box: tuple) -> list[tuple]:
    """The box cut at the middle of its longest side; nothing if it has become too small."""
    k = max(range(len(box)), key=lambda i: box[i][1] - box[i][0])
    low, high = box[k]
    if high - low < sp.Rational(1, 10**6):
        return []
    middle = (low + high) / 2
    if symbols[k].is_integer:
        middle = sp.floor(middle)
        pieces = ((low, middle), (middle + 1, high))
    else:
        pieces = ((low, middle), (middle, high))
    return [(*box[:k], piece, *box[k + 1 :]) for piece in pieces]
