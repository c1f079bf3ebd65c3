"""From evidence to a verdict, and from a claim to its ledger entry."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zotheory.context import Context
from zotheory.ledger import Control, Entry, reading_of
from zotheory.vocabulary import AssetMissing, Check, Claim, Evidence, Kind, Statement, Verdict

CONTRADICTION = "exact and measured evidence contradict each other: a defect of the toolkit"
UNCONTROLLED = "no mutant: these checks have not been seen refuting anything"


@dataclass(frozen=True)
class Finding:
    """What all checks together say of one statement; `failed` and `missing` as in `Entry`."""

    verdict: Verdict
    evidence: tuple[Evidence, ...]
    reason: str = ""
    failed: str = ""
    missing: str = ""


def combine(evidence: Sequence[Evidence], needs: Sequence[Kind]) -> tuple[Verdict, str]:
    """The verdict from all evidence, with the reason where it is not a judgement.

    The first of `RULES` that applies gives both. A refutation by any check refutes. `proved` needs
    an exact proof, `confirmed` needs every kind in `needs` to hold. Exact evidence that contradicts
    any other kind decides nothing; but a search that found no counterexample where there is one was
    only too weak.
    """
    case = Case(evidence, needs)
    return next((verdict, why(case)) for applies, verdict, why in RULES if applies(case))


@dataclass(frozen=True)
class Case:
    """All evidence of one statement, and what it says that the rules ask for."""

    evidence: Sequence[Evidence]
    needs: Sequence[Kind]

    def _any(self, verdict: Verdict, kinds: Callable[[Kind], bool] = lambda _: True) -> bool:
        return any(e.verdict is verdict and kinds(e.kind) for e in self.evidence)

    @property
    def proved(self) -> bool:
        """Whether evidence that can prove does."""
        return self._any(Verdict.PROVED, lambda kind: kind.proves)

    @property
    def disproved(self) -> bool:
        """Whether evidence that could have proved refutes."""
        return self._any(Verdict.REFUTED, lambda kind: kind.proves)

    @property
    def seen(self) -> bool:
        """Whether the statement was seen to hold."""
        return self._any(Verdict.CONFIRMED, lambda kind: kind.observes)

    @property
    def refuted(self) -> bool:
        """Whether anything refutes."""
        return self._any(Verdict.REFUTED)

    @property
    def contradictory(self) -> bool:
        """Whether exact evidence and other evidence, or two proofs, exclude each other."""
        return (self.proved and self.refuted) or (self.disproved and self.seen)

    @property
    def missing(self) -> list[Kind]:
        """The kinds that are needed and were not run."""
        ran = {e.kind for e in self.evidence if e.verdict is not Verdict.NOT_RUN}
        return [kind for kind in self.needs if kind not in ran]

    @property
    def undecided(self) -> list[Evidence]:
        """The evidence that judges nothing."""
        return [e for e in self.evidence if not e.verdict.judged]

    @property
    def proof_is_whole(self) -> bool:
        """Whether what can prove does, and none of it is undecided; others may have been weak."""
        return self.proved and not any(e.kind.proves for e in self.undecided)

    def why_missing(self) -> str:
        """What the checks that were not run say, else which kinds there are none of."""
        told = "; ".join(e.summary for e in self.evidence if e.verdict is Verdict.NOT_RUN)
        return told or f"no {' or '.join(self.missing)} evidence"

    def why_undecided(self) -> str:
        """What the undecided checks say."""
        return "; ".join(e.summary for e in self.undecided)


# The first that applies decides: (condition, verdict, reason).
RULES: tuple[tuple[Callable[[Case], Any], Verdict, Callable[[Case], str]], ...] = (
    (lambda case: case.contradictory, Verdict.INCONCLUSIVE, lambda _: CONTRADICTION),
    (lambda case: case.refuted, Verdict.REFUTED, lambda _: ""),
    (lambda case: case.missing, Verdict.NOT_RUN, Case.why_missing),
    (lambda case: case.proof_is_whole, Verdict.PROVED, lambda _: ""),
    (lambda case: case.undecided, Verdict.INCONCLUSIVE, Case.why_undecided),
    (lambda case: True, Verdict.CONFIRMED, lambda _: ""),
)


def judge(claim: Claim, context: Context) -> Entry:
    """Run a claim's checks, then the control its verdict calls for, and write its entry."""
    started = time.perf_counter()
    found = examine(claim, claim.statement, context)
    controlled = claim.correction if found.verdict is Verdict.REFUTED else None
    if found.verdict.holds:
        controlled = claim.mutant
    verdict, reason = found.verdict, UNCONTROLLED if found.verdict.holds else found.reason
    control, told = None, None
    if controlled:
        control = examine(claim, controlled, context)
        verdict, reason = _weigh(found, controlled, control)
        told = Control(
            controlled.says,
            control.verdict,
            _said(control),
            reading_of(control.verdict, control.evidence),
            claim.setting is not None and claim.setting.elsewhere,
        )
    return Entry(
        id=claim.id,
        paper=claim.paper,
        where=claim.where,
        says=claim.statement.says,
        formula=claim.statement.written,
        verdict=verdict,
        evidence=found.evidence,
        correction=told if found.verdict is Verdict.REFUTED else None,
        mutant=told if found.verdict.holds else None,
        certificate=_certificate(found),
        reason=reason,
        failed=found.failed or (control.failed if control else ""),
        missing=found.missing,
        seconds=round(time.perf_counter() - started, 2),
        setting=claim.setting,
    )


