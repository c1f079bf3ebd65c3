"""The rules by which evidence becomes a verdict, and a claim an entry."""

from pathlib import Path

import pytest

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.judge import CONTRADICTION, RULES, UNCONTROLLED, Case, combine, judge
from zotheory.montecarlo import MonteCarlo
from zotheory.vocabulary import (
    AssetMissing,
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
)

P, C, R, I, N = (  # noqa: E741
    Verdict.PROVED,
    Verdict.CONFIRMED,
    Verdict.REFUTED,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_RUN,
)
EXACT, MEASURED, SEARCH, MODEL = Kind.EXACT, Kind.MEASURED, Kind.SEARCH, Kind.MODEL
TRUE, FALSE, REPAIRED = Statement("true"), Statement("false"), Statement("repaired")


def evidence(*pairs):
    return [Evidence(kind, verdict, f"{kind} is {verdict}") for kind, verdict in pairs]


def answers(kind, **verdicts):
    """A check that answers by what the statement says."""

    def check(statement, context):
        found = verdicts[statement.says]
        if isinstance(found, Exception):
            raise found
        return Evidence(kind, found, f"{kind} on {statement.says}", {}, {"by": f"{kind} {found}"})

    return Check(kind, check)


def claim(*checks, needs=(EXACT,), statement=TRUE, mutant=FALSE, correction=None, pending=""):
    return Claim("paper.place", "Eq. 1", statement, needs, checks, mutant, correction, pending)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context("paper.place", 0, BUDGETS["quick"], MonteCarlo(0), None, tmp_path)


@pytest.mark.parametrize(
    ("pairs", "needs", "verdict"),
    [
        ([(EXACT, P)], [EXACT], P),
        ([(EXACT, P), (MEASURED, C)], [EXACT, MEASURED], P),
        ([(EXACT, P), (MEASURED, I)], [EXACT, MEASURED], P),
        ([(EXACT, P)], [EXACT, MEASURED], N),
        ([(EXACT, P), (MEASURED, N)], [EXACT, MEASURED], N),
        ([(EXACT, N), (MEASURED, C)], [EXACT, MEASURED], N),
        ([(EXACT, P), (MEASURED, N)], [EXACT], P),
        ([(EXACT, P), (EXACT, I)], [EXACT], I),
        ([(EXACT, I), (MEASURED, C)], [EXACT, MEASURED], I),
        ([(MEASURED, C)], [MEASURED], C),
        ([(MEASURED, C), (SEARCH, C)], [MEASURED, SEARCH], C),
        ([(MEASURED, C), (SEARCH, I)], [MEASURED, SEARCH], I),
        ([(MEASURED, C)], [MEASURED, SEARCH], N),
        ([(MEASURED, C), (SEARCH, I)], [MEASURED], I),
        ([(MODEL, I)], [MODEL], I),
        ([(EXACT, R)], [EXACT], R),
        ([(EXACT, R)], [EXACT, MEASURED], R),
        ([(EXACT, R), (MEASURED, R)], [EXACT, MEASURED], R),
        ([(EXACT, R), (MEASURED, I)], [EXACT, MEASURED], R),
        ([(EXACT, I), (MEASURED, R)], [EXACT, MEASURED], R),
        ([(MEASURED, C), (SEARCH, R)], [MEASURED, SEARCH], R),
        ([(EXACT, N), (SEARCH, R)], [EXACT, SEARCH], R),
        ([(EXACT, R), (SEARCH, C)], [EXACT, SEARCH], R),
        ([], [EXACT], N),
    ],
)
def test_evidence_combines_to(pairs, needs, verdict):
    found, reason = combine(evidence(*pairs), needs)
    assert found is verdict
    assert bool(reason) == (verdict in (I, N))


@pytest.mark.parametrize(
    "pairs",
    [
        [(EXACT, P), (MEASURED, R)],
        [(EXACT, P), (SEARCH, R)],
        [(EXACT, P), (EXACT, R)],
        [(EXACT, R), (MEASURED, C)],
        [(EXACT, R), (MEASURED, C), (SEARCH, R)],
    ],
)
def test_evidence_that_contradicts_exact_evidence_decides_nothing(pairs):
    assert combine(evidence(*pairs), [EXACT]) == (I, CONTRADICTION)


@pytest.mark.parametrize("kind", [k for k in Kind if k is not EXACT])
@pytest.mark.parametrize("verdict", [C, P])
def test_only_exact_evidence_proves(kind, verdict):
    """Even a check of another kind that calls its finding proved confirms, no more."""
    assert combine([Evidence(kind, verdict, "")], [kind])[0] is C


