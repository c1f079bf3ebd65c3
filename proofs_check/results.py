"""What a decision about "for every point of a domain" can come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

Point = dict[sp.Symbol, sp.Rational]


@dataclass(frozen=True)
class Proved:
    """It holds at every point. ``route`` names the independent proofs that were found."""

    steps: tuple[str, ...]
    route: str


@dataclass(frozen=True)
class Violated:
    """It fails at ``point``, an exact point of the domain, where the sides are these numbers.

    ``tensors`` are entries of fixed tensors that attain the contractions among the symbols.
    """

    point: Point
    lhs: sp.Rational
    rhs: sp.Rational
    tensors: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Undecided:
    """Neither a proof nor a violation was found."""

    reason: str


@dataclass(frozen=True)
class Undefined(Undecided):
    """A side has no value at ``point``, an exact point of the domain: nothing holds there.

    ``tensors`` as in ``Violated``.
    """

    point: Point = field(default_factory=dict)
    tensors: Mapping[str, Any] = field(default_factory=dict)


Result = Proved | Violated | Undecided


@dataclass(frozen=True)
class Enclosed:
    """A quantity that lies between two expressions; None where no bound is known."""

    lower: sp.Expr | None
    upper: sp.Expr | None
    steps: tuple[str, ...] = ()


class RoutesDisagree(AssertionError):
    """One route proves what another refutes: a defect of this package, never of the statement."""