def _weigh(found: Finding, controlled: Statement, control: Finding) -> tuple[Verdict, str]:
    """The verdict after the control: checks that do not refute a falsehood confirm nothing."""
    if found.verdict is Verdict.REFUTED:
        unrepaired = f"the correction is {control.verdict}: {control.reason}"
        return found.verdict, found.reason if control.verdict.holds else unrepaired
    if control.verdict is not Verdict.REFUTED:
        why = f"the same checks do not refute the false statement: {controlled.says}"
        return Verdict.INCONCLUSIVE, f"{why} ({control.reason})" if control.reason else why
    return found.verdict, found.reason


def examine(claim: Claim, statement: Statement, context: Context) -> Finding:
    """What the claim's checks say of a statement: the claim itself, its mutant, its correction."""
    failures: list[str] = []
    absent: list[str] = []
    evidence = [_run(check, statement, context, failures, absent) for check in claim.checks]
    verdict, reason = combine(evidence, claim.needs)
    if verdict is Verdict.NOT_RUN and claim.pending:
        reason = claim.pending
    return Finding(verdict, tuple(evidence), reason, "; ".join(failures), "; ".join(absent))


def _run(
    check: Check, statement: Statement, context: Context, failures: list[str], absent: list[str]
) -> Evidence:
    try:
        found = check.judge(statement, context)
        if not isinstance(found, Evidence):
            raise TypeError(f"a check must return Evidence, not {type(found).__name__}")
        return found
    except AssetMissing as error:
        absent.append(str(error))
        return Evidence(check.kind, Verdict.NOT_RUN, str(error))
    except Exception as error:  # one broken check must not cost the other claims their verdicts
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = str(error).splitlines()[0] if str(error) else ""
        where = f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
        failures.append(f"the {check.kind} check raised {type(error).__name__}: {what} ({where})")
        return Evidence(check.kind, Verdict.NOT_RUN, failures[-1])


def _said(found: Finding) -> str:
    return found.reason or "; ".join(e.summary for e in found.evidence)


def _certificate(found: Finding) -> dict:
    """The certificate of the evidence that decided, exact evidence and snippets first."""
    deciding = found.verdict if found.verdict.holds else Verdict.REFUTED
    told = [e for e in found.evidence if e.verdict == deciding and e.certificate]
    told.sort(key=lambda e: ("snippet" not in e.certificate, not e.kind.proves))
    return {"kind": told[0].kind, **told[0].certificate} if told else {}
