"""From evidence to a verdict, and from a claim to its ledger entry."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from zotheory.context import Context
from zotheory.ledger import Control, Entry
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

    A refutation by any check refutes. `proved` needs an exact proof, `confirmed` needs every kind
    in `needs` to hold. Exact evidence that contradicts any other kind decides nothing; but a search
    that found no counterexample where there is one was only too weak.
    """
    exact = {e.verdict for e in evidence if e.kind.proves}
    other = {e.verdict for e in evidence if not e.kind.proves}
    observed = {e.verdict for e in evidence if e.kind.observes}
    proved_yet_refuted = Verdict.PROVED in exact and Verdict.REFUTED in exact | other
    refuted_yet_confirmed = Verdict.REFUTED in exact and Verdict.CONFIRMED in observed
    if proved_yet_refuted or refuted_yet_confirmed:
        return Verdict.INCONCLUSIVE, CONTRADICTION
    if Verdict.REFUTED in exact | other:
        return Verdict.REFUTED, ""
    ran = {e.kind for e in evidence if e.verdict is not Verdict.NOT_RUN}
    missing = [kind for kind in needs if kind not in ran]
    if missing:
        why = "; ".join(e.summary for e in evidence if e.verdict is Verdict.NOT_RUN)
        return Verdict.NOT_RUN, why or f"no {' or '.join(missing)} evidence"
    undecided = [e for e in evidence if not e.verdict.judged]
    if Verdict.PROVED in exact and not any(e.kind.proves for e in undecided):
        return Verdict.PROVED, ""
    if not undecided:
        return Verdict.CONFIRMED, ""
    return Verdict.INCONCLUSIVE, "; ".join(e.summary for e in undecided)


def judge(claim: Claim, context: Context) -> Entry:
    """Run a claim's checks, then the control its verdict calls for, and write its entry."""
    started = time.perf_counter()
    found = examine(claim, claim.statement, context)
    controlled = {Verdict.REFUTED: claim.correction}.get(found.verdict)
    if found.verdict.holds:
        controlled = claim.mutant
    control = examine(claim, controlled, context) if controlled else None
    verdict, reason = _weigh(found, controlled, control)
    told = control and Control(controlled.says, control.verdict, _said(control))
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
    )


def _weigh(
    found: Finding, controlled: Statement | None, control: Finding | None
) -> tuple[Verdict, str]:
    """The verdict after the control: checks that do not refute a falsehood confirm nothing."""
    if control is None:
        return found.verdict, UNCONTROLLED if found.verdict.holds else found.reason
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
    deciding = {Verdict.PROVED, Verdict.CONFIRMED} if found.verdict.holds else {Verdict.REFUTED}
    told = [e for e in found.evidence if e.verdict in deciding and e.certificate]
    told.sort(key=lambda e: ("snippet" not in e.certificate, not e.kind.proves))
    return {"kind": told[0].kind, **told[0].certificate} if told else {}
