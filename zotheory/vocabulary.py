"""The words of a ledger: statement, check, evidence, verdict, claim.

A `Claim` is data. Its `statement` holds what the paper says once in words and once as a SymPy
relation; every check, report and figure reads that one relation. The same checks judge the claim's
`mutant` (a nearby false statement) and its `correction` (the nearest true one), so a check that
could not have failed is found out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.core.relational import Relational

from zotheory.arguments import flat, one_of, shown
from zotheory.views import as_html

if TYPE_CHECKING:
    from zotheory.context import Context

DRAWN = "drawn"  # the key of an evidence's numbers that are drawn and not listed
MARK = "†"  # behind a verdict's word that says more than was found, where there is no room for more
MARK_MEANS = f"{MARK} in another setting than the paper's, or in a narrower sense"
_CONTINUE = ("as ", "at ", "by ", "for ", "in ", "on ", "under ", "within ")


class Verdict(StrEnum):
    """What a check, or all checks of a claim together, found."""

    PROVED = "proved"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not_run"

    @property
    def holds(self) -> bool:
        """Whether the verdict says that the statement is true."""
        return self in (Verdict.PROVED, Verdict.CONFIRMED)

    @property
    def judged(self) -> bool:
        """Whether the verdict says anything about the statement's truth."""
        return self.holds or self is Verdict.REFUTED

    @property
    def word(self) -> str:
        """The verdict as one reads it: ``not run``."""
        return self.replace("_", " ")

    def brief(self, reading: str = "", elsewhere: bool = False) -> str:
        """The verdict for a table, never more than was found: ``refuted (other setting)``.

        reading: as of `Evidence`. elsewhere: whether it holds for another setting than the paper's.
        """
        words = self.word
        if reading and self.judged:
            words = f"{words} {reading}" if reading.startswith(_CONTINUE) else reading
        return f"{words} (other setting)" if elsewhere and self is not Verdict.NOT_RUN else words

    def marked(self, reading: str = "", elsewhere: bool = False) -> str:
        """The word alone, with `MARK` where that would say too much."""
        return self.word if self.brief(reading, elsewhere) == self.word else f"{self.word}{MARK}"


class AssetMissing(Exception):
    """Something a check needs (a model, a text) is not to be had; the message says what to do."""


class Kind(StrEnum):
    """How evidence was obtained, and what that implies.

    EXACT: derived. MEASURED: Monte Carlo. SEARCH: an adversarial search. MODEL: measured on a
    language model. COUNTED: counted on code that runs. TIMED: by the clock. PRINTED: arithmetic on
    numbers printed in a paper, which says nothing beyond them.
    """

    EXACT = "exact"
    MEASURED = "measured"
    SEARCH = "search"
    MODEL = "model"
    COUNTED = "counted"
    TIMED = "timed"
    PRINTED = "printed"

    @property
    def proves(self) -> bool:
        """Whether it speaks of the whole domain."""
        return self is Kind.EXACT

    @property
    def observes(self) -> bool:
        """Whether it sees what is so; a search that finds nothing may only have been too weak."""
        return self not in (Kind.EXACT, Kind.SEARCH)

    @property
    def random(self) -> bool:
        """Whether chance may mislead it, with a probability that it states."""
        return self in (Kind.MEASURED, Kind.MODEL, Kind.TIMED)

    @property
    def needs_model(self) -> bool:
        """Whether a run without a language model leaves it out."""
        return self in (Kind.MODEL, Kind.TIMED)

    @property
    def by_the_clock(self) -> bool:
        """Whether it needs the machine to itself, and differs from one to another."""
        return self is Kind.TIMED


def named(ids: Iterable[str], name: str) -> list[str]:
    """The ids that a name stands for: the id itself, else all that begin with it (a paper's)."""
    known = list(ids)
    return [i for i in known if i == name] or [i for i in known if i.startswith(f"{name}.")]


