"""SVD-0's Table 14: whether five of its rows show anything but the cosines of pure noise.

For independent z, g ~ N(0, I_N) the cosine has mean 0, since -z has the law of z, and E cos^2 = 1/N
by the invariance of the law of z: its deviation is 1/sqrt(N).
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.cards import card
from proofs_check.gaussian import Derivation
from zotheory.evidence.exact import exact
from zotheory.evidence.printed import CHANGED, changed, printed
from zotheory.papers import cited_table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE14 = cited_table("svd0", 14)
ENTRIES = {
    "Origin": 2048 * 2048,
    "PCA": 2048 * 24,
    "Factor Analysis": 2048 * 24,
    "Random Proj": 2048 * 24,
    "t-SNE": 2048 * 2,
}
COS2 = {n: sp.Symbol(f"E cos^2 at N = {n}", positive=True) for n in ENTRIES.values()}
_OFF = sp.Rational(1, 20)
_HALF = sp.Rational(1, 20_000)  # half a unit of the last digit printed


def _beside(row: str, entries: int) -> tuple[sp.Ge, sp.Le]:
    """s is within 5% of sqrt(E cos^2) or of half a digit of it, squared: all numbers rational."""
    s, square = TABLE14[row, "Std"], COS2[entries]
    above = sp.Max((s / (1 - _OFF)) ** 2, (s + _HALF) ** 2, evaluate=False)
    below = sp.Min((s / (1 + _OFF)) ** 2, (s - _HALF) ** 2, evaluate=False)
    return sp.Ge(above, square, evaluate=False), sp.Le(below, square, evaluate=False)


def _noise(entries: int) -> Derivation:
    found = card("gaussian", m=entries, n=1)
    by_sign = "E cos = 0: -z has the law of z"
    return Derivation(found.cos2, (*found.steps[-3:], by_sign))


def _known(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """The deviations of pure noise, and the printed ones as printed."""
    texts = {cell: number.text for cell, number in TABLE14.numbers.items()}
    texts |= statement.setting.get(CHANGED, {})
    cells = {
        cell: Derivation(sp.Rational(text), (f"{cell} = {text}",)) for cell, text in texts.items()
    }
    return {symbol: _noise(n) for n, symbol in COS2.items()} | cells


_STATEMENT = Statement(
    "The printed standard deviations of the five signed rows of SVD-0's Table 14 are within 5% of "
    "1/sqrt(N) or equal to it in the printed digits, N = 2048 x 2048 (Origin), 2048 x 24 (PCA, "
    "Factor Analysis, Random Proj), 2048 x 2 (t-SNE): the spread of the cosine of two independent "
    "Gaussian vectors of N entries.",
    conjunction(*(relation for row, n in ENTRIES.items() for relation in _beside(row, n))),
)

CLAIMS = (
    Claim(
        id="own.table14_noise",
        where="ours, for svd0 Table 14",
        statement=_STATEMENT,
        needs=(Kind.PRINTED, Kind.EXACT),
        checks=(
            exact(_known),
            printed(
                TABLE14,
                derive=lambda _: {symbol: _noise(n).value for n, symbol in COS2.items()},
            ),
        ),
        mutant=changed(_STATEMENT, {TABLE14["t-SNE", "Std"]: "0.0257"}),
        setting=Setting(
            paper="Table 14's deviations beside those of independent Gaussian vectors with as many "
            "entries as a 2048 x 2048 weight, or as its reductions to 24 and 2 columns",
        ),
    ),
)