def test_the_rules_stand_in_the_order_of_their_weight():
    """All of them apply to evidence that contradicts itself and lacks something; the first wins."""
    case = Case(evidence((EXACT, P), (EXACT, R), (MEASURED, N), (EXACT, I)), [EXACT, MEASURED])
    applying = [verdict for applies, verdict, _ in RULES if applies(case)]
    assert applying == [I, R, N, I, C]  # the proof alone is not whole
    assert [verdict for _, verdict, _ in RULES] == [I, R, N, P, I, C]


def test_printed_numbers_are_observed_and_prove_nothing():
    printed = Kind.PRINTED
    assert combine(evidence((printed, R)), [printed])[0] is R
    assert combine(evidence((EXACT, R), (printed, C)), [EXACT]) == (I, CONTRADICTION)


def test_not_run_names_what_is_missing():
    assert combine([], [EXACT, MEASURED])[1] == "no exact or measured evidence"
    assert combine(evidence((MEASURED, N)), [MEASURED])[1] == "measured is not_run"


def test_a_claim_that_holds_carries_its_refuted_mutant(context):
    entry = judge(claim(answers(EXACT, true=P, false=R)), context)
    assert (entry.verdict, entry.mutant.verdict, entry.correction) == (P, R, None)
    assert entry.mutant.says == "false"
    assert entry.reason == ""


@pytest.mark.parametrize("mutant", [P, C, I, N])
def test_a_mutant_that_is_not_refuted_leaves_the_claim_inconclusive(context, mutant):
    kind = EXACT if mutant is P else MEASURED
    entry = judge(claim(answers(kind, true=C, false=mutant), needs=(kind,)), context)
    assert entry.verdict is I
    assert "do not refute the false statement: false" in entry.reason


def test_a_contradiction_on_the_mutant_is_told(context):
    checks = answers(EXACT, true=P, false=R), answers(MEASURED, true=C, false=C)
    entry = judge(claim(*checks, needs=(EXACT, MEASURED)), context)
    assert entry.verdict is I
    assert CONTRADICTION in entry.reason


def test_a_claim_without_a_mutant_says_that_its_checks_are_uncontrolled(context):
    entry = judge(claim(answers(EXACT, true=P), mutant=None), context)
    assert (entry.verdict, entry.reason) == (P, UNCONTROLLED)


def test_a_refuted_claim_carries_its_correction(context):
    checks = answers(EXACT, false=R, repaired=P)
    entry = judge(claim(checks, statement=FALSE, mutant=None, correction=REPAIRED), context)
    assert (entry.verdict, entry.correction.verdict, entry.mutant) == (R, P, None)
    assert (entry.correction.says, entry.reason) == ("repaired", "")


@pytest.mark.parametrize("repaired", [R, I, N])
def test_a_correction_that_does_not_hold_is_told(context, repaired):
    checks = answers(EXACT, false=R, repaired=repaired)
    entry = judge(claim(checks, statement=FALSE, mutant=None, correction=REPAIRED), context)
    assert (entry.verdict, entry.correction.verdict) == (R, repaired)
    assert f"the correction is {repaired}" in entry.reason


@pytest.mark.parametrize("verdict", [I, N])
def test_a_claim_that_is_not_judged_runs_no_control(context, verdict):
    entry = judge(claim(answers(EXACT, true=verdict)), context)  # a mutant would raise KeyError
    assert (entry.verdict, entry.mutant, entry.correction, entry.failed) == (
        verdict,
        None,
        None,
        "",
    )


def test_a_pending_claim_runs_nothing(context):
    entry = judge(claim(pending="not written yet"), context)
    assert (entry.verdict, entry.reason, entry.evidence) == (N, "not written yet", ())


def test_a_check_that_raises_is_told_with_its_place(context):
    entry = judge(claim(answers(EXACT, true=ZeroDivisionError("first\nsecond"))), context)
    assert entry.verdict is N
    assert entry.failed.startswith(
        "the exact check raised ZeroDivisionError: first (test_judge.py:"
    )
    assert "\n" not in entry.failed


def test_a_check_that_raises_on_the_mutant_confirms_nothing(context):
    entry = judge(claim(answers(EXACT, true=P, false=ValueError("no"))), context)
    assert entry.verdict is I
    assert "ValueError: no" in entry.failed


def test_the_other_check_of_a_claim_survives_one_that_raises(context):
    checks = answers(MEASURED, true=RuntimeError("broken")), answers(EXACT, true=R, repaired=P)
    entry = judge(claim(*checks, mutant=None), context)
    assert entry.verdict is R
    assert "RuntimeError" in entry.failed