def written(formula: sp.Basic | None) -> str:
    """A relation, or a conjunction of relations, as one reads it: ``a = b, c <= d``."""
    if formula is None:
        return ""
    if isinstance(formula, sp.And):
        return ", ".join(sorted(map(written, formula.args)))
    if isinstance(formula, Relational):
        sign = {"==": "="}.get(formula.rel_op, formula.rel_op)
        return f"{formula.lhs} {sign} {formula.rhs}"
    return str(formula)


@dataclass(frozen=True)
class Statement:
    """One statement that is either true or false.

    `says` is the sentence; `formula` the same as a SymPy relation (or the `conjunction` of some)
    whose left side names the quantity and whose right side is what is claimed of it; `domain`
    bounds the formula's symbols; `where` defines names that stand in the formula for longer
    expressions; `setting` names what else the checks have to know (which factors are redrawn, which
    threshold is meant), so that a mutant can change it.
    """

    says: str
    formula: sp.Basic | None = None
    domain: tuple[sp.Basic, ...] = ()
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    setting: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.says, str):
            raise ValueError(f"a statement says something in words, got {shown(self.says)}")
        if not isinstance(self.formula, sp.Basic | None):
            raise ValueError(f"a formula is a SymPy relation, got {shown(self.formula)}")
        object.__setattr__(self, "domain", tuple(flat(self.domain)))

    @property
    def written(self) -> str:
        """The formula and what its names stand for, as one reads them: ``a <= b; b = m**2``."""
        names = (f"{name} = {stands_for}" for name, stands_for in self.where.items())
        return "; ".join(filter(None, (written(self.formula), *names)))

    @property
    def bound(self) -> sp.Expr:
        """The right side of the formula (a single relation) with its names written out."""
        if self.formula is None:
            raise ValueError(f"the statement has no formula: {self.says}")
        return self.formula.rhs.subs(self.where)

    def at(self, **sizes: Any) -> sp.Expr:
        """The right side of the formula (a single relation) at values of its symbols, by name.

        Raises ValueError for a name that is no symbol of it.
        """
        symbols = {symbol.name: symbol for symbol in self.bound.free_symbols}
        if unknown := sizes.keys() - symbols.keys():
            raise ValueError(f"no symbol {sorted(unknown)}; there are {sorted(symbols)}")
        return self.bound.subs({symbols[name]: value for name, value in sizes.items()})


def conjunction(*relations: sp.Basic) -> sp.Basic:
    """The formula that all of the relations hold, none of which SymPy may have decided.

    `sp.And` leaves out what follows from its symbols' assumptions while it is written, so that
    nobody would judge it. Raises ValueError for such a relation, and for two of which one is the
    other's negation.
    """
    parts = [part for r in relations for part in (r.args if isinstance(r, sp.And) else (r,))]
    for number, relation in enumerate(parts, 1):
        if relation in (True, False):
            raise ValueError(
                f"relation {number} of {len(parts)} was found {relation} by its symbols' "
                "assumptions while it was written: build it with evaluate=False, or leave it out"
            )
    whole = sp.And(*parts)
    if whole == sp.false:
        raise ValueError(f"two of the relations exclude each other: {', '.join(map(str, parts))}")
    return whole


@dataclass(frozen=True)
class Setting:
    """What a statement of a paper is about, and what is judged here where that is another thing.

    Attributes:
        paper: model, data, phase of training, sizes, as the paper has them.
        judged: the same of what is judged here; "" if it is just that. A verdict is worded by it.
    """

    paper: str
    judged: str = ""

    def __post_init__(self) -> None:
        if not (isinstance(self.paper, str) and self.paper and isinstance(self.judged, str)):
            raise ValueError(f"a setting is told in words, got {shown(self.paper)}")

    @property
    def elsewhere(self) -> bool:
        """Whether another thing is judged than the paper's statement is about."""
        return bool(self.judged)

    def __str__(self) -> str:
        """Both, where they differ: ``judged: a linear loss; the paper's: OPT-1.3B``."""
        return f"judged: {self.judged}; the paper's: {self.paper}" if self.judged else self.paper


