"""Exact evidence: what the definition gives, compared with what the formula claims of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from proofs_check.contractions import Contraction
from proofs_check.domain import flatten
from proofs_check.gaussian import Derivation
from proofs_check.relations import decide
from proofs_check.results import Enclosed, Point, Proved, Result, Undecided, Undefined, Violated
from zotheory.arguments import function
from zotheory.context import Context
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict, written

UNDEFINED = "undefined at a point of its domain"
DOES_NOT_FOLLOW = "does not follow from its premise"

Derived = Mapping[sp.Expr, Derivation | Enclosed]
Names = Mapping[sp.Symbol, sp.Expr]


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
    step: bool = False,
) -> Check:
    """A check that puts derived values for the names in the formula and decides what remains.

    Every symbol that remains needs a domain, by its assumptions or by the statement's. A formula is
    judged on its whole domain: where a side is undefined, that point refutes it, and is told as
    such. Contractions of fixed tensors are refuted by tensors.

    Args:
        derive: gives, from the definitions alone, the value of every quantity that the formula
            names, or bounds of it, with the derivation's steps. A formula in plain symbols needs
            none. A quantity that is only enclosed has to be one side of an inequality.
        witness: writes a numpy-only snippet that prints the claimed and the actual number of a
            counterexample.
        attained: whether the derived values are those of the quantities themselves; if they only
            bound them from above, a failing relation decides nothing.
        step: whether the formula is judged as the conclusion of a proof step from the premises in
            the domain. Numbers that refute it show that it does not follow, not that it is false.

    Raises ValueError for `derive` or `witness` that is no function.
    """
    derive = function("derive", derive)
    witness = witness and function("witness", witness)

    def judge(statement: Statement, context: Context) -> Evidence:
        context.tell(f"{context.claim}  deriving")
        relations = conjuncts(statement.formula)
        whole = sp.Tuple(statement.formula, *statement.where.values())
        derived = {k: v for k, v in derive(statement).items() if whole.has(k)}
        results = [_decide(relation, derived, statement, attained) for relation in relations]
        steps = [step for derivation in derived.values() for step in derivation.steps]
        if not attained:
            pairs = zip(relations, results, strict=True)
            results = [_bounded_above(relation, derived, result) for relation, result in pairs]
        reading = DOES_NOT_FOLLOW if step else ""
        return _evidence(statement, relations, results, steps, witness, derived, reading)

    return Check(Kind.EXACT, judge)


def conjuncts(formula: sp.Basic | None) -> tuple[Relational, ...]:
    """The relations that a formula is the conjunction of.

    Raises ValueError for a formula that is no relation or that SymPy evaluated already.
    """
    if formula in (sp.true, sp.false):
        raise ValueError(
            f"the formula must be a relation or a conjunction of them: SymPy found it {formula} "
            "while it was written; build it with evaluate=False"
        )
    relations = formula.args if isinstance(formula, sp.And) else (formula,)
    known = (sp.Eq, sp.Le, sp.Lt, sp.Ge, sp.Gt)
    if not relations or not all(isinstance(r, known) for r in relations):
        raise ValueError(f"the formula must be a relation or a conjunction of them: {formula}")
    return tuple(relations)


def _decide(relation: Relational, derived: Derived, statement: Statement, attained: bool) -> Result:
    """What holds for any value of the statement's names holds for theirs; else they are put in."""
    if all(_allowed(name, value) for name, value in statement.where.items()):
        found = _with_names(relation, derived, statement.domain, {})
        if not statement.where or isinstance(found, Proved) or not attained:
            return found
    return _with_names(relation, derived, statement.domain, statement.where)


def _allowed(name: sp.Symbol, value: sp.Expr) -> bool:
    """Whether a longer expression is certainly all that its name assumes."""
    return all(getattr(value, f"is_{what}") is so for what, so in name.assumptions0.items())


def _with_names(
    relation: Relational, derived: Derived, given: Sequence[sp.Basic], names: Names
) -> Result:
    """Both sides are substituted on their own: SymPy would evaluate the whole relation away."""
    domain = [_put(r, *(_value(side, {}, names) for side in r.args)) for r in flatten(given)]
    sides = relation.lhs, relation.rhs
    bounded = [k for k, d in derived.items() if isinstance(d, Enclosed) and relation.has(k)]
    if not bounded:
        return decide(_put(relation, *(_value(side, derived, names) for side in sides)), domain)
    if any(k not in sides for k in bounded):
        raise ValueError(f"{bounded[0]} is only enclosed: it has to be one side of an inequality")
    if isinstance(relation, sp.Eq):
        return Undecided(f"{bounded[0]} is only enclosed")
    rising = isinstance(relation, sp.Le | sp.Lt)
    for far in (True, False):  # the ends that are farthest to it prove it, the others refute it
        ends = ("upper", "lower") if rising is far else ("lower", "upper")
        pairs = zip(sides, ends, strict=True)
        values = [_value(side, derived, names, end) for side, end in pairs]
        if None in values:
            continue
        found = decide(_put(relation, *values), domain)
        if isinstance(found, Proved if far else Violated):
            return found
    return Undecided("the derived bounds leave it open")


def _put(relation: Relational, lhs: sp.Expr, rhs: sp.Expr) -> Relational:
    return relation.func(lhs, rhs, evaluate=False)


def _value(side: sp.Expr, derived: Derived, names: Names, end: str = "") -> Any:
    """A side with what was derived: the values, or one end of an enclosure; names written out."""
    if isinstance(derived.get(side), Enclosed):
        side = getattr(derived[side], end)
        return side if side is None else _written_out(sp.sympify(side), names)
    values = {k: sp.sympify(d.value) for k, d in derived.items() if isinstance(d, Derivation)}
    return _written_out(_written_out(side, names).xreplace(values), names)


