"""Exact evidence: what the definition gives, compared with what the formula claims of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from proofs_check.gaussian import Derivation
from proofs_check.identities import identity
from proofs_check.inequalities import decide
from proofs_check.results import Enclosed, Point, Proved, Result, Undecided, Violated
from zotheory.arguments import function
from zotheory.context import Context
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict, written

Derived = Mapping[sp.Expr, Derivation | Enclosed]


@dataclass(frozen=True)
class Counterexample:
    """A point of the domain where the statement fails.

    `inputs` names the point, `claimed` is the formula's right side there, `actual` the derived
    left side.
    """

    inputs: Mapping[str, Any]
    claimed: sp.Expr
    actual: sp.Expr


def exact(
    derive: Callable[[Statement], Derived] = lambda _: {},
    witness: Callable[[Statement, Counterexample], str] | None = None,
    attained: bool = True,
) -> Check:
    """A check that puts derived values for the names in the formula and decides what remains.

    Args:
        derive: gives, from the definitions alone, the value of every quantity that the formula
            names, or bounds of it, with the derivation's steps. A formula in plain symbols needs
            none. A quantity that is only enclosed has to be one side of an inequality.
        witness: writes a numpy-only snippet that prints the claimed and the actual number of a
            counterexample.
        attained: whether the derived values are those of the quantities themselves; if they only
            bound them, a failing relation decides nothing.

    Raises ValueError for `derive` or `witness` that is no function.
    """
    derive = function("derive", derive)
    witness = witness and function("witness", witness)

    def judge(statement: Statement, context: Context) -> Evidence:
        context.tell(f"{context.claim}  deriving")
        relations = conjuncts(statement.formula)
        derived = {k: v for k, v in derive(statement).items() if statement.formula.has(k)}
        results = [_decide(relation, derived, statement.domain) for relation in relations]
        steps = [step for derivation in derived.values() for step in derivation.steps]
        if not attained:
            results = [_undecided(result) for result in results]
        return _evidence(statement, relations, results, steps, witness)

    return Check(Kind.EXACT, judge)


def conjuncts(formula: sp.Basic | None) -> tuple[Relational, ...]:
    """The relations that a formula is the conjunction of.

    Raises ValueError for a formula that is no relation or that SymPy evaluated already.
    """
    relations = formula.args if isinstance(formula, sp.And) else (formula,)
    known = (sp.Eq, sp.Le, sp.Lt, sp.Ge, sp.Gt)
    if not relations or not all(isinstance(r, known) for r in relations):
        raise ValueError(f"the formula must be a relation or a conjunction of them: {formula}")
    return tuple(relations)


def _decide(relation: Relational, derived: Derived, domain: Sequence[sp.Basic]) -> Result:
    """Both sides are substituted on their own: SymPy would evaluate the whole relation away."""
    if isinstance(relation, sp.Eq):
        return identity(*(_end(side, derived, "") for side in relation.args), domain)
    sides = (relation.lhs, relation.rhs)
    rising = isinstance(relation, sp.Le | sp.Lt)
    lesser, greater = sides if rising else sides[::-1]
    strict = isinstance(relation, sp.Lt | sp.Gt)
    found = _compare(lesser, greater, "upper", "lower", strict, derived, domain)
    enclosed = any(isinstance(derived.get(side), Enclosed) for side in sides)
    if enclosed and not isinstance(found, Proved):
        found = _compare(lesser, greater, "lower", "upper", strict, derived, domain)
        if not isinstance(found, Violated):
            found = Undecided("the derived bounds leave it open")
    if isinstance(found, Violated) and not rising:
        return Violated(found.point, found.rhs, found.lhs)
    return found


def _compare(
    lesser: sp.Expr,
    greater: sp.Expr,
    end: str,
    other: str,
    strict: bool,
    derived: Derived,
    domain: Sequence[sp.Basic],
) -> Result:
    """lesser <= greater with these ends of what is only enclosed."""
    sides = _end(lesser, derived, end), _end(greater, derived, other)
    if None in sides:
        return Undecided("no bound of this side is known")
    return decide(*sides, domain, strict=strict)


def _end(side: sp.Expr, derived: Derived, end: str) -> sp.Expr | None:
    """A side with what was derived: the values, or one end of an enclosure."""
    side = sp.sympify(side)
    if isinstance(derived.get(side), Enclosed):
        return getattr(derived[side], end)
    values = {k: d.value for k, d in derived.items() if isinstance(d, Derivation)}
    return side.xreplace(values)


def _undecided(result: Result) -> Result:
    if isinstance(result, Violated):
        return Undecided("the derived bound does not reach the claimed one, which proves nothing")
    return result


def _evidence(
    statement: Statement,
    relations: Sequence[Relational],
    results: Sequence[Result],
    steps: list[str],
    witness: Callable[[Statement, Counterexample], str] | None,
) -> Evidence:
    for relation, result in zip(relations, results, strict=True):
        if isinstance(result, Violated):
            failed = Counterexample(_inputs(result.point), claimed=result.rhs, actual=result.lhs)
            return refuted(statement, failed, relation, steps, witness)
    undecided = [r.reason for r in results if isinstance(r, Undecided)]
    if undecided:
        return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, "; ".join(undecided))
    routes = sorted({r.route for r in results if isinstance(r, Proved)})
    steps = steps + [step for r in results if isinstance(r, Proved) for step in r.steps]
    domain = ", ".join(map(written, statement.domain)) or "all values of the symbols"
    return Evidence(
        Kind.EXACT,
        Verdict.PROVED,
        f"derived for {domain}; decided by {', '.join(routes)}",
        {"routes": routes},
        {"steps": steps},
    )


def refuted(
    statement: Statement,
    failed: Counterexample,
    relation: sp.Basic | str,
    steps: Sequence[str] = (),
    witness: Callable[[Statement, Counterexample], str] | None = None,
    kind: Kind = Kind.EXACT,
) -> Evidence:
    """Evidence of a refutation by a counterexample, with its snippet if it can be written."""
    certificate: dict[str, Any] = {
        "inputs": dict(failed.inputs),
        "relation": relation if isinstance(relation, str) else written(relation),
        "claimed": failed.claimed,
        "actual": failed.actual,
    }
    if steps:
        certificate["steps"] = list(steps)
    if witness:
        certificate["snippet"] = witness(statement, failed)
    at = ", ".join(f"{name} = {value}" for name, value in failed.inputs.items())
    told = f"claimed {_short(failed.claimed)}, actual {_short(failed.actual)}"
    return Evidence(
        kind,
        Verdict.REFUTED,
        f"at {at}: {told}" if at else told,
        {"claimed": failed.claimed, "actual": failed.actual},
        certificate,
    )


def _short(number: Any) -> str:
    """A number for a line of text: exact where that is short."""
    text = str(number)
    return text if len(text) <= 16 else f"{float(number):.8g}"


def _inputs(point: Point) -> dict[str, Any]:
    return {str(symbol): value for symbol, value in sorted(point.items(), key=lambda p: str(p[0]))}
