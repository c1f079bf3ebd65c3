"""A trap for implementations of the guiding vector: re-seeding once per tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import sympy as sp

from proofs_check.reseeding import SIZE, TENSORS, reseeded_gain
from proofs_check.results import Enclosed
from zotheory.checks.exact import exact
from zotheory.checks.measured import Measurement, measured
from zotheory.context import Context
from zotheory.sampling.reseeding import Reseeded, ReseededMean
from zotheory.statistics import Catoni, decide_within
from zotheory.vocabulary import Claim, Kind, Statement

GAIN = sp.Symbol("d E cos^2 - 1")
WITHIN = sp.Rational(1, 20)


def _gain(_: Statement) -> Mapping[sp.Expr, Enclosed]:
    return {GAIN: reseeded_gain()}


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The implementation itself over 16 tensors; a reduced sampler where the domain begins."""
    (least,) = (condition.rhs for condition in statement.domain if condition.lhs == TENSORS)
    literal, reduced = Reseeded(16, 8), ReseededMean(int(least), 64)
    return [
        _measurement(literal, literal.second_moment(), 2_500),
        _measurement(reduced, reduced.variance(), 10_000),
    ]


def _measurement(sampler: Reseeded | ReseededMean, variance: float, shard_size: int) -> Measurement:
    decide = partial(decide_within, method=Catoni(variance), target=1.0, tolerance=float(WITHIN))
    code = "reduced" if isinstance(sampler, ReseededMean) else "as implemented"
    at = f"{sampler.tensors} tensors of {sampler.n} ({code})"
    return Measurement(at, sampler, decide, shard_size, 64)


def _statement(says: str, least: int) -> Statement:
    """`least`: from how many tensors on."""
    formula = sp.And(sp.Le(GAIN, WITHIN), sp.Ge(GAIN, -WITHIN))
    sizes = sp.Ge(TENSORS, least, evaluate=False), sp.Ge(SIZE, 1, evaluate=False)
    return Statement(says, formula, sizes)


CLAIMS = (
    Claim(
        id="own.gv_reseeding",
        where="ours, a trap for implementations of prior Eq. 5",
        statement=_statement(
            "If the candidates are evaluated with noise drawn in one stream over all tensors, but "
            "the guiding vector is rebuilt by re-seeding once per tensor, then on a linear loss "
            "over many tensors (five or more) of equal size, averaged over a uniformly random "
            "direction of g, its E cos^2 is within 5% of plain MeZO's 1/d (no gain), at M = 4.",
            5,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_gain), measured(_measure)),
        mutant=_statement("The same for four tensors or more.", 4),
    ),
)