def test_a_check_that_returns_no_evidence_has_failed(context):
    entry = judge(claim(Check(EXACT, lambda statement, context: True)), context)
    assert entry.verdict is N
    assert "must return Evidence, not bool" in entry.failed


def test_a_missing_asset_is_no_failure(context):
    entry = judge(claim(answers(MODEL, true=AssetMissing("get it so")), needs=(MODEL,)), context)
    assert (entry.verdict, entry.missing, entry.failed) == (N, "get it so", "")


def test_the_certificate_is_that_of_the_evidence_that_decided(context):
    checks = answers(MEASURED, true=C, false=R), answers(EXACT, true=P, false=R)
    entry = judge(claim(*checks, needs=(EXACT, MEASURED)), context)
    assert entry.certificate == {"kind": EXACT, "by": "exact proved"}
    false = judge(claim(*checks, needs=(EXACT, MEASURED), statement=FALSE, mutant=None), context)
    assert false.certificate["by"] == "exact refuted"


def test_a_refutation_may_be_read_in_a_narrower_sense(context):
    """Only a refutation, and only where the check has not found a reading itself."""
    check = answers(EXACT, true=P, false=R, repaired=P).refutes("for small T")
    given = {"needs": (EXACT,), "checks": (check,)}
    refuted = judge(Claim("p.a", "", FALSE, correction=REPAIRED, **given), context)
    assert refuted.brief == "refuted for small T"
    assert refuted.correction.brief == "proved"
    holds = judge(Claim("p.a", "", TRUE, mutant=FALSE, **given), context)
    assert holds.brief == "proved"
    found = Check(EXACT, lambda *_: Evidence(EXACT, R, "", reading="for all T but 1"))
    assert found.refutes("for small T").judge(FALSE, context).reading == "for all T but 1"


def test_an_entry_carries_its_claims_setting_and_the_readings_of_what_decided(context):
    def check(statement, context):
        verdict = R if statement.says == "false" else C
        return Evidence(MODEL, verdict, "5 > 3", reading="at its first step")

    setting = Setting("OPT-1.3B", "SmolLM2-135M")
    given = {"needs": (MODEL,), "checks": (Check(MODEL, check),), "setting": setting}
    refuted = judge(Claim("p.a", "", FALSE, correction=REPAIRED, **given), context)
    assert refuted.told == (
        "refuted at its first step in another setting: SmolLM2-135M; the paper's: OPT-1.3B"
    )
    assert refuted.correction.brief == "confirmed at its first step (other setting)"
    holds = judge(Claim("p.a", "", TRUE, mutant=FALSE, **given), context)
    assert holds.brief == "confirmed at its first step (other setting)"
    assert (holds.mutant.verdict, holds.mutant.reading) == (R, "at its first step")
    alone = judge(Claim("p.a", "", TRUE, mutant=TRUE, **given), context)
    assert (alone.verdict, alone.brief) == (I, "inconclusive (other setting)")


def test_a_proofs_certificate_is_the_proofs_beside_numbers_with_a_snippet(context):
    def computed(statement, context):
        found = C if statement is TRUE else R
        return Evidence(Kind.PRINTED, found, "computed", {}, {"snippet": "print(1)"})

    proof = answers(EXACT, true=P, false=R)
    entry = judge(claim(proof, Check(Kind.PRINTED, computed)), context)
    assert entry.verdict is P
    assert entry.certificate == {"kind": EXACT, "by": "exact proved"}


@pytest.mark.parametrize(
    "id", ["", "place", ".place", "paper.", "a..b", "a.b/c", "a.../../b", "a.b c"]
)
def test_a_claim_id_reads_paper_place(id):
    with pytest.raises(ValueError, match=r"paper\.place"):
        Claim(id, "", TRUE, (EXACT,), (answers(EXACT),))


@pytest.mark.parametrize("kinds", [(), (MEASURED,), (SEARCH, MEASURED)])
def test_a_claim_without_a_check_that_it_needs_is_refused(kinds):
    checks = [answers(kind) for kind in kinds]
    with pytest.raises(ValueError, match=r"no check gives the evidence it needs \(exact"):
        claim(*checks, needs=(EXACT, MEASURED))
    assert claim(*checks, needs=(EXACT, MEASURED), pending="later").pending == "later"


def test_a_claim_needs_some_evidence():
    with pytest.raises(ValueError, match="at least one kind"):
        claim(answers(EXACT), needs=())


@pytest.mark.parametrize(
    ("verdict", "holds", "judged"),
    [(P, True, True), (C, True, True), (R, False, True), (I, False, False), (N, False, False)],
)
def test_verdicts(verdict, holds, judged):
    assert (verdict.holds, verdict.judged) == (holds, judged)