@dataclass(frozen=True)
class Evidence:
    """What one check found out about one statement.

    `numbers` are the figures behind the verdict, and under `DRAWN` arrays that only figures need;
    `certificate` is what convinces a stranger: the
    steps of a derivation, or inputs, the claimed and the actual number and a snippet that prints
    both, or estimate, interval, tolerance, sample count and seed. `reading` says what the verdict
    is to be read as where the bare word would say too much. One that begins with a preposition goes
    on from the word ("by the printed numbers"), any other stands for it ("does not follow from the
    premise").
    """

    kind: Kind
    verdict: Verdict
    summary: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    certificate: Mapping[str, Any] = field(default_factory=dict)
    reading: str = ""


@dataclass(frozen=True)
class Check:
    """A way of getting evidence of one kind: `judge(statement, context)` returns `Evidence`."""

    kind: Kind
    judge: Callable[[Statement, Context], Evidence]

    def refutes(self, reading: str) -> Check:
        """The same check, a refutation by which is read "refuted " and `reading`.

        For a statement that takes its paper's words in one sense of several, or in a part of what
        they are about, so that "refuted" alone would say too much of the paper.
        """

        def judge(statement: Statement, context: Context) -> Evidence:
            found = self.judge(statement, context)
            if found.verdict is not Verdict.REFUTED or found.reading:
                return found
            return replace(found, reading=reading)

        return Check(self.kind, judge)


@dataclass(frozen=True, repr=False)
class Claim:
    """A published statement, the checks that judge it, and the controls that judge the checks.

    Attributes:
        id: the paper, then the place: ``tezo.thm1.variance``.
        where: the place in the paper.
        statement: what is claimed.
        needs: the least kinds of evidence without which the claim is not judged; one will do.
        checks: how evidence is obtained, one or several; unless another kind refutes, a kind in
            `needs` with no check leaves the claim ``not_run``, with `pending` as the reason.
        mutant: a nearby false statement that the same checks must refute if the claim holds.
        correction: the nearest true statement, which the same checks must confirm if it does not.
        pending: why a needed kind of evidence cannot be had yet.
        setting: what the paper's statement is about, and what is judged here if it differs.
    """

    id: str
    where: str
    statement: Statement
    needs: tuple[Kind, ...]
    checks: tuple[Check, ...] = ()
    mutant: Statement | None = None
    correction: Statement | None = None
    pending: str = ""
    setting: Setting | None = None

    @property
    def paper(self) -> str:
        """The paper's short name, the first part of the id."""
        return self.id.split(".", 1)[0]

    def __repr__(self) -> str:
        return f"<Claim {self.id}: {self.statement.says}>"

    def _repr_html_(self) -> str:
        """The claim as a notebook shows it."""
        return as_html(self)

    def __post_init__(self) -> None:
        plain = isinstance(self.id, str) and re.fullmatch(r"[\w-]+(\.[\w-]+)+", self.id)
        if not plain:  # it names files, too
            raise ValueError(f"claim id {self.id!r} must read 'paper.place'")
        for name in ("statement", "mutant", "correction"):
            stated = getattr(self, name)
            if not isinstance(stated, Statement) and (stated is not None or name == "statement"):
                raise ValueError(
                    f"{self.id}: {name} must be a zotheory.Statement, got {shown(stated)}"
                )
        if not isinstance(self.setting, Setting | None):
            raise ValueError(
                f"{self.id}: setting must be a zotheory.Setting, got {shown(self.setting)}"
            )
        needs = (one_of(f"{self.id}: needs", n, Kind) for n in flat(self.needs))
        object.__setattr__(self, "needs", tuple(map(Kind, needs)))
        object.__setattr__(self, "checks", tuple(flat(self.checks)))
        if not all(isinstance(check, Check) for check in self.checks):
            raise ValueError(f"{self.id}: every one of the checks must be a zotheory.Check")
        if not self.needs:
            raise ValueError(f"{self.id}: a claim needs at least one kind of evidence")
        missing = set(self.needs) - {check.kind for check in self.checks}
        if missing and not self.pending:
            kinds = ", ".join(sorted(missing))
            raise ValueError(f"{self.id}: no check gives the evidence it needs ({kinds})")