def _written_out(expression: sp.Expr, names: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    for _ in names:  # names may stand for others
        expression = expression.xreplace({k: sp.sympify(v) for k, v in names.items()})
    return expression


def _bounded_above(relation: Relational, derived: Derived, result: Result) -> Result:
    """What a result says where the derived values are upper bounds of the quantities."""
    lesser = relation.lhs if isinstance(relation, sp.Le | sp.Lt) else relation.rhs
    used = [k for k in derived if relation.has(k)]
    if used and (isinstance(relation, sp.Eq) or used != [lesser]):
        return Undecided("upper bounds were derived, which prove only what lies above them")
    if isinstance(result, Violated):
        return Undecided("the derived bound does not reach the claimed one, which proves nothing")
    if isinstance(result, Undefined):
        return Undecided(f"the derived bound is undefined: {result.reason}")
    return result


def _evidence(
    statement: Statement,
    relations: Sequence[Relational],
    results: Sequence[Result],
    steps: list[str],
    witness: Callable[[Statement, Counterexample], str] | None,
    derived: Derived,
    reading: str,
) -> Evidence:
    for relation, result in zip(relations, results, strict=True):
        if isinstance(result, Violated):
            values = _inputs(result.point, result.tensors)
            failed = Counterexample(values, claimed=result.rhs, actual=result.lhs)
            written_by = witness
            if result.tensors and not witness:
                written_by = partial(_with_tensors, relation, result, derived)
            return refuted(statement, failed, relation, steps, written_by, reading=reading)
    for relation, result in zip(relations, results, strict=True):
        if isinstance(result, Undefined):
            return _undefined(relation, result, steps)
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


def _undefined(relation: Relational, found: Undefined, steps: Sequence[str]) -> Evidence:
    """A side has no value at a point of the domain: the statement does not hold there."""
    inputs = _inputs(found.point, found.tensors)
    at = ", ".join(f"{name} = {value}" for name, value in inputs.items())
    certificate = {"inputs": inputs, "relation": written(relation), "undefined": found.reason}
    if steps:
        certificate["steps"] = list(steps)
    return Evidence(
        Kind.EXACT,
        Verdict.REFUTED,
        f"undefined at {at}: {found.reason}" if at else f"undefined: {found.reason}",
        {},
        certificate,
        reading=UNDEFINED,
    )


def _with_tensors(
    relation: Relational,
    found: Violated,
    derived: Derived,
    statement: Statement,
    failed: Counterexample,
) -> str:
    """A snippet that computes the contractions from the tensors, and both sides from them."""
    sides = [_value(side, derived, statement.where) for side in (relation.rhs, relation.lhs)]
    names = {s: sp.Symbol(f"c{k}") for k, s in enumerate(s for s in found.point)}
    lines = [f"{name} = np.array({entries}, dtype=float)" for name, entries in _tensors(found)]
    for s, name in names.items():
        if isinstance(s, Contraction):
            arrays = ", ".join(_array(tensor) for tensor, _, _ in s.shape.entries)
            subscripts = ",".join(_letters(indices) for _, _, indices in s.shape.entries)
            lines.append(f'{name} = np.einsum("{subscripts}->", {arrays})  # {s}')
        else:
            lines.append(f"{name} = {sp.pycode(found.point[s])}  # {s}")
    claimed, actual = (sp.pycode(side.xreplace(names)) for side in sides)
    return "\n".join(
        [
            "import math",
            "",
            "import numpy as np",
            "",
            *lines,
            f'print("claimed", float({claimed}))',
            f'print("actual", float({actual}))',
            "",
        ]
    )


def _tensors(found: Violated) -> list[tuple[str, str]]:
    return [(_array(name), _nested(entries)) for name, entries in found.tensors.items()]


def _array(tensor: str) -> str:
    return "tensor_" + tensor.replace("'", "_prime")


def _letters(indices: Sequence[int]) -> str:
    return "".join(chr(ord("a") + i) for i in indices)


def _nested(entries: Any) -> str:
    if isinstance(entries, list):
        return "[" + ", ".join(map(_nested, entries)) + "]"
    return str(entries)


def refuted(
    statement: Statement,
    failed: Counterexample,
    relation: sp.Basic | str,
    steps: Sequence[str] = (),
    witness: Callable[[Statement, Counterexample], str] | None = None,
    kind: Kind = Kind.EXACT,
    reading: str = "",
) -> Evidence:
    """Evidence of a refutation by a counterexample, with its snippet if it can be written.

    `reading` says what it is to be read as where "refuted" would say too much.
    """
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
    told = f"at {at}: {told}" if at else told
    return Evidence(
        kind,
        Verdict.REFUTED,
        f"{reading}: {told}" if reading else told,
        {"claimed": failed.claimed, "actual": failed.actual},
        certificate,
        reading,
    )


def _short(number: Any) -> str:
    """A number for a line of text: exact where that is short."""
    text = str(number)
    if len(text) <= 16:
        return text
    rounded = float(number)
    return f"{rounded:.8g}" if 1e-300 < abs(rounded) < 1e300 else str(sp.N(number, 8))


def _inputs(point: Point, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """By name: the symbols' values, and the tensors' entries."""
    found = {str(symbol): value for symbol, value in sorted(point.items(), key=lambda p: str(p[0]))}
    return {**found, **{t + " (tensor)" * (t in found): made for t, made in tensors.items()}}
