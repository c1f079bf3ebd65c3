"""Every claim: what is declared, what is recorded of it, and what a run finds.

The quick tests read the recorded ledger and judge a sample again, whose snippets they run; all
claims that need neither model nor clock are judged in the slow ones, and every recorded snippet
runs there; `make verify` judges every claim.
"""

import ast
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from zotheory.ledger import Entry, Ledger, changes, recorded
from zotheory.papers import ROOMS, declared, outline, select
from zotheory.run import verify
from zotheory.vocabulary import Kind

DECLARED = {claim.id: claim for claim in declared()}
DEAR = {kind for kind in Kind if kind.needs_model}  # evidence that the quick tests leave out
UNTIMED = [c.id for c in DECLARED.values() if Kind.TIMED not in c.needs]
JUDGED = [c.id for c in DECLARED.values() if not c.pending and not DEAR & set(c.needs)]
RECORDED = {entry.id: entry for entry in recorded().claims if entry.id in DECLARED}
SECONDS = 2  # that the sample's claims took together when they were recorded, at most


def sample() -> list[str]:
    """The quickest claims of each paper and kind of evidence, then the quickest of all."""
    known = [id for id in UNTIMED if id in RECORDED]
    quickest = sorted(known, key=lambda id: RECORDED[id].seconds)  # as declared where they tie
    first = {(id.split(".")[0], k): id for id in reversed(quickest) for k in DECLARED[id].needs}
    chosen, seconds = [], 0.0
    for id in sorted(quickest, key=lambda id: id not in first.values()):
        if seconds + RECORDED[id].seconds <= SECONDS:
            seconds += RECORDED[id].seconds
            chosen.append(id)
    return [id for id in UNTIMED if id in chosen]


# The ledgers looked at: as recorded, a sample judged again, all claims of a paper judged again.
IN = {"recorded": list(RECORDED), "sample": sample()}
IN |= {paper: [id for id in UNTIMED if id.startswith(f"{paper}.")] for paper in ROOMS}


def ledgers(*left_out: str, slow: tuple[str, ...] = ROOMS):
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(name, marks=pytest.mark.slow if name in slow else ())
            for name in IN
            if name not in left_out
        ],
    )


def entries(ids: list[str], *left_out: str):
    """Their entries in each ledger that has them, those of one paper at a time."""
    wanted, cases = set(ids), defaultdict(list)
    for name in IN:
        for id in IN[name] if name not in left_out else ():
            if id in wanted:
                cases[name, id.partition(".")[0]].append(id)
    return pytest.mark.parametrize(
        ("name", "chosen"),
        [
            pytest.param(
                name, of, id=f"{name}-{paper}", marks=pytest.mark.slow if name in ROOMS else ()
            )
            for (name, paper), of in cases.items()
        ],
    )


def test_ids_are_unique_and_no_recorded_claim_was_lost():
    assert len(declared()) == len(DECLARED)
    assert {entry.id for entry in recorded().claims} <= set(DECLARED)


def test_the_list_names_every_claim_in_its_words():
    """Also one that was not recorded, and those that were without a look at the papers."""
    record = recorded().claims
    words = [(c.id, c.where, c.statement.says) for c in DECLARED.values()]
    for known in (record, record[1:]):
        assert [(c.id, c.where, c.says) for c in outline([], known)] == words


def test_a_claim_has_a_place_a_sentence_and_a_setting():
    for id, claim in DECLARED.items():
        assert claim.where, id
        assert claim.statement.says.endswith((".", ".)")), id
        assert claim.setting is not None, id


def test_a_claim_has_a_control_that_says_something_else():
    for claim in map(DECLARED.get, JUDGED):
        controls = [control for control in (claim.mutant, claim.correction) if control]
        assert controls, claim.id
        assert all(control != claim.statement for control in controls), claim.id


@pytest.fixture(scope="session")
def ledger_of(tmp_path_factory) -> Callable[[str], Ledger]:
    """One of the ledgers; those not recorded without model and clock, at the quick budget."""

    @cache
    def judged(name: str) -> Ledger:
        if name == "recorded":
            return recorded()
        out, jobs = tmp_path_factory.mktemp(name), 2 if name in ROOMS else 1
        return verify(*IN[name], budget="quick", model=None, out=out, jobs=jobs)

    return judged


@pytest.fixture
def found(ledger_of, name, chosen) -> list[Entry]:
    return [ledger_of(name)[id] for id in chosen]


@ledgers()
def test_nothing_failed(name, ledger_of):
    assert {c.id: c.failed for c in ledger_of(name).claims if c.failed} == {}


@ledgers()
def test_the_ledger_is_in_the_papers_order(name, ledger_of):
    judged = [claim.id for claim in ledger_of(name).claims]
    assert judged == [id for id in DECLARED if id in set(judged)]


@entries(JUDGED)
def test_a_claim_is_judged_with_its_control(found):
    for entry in found:
        if entry.verdict == "refuted":
            assert entry.correction.verdict in ("proved", "confirmed"), entry.id
        else:
            assert entry.verdict in ("proved", "confirmed"), (entry.id, entry.reason)
            assert entry.mutant.verdict == "refuted", entry.id
        assert entry.reason == "", entry.id


@entries(UNTIMED)
def test_needed_evidence_decides(found):
    """Each kind of evidence that a claim needs says yes or no by itself."""
    for entry in found:
        verdicts = {e.kind: e.verdict for e in entry.evidence}
        for kind in set(DECLARED[entry.id].needs) - DEAR:
            told = f"{entry.id}: {kind} evidence; if the record is older than the claim, renew it"
            assert verdicts.get(kind) in ("proved", "confirmed", "refuted"), told


