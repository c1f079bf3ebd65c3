"""The number of candidates from which MeZO-GV beats two-point directions, loss for loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sympy as sp

from proofs_check.cards.order_statistics import Selection, split
from proofs_check.cards.ratio import cosine_of_chi2
from proofs_check.enclosures import enclose
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.results import Proved
from zotheory.evidence.exact import exact
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# From how many candidates on MeZO-GV's losses are better spent than on two-point directions.
#
# As d -> oo, d E cos^2 -> E A^2/spread of the guiding vector of M candidates, half of them the
# elite (order statistics; d X/(X + chi^2_(d-1)) <= X d/chi^2_(d-1) lets the limit be taken
# inside), and d E cos^2 -> q of the average over q two-point directions. M + 2 losses buy either.


CANDIDATES = sp.Symbol("M", integer=True, positive=True)
_D = sp.Symbol("d", integer=True, positive=True)
_LARGEST = 40  # candidates that are tried


def two_point_limit() -> sp.Expr:
    """lim d E cos^2 of the (M + 2)/2 two-point directions."""
    return sp.limit(_D * cosine_of_chi2((CANDIDATES + 2) / 2, _D), _D, sp.oo)


@cache
def break_even() -> Derivation:
    """The least even M from which on, for every even M, the guiding vector is the better one.

    Raises ArithmeticError if an enclosure does not tell, or if no M up to 40 does.
    """
    rival, steps, least = two_point_limit(), [], 2
    for candidates in range(2, _LARGEST + 1, 2):
        tail = _from_here_on(candidates, rival)
        if tail is not None:
            steps += tail
            return Derivation(sp.Integer(least), (*steps, f"the least M is {least}"))
        found = enclose(_limit(_half(candidates)))
        claimed = rival.subs(CANDIDATES, candidates)
        if not (found.low > claimed or found.high < claimed):
            raise ArithmeticError(f"M = {candidates}: {found} against {claimed}")
        relation = ">" if found.low > claimed else "<"
        steps.append(f"M = {candidates}: E A^2/spread = {found} {relation} {claimed}")
        if relation == "<":
            least = candidates + 2
    raise ArithmeticError(f"no M up to {_LARGEST} is the least one:\n" + "\n".join(steps))


def _half(candidates: int) -> Selection:
    return split(candidates, candidates // 2)


def _limit(selection: Selection) -> sp.Expr:
    return selection.second / selection.spread


def _from_here_on(candidates: int, rival: sp.Expr) -> tuple[str, ...] | None:
    """A proof that the guiding vector is better for every M >= `candidates`, or None."""
    size = enclose(-_half(candidates).first / 2)  # E S/M, S = |A| M/2
    least = sp.Rational(sp.floor(sp.Rational(size.low) * 10**6), 10**6)
    domain = (sp.Ge(CANDIDATES, candidates, evaluate=False),)
    found = decide(rival, CANDIDATES * least**2, domain, strict=True)
    if not isinstance(found, Proved):
        return None
    return (
        "|A| = (2/M) S, S = sum_i |y_i - median| = min over t of sum_i |y_i - t|",
        f"for M >= {candidates} values, sum_i |y_i - t|/M is its own average over all subsets of "
        f"{candidates} of them; the least of an average is at least the average of the least: "
        f"E S/M is at least what it is for {candidates} values, {size}",
        f"E A^2/spread = M E(S/M)^2 >= M (E S/M)^2 >= ({least})^2 M > {rival}:",
        *found.steps,
    )


LEAST = sp.Symbol("the least even M")


def _least(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return {LEAST: break_even()}


def _statement(says: str, least: int) -> Statement:
    return Statement(says, conjunction(sp.Eq(LEAST, least), sp.Lt(LEAST, 20)))


CLAIMS = (
    Claim(
        id="own.gv_break_even",
        where="ours",
        setting=Setting("a linear loss, large dimension"),
        statement=_statement(
            "There is a least even M, below 20, from which MeZO-GV at alpha = 1/2 (M + 2 passes) "
            "has a larger E cos^2 in the limit of large d than (M + 2)/2 two-point directions: "
            "M = 12.",
            12,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_least),),
        mutant=_statement("It is M = 10.", 10),
    ),
)
