"""Which of two directions has the larger E cos^2 with the gradient, in every dimension at once.

A direction whose part along G has the square A, N(0, I) across, has E cos^2 = E[A/(A + chi2_(d-1))]
and, by parts from :mod:`proofs_check.cards.ratio`,

    E cos^2 = 1 - ((d-1)/2) int_1^oo F(c) c^(-(d+1)/2) dc,   F(c) = E exp(-(c-1) A/2).

So F_A < F_B for all c > 1 (A is larger in the Laplace transform order) gives a larger E cos^2 for
every d >= 2. With sqrt(c) F(c) = 1 - pi beta/6 + beta arcsin(1/(1 + c)) for a selected direction
and c^(-(q-1)/2) for the average of q plain ones, the difference vanishes at c = 1, and its slope
has the sign of a polynomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import sympy as sp

from proofs_check.cards.order_statistics import Selection
from proofs_check.cards.ratio import C, cosine_of_arcsine, cosine_of_chi2
from proofs_check.enclosures import enclose

_U = sp.Symbol("u", positive=True)  # c = 1 + u


@dataclass(frozen=True)
class Chosen:
    """A^2/spread of a selected direction whose law has an arcsine transform."""

    beta: sp.Expr

    @classmethod
    def of(cls, selection: Selection) -> Chosen:
        """Raises ValueError if the selection's transform is not of this form."""
        if selection.beta is None:
            raise ValueError("the selection has no arcsine transform")
        return cls(selection.beta)

    def cos2(self, d: sp.Expr | int) -> sp.Expr:
        """E cos^2 in d dimensions."""
        return cosine_of_arcsine(self.beta, sp.sympify(d))

    def scaled(self) -> sp.Expr:
        """sqrt(c) F(c)."""
        return 1 - sp.pi * self.beta / 6 + self.beta * sp.asin(1 / (1 + C))


@dataclass(frozen=True)
class Averaged:
    """A = chi2_q: the average of q plain two-point estimates."""

    q: int

    def cos2(self, d: sp.Expr | int) -> sp.Expr:
        """E cos^2 in d dimensions."""
        return cosine_of_chi2(sp.Integer(self.q), sp.sympify(d))

    def scaled(self) -> sp.Expr:
        """sqrt(c) F(c)."""
        return C ** (-sp.Rational(self.q - 1, 2))


Law = Chosen | Averaged


@dataclass(frozen=True)
class Order:
    """sign: of E cos^2(first) - E cos^2(second), the same for every d >= 2; None: not decided."""

    sign: int | None
    steps: tuple[str, ...]


def order(first: Law, second: Law) -> Order:
    """Compare two laws by the Laplace transform order."""
    difference = sp.simplify(first.scaled() - second.scaled())
    opening = f"D(c) = sqrt(c) (F_1 - F_2) = {difference}"
    if difference == 0:
        return Order(0, (opening, "the two laws are the same"))
    if sp.simplify(difference.subs(C, 1)) != 0:
        raise ArithmeticError(f"a transform is not 1 at c = 1: {difference}")
    signs, slope_step = _slope_signs(first, second)
    limit = enclose(sp.limit(first.scaled(), C, sp.oo) - sp.limit(second.scaled(), C, sp.oo))
    exactly = sp.simplify(sp.limit(first.scaled() - second.scaled(), C, sp.oo)) == 0
    end = 0 if exactly else 1 if limit.low > 0 else -1 if limit.high < 0 else None
    steps = (opening, "D(1) = 0", slope_step, f"D(c) -> {'0' if exactly else limit}")
    sign = _sign_of(signs, end)
    if sign is None:
        return Order(None, (*steps, "D may change its sign: not decided"))
    word = "larger" if sign < 0 else "smaller"
    relation = "<" if sign < 0 else ">"
    return Order(
        -sign,
        (
            *steps,
            f"so F_1 {relation} F_2 for all c > 1: E cos^2 of the first is {word}, every d >= 2",
        ),
    )


def _sign_of(signs: list[int] | None, end: int | None) -> int | None:
    """The sign of D on c > 1 from D(1) = 0, the signs of its slope in turn and of its limit."""
    if signs is None or len(signs) > 2:
        return None
    if len(signs) == 1:
        return signs[0]
    # Up, then down to the limit: positive throughout if the limit is not negative; and mirrored.
    return signs[0] if end is not None and end * signs[0] >= 0 else None


def _slope_signs(first: Law, second: Law) -> tuple[list[int] | None, str]:
    """The signs that D' takes in turn on c > 1, at most; None if they cannot be told.

    D = b arcsin(1/(1 + c)) + sum of +-c^(-(q-1)/2) + a constant. Where the derivatives of the
    two parts have opposite signs their squares are compared: a polynomial in u = c - 1, whose
    sign changes Descartes' rule counts.
    """
    sides = ((first, 1), (second, -1))
    b = sum((side * law.beta for law, side in sides if isinstance(law, Chosen)), sp.S.Zero)
    powers = [(law.q, side) for law, side in sides if isinstance(law, Averaged) and law.q > 1]
    falling = _certain_sign(-b)  # the sign of the arcsine's derivative
    if len(powers) == 2:
        return [-1 if first.q > second.q else 1], "D is the difference of two powers of c"
    if falling is None or not powers:
        return None if falling is None else [falling], f"D' has the sign of {-b}"
    ((q, side),) = powers
    if falling in (0, -side):
        return [-side], f"D' has the sign {-side}"
    squares = sp.Rational(q - 1, 2) ** 2 * (1 + C) ** 2 * C * (C + 2) - b**2 * C ** (q + 1)
    coefficients = sp.Poly(sp.expand(squares.subs(C, 1 + _U)), _U).all_coeffs()[::-1]
    found = [_certain_sign(c) for c in coefficients]
    step = f"D' has {-side} times the sign of {squares}; its coefficients in c - 1: {found}"
    if None in found:
        return None, step
    return [-side * sign for sign, _ in groupby(s for s in found if s)], step


def _certain_sign(number: sp.Expr) -> int | None:
    if sp.simplify(number) == 0:
        return 0
    bounds = enclose(number)
    return 1 if bounds.low > 0 else -1 if bounds.high < 0 else None