@entries(sorted(set(UNTIMED) - set(JUDGED)), "recorded")
def test_what_cannot_be_judged_says_why(found):
    for entry in found:
        assert entry.verdict in ("not_run", "refuted"), entry.id
        assert entry.reason, entry.id


@entries(JUDGED)
def test_a_certificate_convinces(found):
    for entry in found:
        assert convinces(entry), entry.id


def convinces(entry: Entry) -> bool:
    """Whether the certificate has what a stranger needs to judge again."""
    certificate = entry.certificate
    if entry.verdict == "refuted":
        shown = certificate.get("inputs") or certificate["cells"]
        return bool(shown) and certificate.keys() >= {"claimed", "actual", "snippet"}
    if entry.verdict == "proved":
        return certificate["kind"] == "exact" and bool(certificate["steps"])
    if certificate["kind"] == "measured":
        told = {"estimate", "interval", "tolerance", "samples"}
        measured = [e.numbers.values() for e in entry.evidence if e.kind == "measured"]
        return (
            bool(certificate["measurements"])
            and certificate.keys() >= {"error probability", "seed"}
            and all(numbers.keys() >= told for values in measured for numbers in values)
        )
    if certificate["kind"] == "search":
        return certificate.keys() >= {"evaluations", "ratio", "seed"}
    return len(certificate) > 1


# --- snippets -----------------------------------------------------------------------------------


def refuted(ledger: Ledger) -> list[Entry]:
    return [claim for claim in ledger.claims if claim.verdict == "refuted"]


def number(value) -> float:
    """A number of the ledger, which writes fractions as text."""
    top, _, bottom = str(value).partition("/")
    return float(top) / float(bottom or 1)


def imported(code: str) -> set[str]:
    """The packages that a snippet imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def printed(output: str, name: str) -> float:
    """The first number on the line that begins with `name`."""
    (line,) = [line for line in output.splitlines() if line.startswith(name)]
    for word in line.replace(":", " ").split():
        try:
            return float(word)
        except ValueError:
            continue
    raise AssertionError(f"no number in {line!r}")


@ledgers()
def test_snippets_import_numpy_and_the_standard_library_only(name, ledger_of):
    for claim in refuted(ledger_of(name)):
        used = imported(claim.certificate["snippet"])
        assert used - {"numpy"} <= sys.stdlib_module_names, claim.id


# How far a snippet may be from the certificate: most compute, this one simulates 4000 runs.
SIMULATED = {"tezo.thm2.algorithm1": 0.05}


# Runs programs one after the other, each with names of its own; what each prints is a line.
IN_TURN = """
import contextlib, io, json, sys
for code in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(code, {"__name__": "__main__"})
    print(json.dumps(told.getvalue()))
"""


def bare(code: str, folder: Path, given: str = "") -> str:
    """What a program prints in a bare interpreter."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (code, done.stdout, done.stderr)
    return done.stdout


@ledgers(slow=("recorded", *ROOMS))
def test_snippets_run_alone_and_show_the_violation(name, ledger_of, tmp_path):
    """In a bare interpreter, each prints the certificate's numbers, which violate the relation.

    Each in an interpreter of its own where a whole paper is judged; the others share one.
    """
    claims = refuted(ledger_of(name))
    snippets = [claim.certificate["snippet"] for claim in claims]
    if name not in ROOMS:
        lines = bare(IN_TURN, tmp_path, json.dumps(snippets)).splitlines()
        outputs = [json.loads(line) for line in lines]
    else:
        outputs = [bare(snippet, tmp_path) for snippet in snippets]
    for claim, output in zip(claims, outputs, strict=True):
        certificate = claim.certificate
        shown = {name: printed(output, name) for name in ("claimed", "actual")}
        known = {name: number(certificate[name]) for name in shown}
        tolerance = SIMULATED.get(claim.id, 1e-6 * abs(known["actual"]))
        if certificate["kind"] != "counted":  # a count's snippet counts on a smaller matrix
            assert shown == pytest.approx(known, rel=1e-6, abs=tolerance), claim.id
        if certificate["kind"] == "model":  # which states no relation between the two
            continue
        for found in (shown, known):
            claimed, actual = found["claimed"], found["actual"]
            assert violates(certificate["relation"], actual, claimed, tolerance), claim.id


def violates(relation: str, actual: float, claimed: float, tolerance: float) -> bool:
    """Whether the actual number breaks the claimed relation, by more than rounding or noise.

    Where one is claimed to lie strictly below the other, equal numbers break it, too.
    """
    gap = actual - claimed
    if "<" not in relation and ">" not in relation:
        return abs(gap) > 5 * tolerance
    gap = gap if "<" in relation else -gap
    strict = "<=" not in relation and ">=" not in relation
    return gap > 5 * tolerance or (strict and actual == pytest.approx(claimed))


# --- what was found before ----------------------------------------------------------------------


@ledgers("recorded")
def test_verdicts_are_those_recorded(name, ledger_of):
    assert changes(ledger_of(name).claims, recorded().claims) == []


def test_prefixes_select_claims():
    chosen = [c.id for c in select(["tezo.thm1"])]
    assert chosen == [id for id in DECLARED if id.startswith("tezo.thm1.")]
    assert {"tezo.thm1.mean", "tezo.thm1.variance"} <= set(chosen)
