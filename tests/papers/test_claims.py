"""Every claim: what is declared, and one run of all that needs neither model nor clock."""

import ast
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest

from zotheory.ledger import Ledger, changes, recorded
from zotheory.papers import ROOMS, declared, outline, select
from zotheory.run import verify
from zotheory.vocabulary import Kind

DECLARED = {claim.id: claim for claim in declared()}
DEAR = {kind for kind in Kind if kind.needs_model}  # evidence that the quick tests leave out
UNTIMED = [c.id for c in DECLARED.values() if Kind.TIMED not in c.needs]
JUDGED = [c.id for c in DECLARED.values() if not c.pending and not DEAR & set(c.needs)]


def test_ids_are_unique_and_no_recorded_claim_was_lost():
    assert len(declared()) == len(DECLARED)
    assert {entry["id"] for entry in recorded().claims} <= set(DECLARED)


def test_the_list_names_every_claim_in_its_words():
    """Also one that was not recorded, and those that were without a look at the papers."""
    record = recorded().claims
    words = [(c.id, c.where, c.statement.says) for c in DECLARED.values()]
    for known in (record, record[1:]):
        assert [(c["id"], c["where"], c["says"]) for c in outline([], known)] == words


@pytest.mark.parametrize("id", DECLARED)
def test_a_claim_has_a_place_and_a_sentence(id):
    claim = DECLARED[id]
    assert claim.where
    assert claim.statement.says.endswith(".")


@pytest.mark.parametrize("id", JUDGED)
def test_a_claim_has_a_control_that_says_something_else(id):
    claim = DECLARED[id]
    controls = [control for control in (claim.mutant, claim.correction) if control]
    assert controls
    assert all(control != claim.statement for control in controls)


@pytest.fixture(scope="session")
def ledger_of(tmp_path_factory) -> Callable[[str], Ledger]:
    """The ledger of one paper, without model and clock, at the quick budget; judged once."""

    @cache
    def judged(paper: str) -> Ledger:
        out = tmp_path_factory.mktemp(paper)
        names = [id for id in DECLARED if id.startswith(f"{paper}.")]
        timed = [id for id in names if Kind.TIMED in DECLARED[id].needs]
        kept = [id for id in names if id not in timed]
        return verify(*kept, budget="quick", model=None, out=out, jobs=2)

    return judged


@pytest.fixture
def entry(ledger_of, id) -> dict:
    return next(claim for claim in ledger_of(id.split(".")[0]).claims if claim["id"] == id)


@pytest.mark.parametrize("paper", ROOMS)
def test_nothing_failed(paper, ledger_of):
    assert {c["id"]: c["failed"] for c in ledger_of(paper).claims if c["failed"]} == {}


@pytest.mark.parametrize("paper", ROOMS)
def test_the_ledger_is_in_the_papers_order(paper, ledger_of):
    judged = [claim["id"] for claim in ledger_of(paper).claims]
    assert judged == [id for id in DECLARED if id in set(judged)]


@pytest.mark.parametrize("id", JUDGED)
def test_a_claim_is_judged_with_its_control(entry):
    if entry["verdict"] == "refuted":
        assert entry["correction"]["verdict"] in ("proved", "confirmed")
    else:
        assert entry["verdict"] in ("proved", "confirmed"), entry["reason"]
        assert entry["mutant"]["verdict"] == "refuted"
    assert entry["reason"] == ""


@pytest.mark.parametrize("id", UNTIMED)
def test_needed_evidence_decides(id, entry):
    """Each kind of evidence that a claim needs says yes or no by itself."""
    found = {e["kind"]: e["verdict"] for e in entry["evidence"]}
    for kind in set(DECLARED[id].needs) - DEAR:
        assert found[kind] in ("proved", "confirmed", "refuted"), kind


@pytest.mark.parametrize("id", sorted(set(UNTIMED) - set(JUDGED)))
def test_what_cannot_be_judged_says_why(entry):
    assert entry["verdict"] in ("not_run", "refuted")
    assert entry["reason"]


@pytest.mark.parametrize("id", JUDGED)
def test_a_certificate_convinces(entry):
    certificate = entry["certificate"]
    if entry["verdict"] == "refuted":
        assert certificate.get("inputs") or certificate["cells"]
        assert certificate.keys() >= {"claimed", "actual", "snippet"}
    elif entry["verdict"] == "proved":
        assert certificate["kind"] == "exact"
        assert certificate["steps"]
    elif certificate["kind"] == "measured":
        assert certificate["measurements"]
        assert certificate.keys() >= {"error probability", "seed"}
        for e in entry["evidence"]:
            for numbers in e["numbers"].values() if e["kind"] == "measured" else ():
                assert numbers.keys() >= {"estimate", "interval", "tolerance", "samples"}
    elif certificate["kind"] == "search":
        assert certificate.keys() >= {"evaluations", "ratio", "seed"}
    else:
        assert len(certificate) > 1


# --- snippets -----------------------------------------------------------------------------------


def refuted(ledger: Ledger) -> list[dict]:
    return [claim for claim in ledger.claims if claim["verdict"] == "refuted"]


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


@pytest.mark.parametrize("paper", ROOMS)
def test_snippets_import_numpy_and_the_standard_library_only(paper, ledger_of):
    for claim in refuted(ledger_of(paper)):
        used = imported(claim["certificate"]["snippet"])
        if claim["certificate"]["kind"] != "printed":  # a table's snippet counts in fractions
            assert "numpy" in used, claim["id"]
        assert used - {"numpy"} <= sys.stdlib_module_names, claim["id"]


# How far a snippet may be from the certificate: most compute, this one simulates 4000 runs.
SIMULATED = {"tezo.thm2.algorithm1": 0.05}


@pytest.mark.parametrize("paper", ROOMS)
def test_snippets_run_alone_and_show_the_violation(paper, ledger_of, tmp_path):
    """In a bare interpreter, each prints the certificate's numbers, which violate the relation."""
    for claim in refuted(ledger_of(paper)):
        certificate = claim["certificate"]
        done = subprocess.run(
            [sys.executable, "-I", "-c", certificate["snippet"]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, (claim["id"], done.stderr)
        shown = {name: printed(done.stdout, name) for name in ("claimed", "actual")}
        known = {name: number(certificate[name]) for name in shown}
        tolerance = SIMULATED.get(claim["id"], 1e-6 * abs(known["actual"]))
        if certificate["kind"] != "counted":  # a count's snippet counts on a smaller matrix
            assert shown == pytest.approx(known, rel=1e-6, abs=tolerance), claim["id"]
        for found in (shown, known):
            claimed, actual = found["claimed"], found["actual"]
            assert violates(certificate["relation"], actual, claimed, tolerance), claim["id"]


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


@pytest.mark.parametrize("paper", ROOMS)
def test_verdicts_are_those_recorded(paper, ledger_of):
    assert changes(ledger_of(paper).claims, recorded().claims) == []


def test_prefixes_select_claims():
    chosen = [c.id for c in select(["tezo.thm1"])]
    assert chosen == [id for id in DECLARED if id.startswith("tezo.thm1.")]
    assert {"tezo.thm1.mean", "tezo.thm1.variance"} <= set(chosen)
