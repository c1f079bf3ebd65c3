"""Every claim on the TeZO paper: what is declared, and one run of all of them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from zotheory.claims import select
from zotheory.ledger import Ledger, changes, recorded
from zotheory.run import verify
from zotheory.vocabulary import Kind

# The inventory of statements, with the least evidence that each needs.
NEEDS = {
    "tezo.spsa_limit": "exact",
    "tezo.thm1.mean": "exact measured",
    "tezo.thm1.variance": "exact measured",
    "tezo.thm1.a7b1": "exact",
    "tezo.thm1.a8b2": "exact",
    "tezo.remark1.order": "exact",
    "tezo.lemma1.norm4": "exact",
    "tezo.lemma1.norm4_bound": "exact",
    "tezo.lemma1.norm6": "exact",
    "tezo.lemma1.norm6_bound": "exact",
    "tezo.lemma1.tau_moments": "exact",
    "tezo.lemma1.sixth_bound": "exact",
    "tezo.lemma1.pathwise": "exact search",
    "tezo.lemma1.eq12": "search measured",
    "tezo.thm2.step_size": "exact",
    "tezo.thm2.conditional_mean": "exact measured",
    "tezo.thm2.algorithm1": "exact measured",
    "tezo.thm2.resampled": "measured",
    "tezo.table2.mezo": "counted",
    "tezo.table2.subzo": "counted",
    "tezo.table2.lozo": "counted",
    "tezo.table2.tezo": "counted",
    "tezo.eq6.linear": "exact measured",
    "tezo.eq6.relu": "search",
    "tezo.eq8.cross_mean": "exact",
    "tezo.eq8.negligible_on_average": "exact measured",
    "tezo.eq8.negligible_per_coordinate": "exact measured",
    "tezo.fig8.decreasing": "measured",
    "tezo.fig8.per_coordinate": "exact measured",
    "tezo.momentum.exact": "exact counted",
    "tezo.memory.adam_share": "counted",
    "tezo.memory.adam_below_mezo": "counted",
    "tezo.fig5.low_rank": "model",
    "tezo.fig6.similarity": "model",
    "tezo.fig6.label_words": "model",
    "tezo.fig1b.subspace": "model",
    "tezo.fig7.rank_correlation": "model",
}
DECLARED = {claim.id: claim for claim in select(["tezo"])}
JUDGED = [c.id for c in DECLARED.values() if not c.pending and Kind.MODEL not in c.needs]


def test_the_claims_are_those_of_the_inventory():
    assert len(select(["tezo"])) == len(DECLARED)
    assert set(DECLARED) == set(NEEDS)


@pytest.mark.parametrize("id", NEEDS)
def test_a_claim_needs_what_the_inventory_says(id):
    claim = DECLARED[id]
    assert set(claim.needs) == {Kind(kind) for kind in NEEDS[id].split()}
    assert claim.where
    assert claim.statement.says.endswith(".")


@pytest.mark.parametrize("id", JUDGED)
def test_a_claim_has_a_control_that_says_something_else(id):
    claim = DECLARED[id]
    controls = [control for control in (claim.mutant, claim.correction) if control]
    assert controls
    assert all(control != claim.statement for control in controls)


@pytest.fixture(scope="session")
def ledger(tmp_path_factory) -> Ledger:
    """All claims without the model at the quick budget."""
    return verify("tezo", budget="quick", model=None, out=tmp_path_factory.mktemp("tezo"), jobs=2)


@pytest.fixture
def entry(ledger, id) -> dict:
    return next(claim for claim in ledger.claims if claim["id"] == id)


def test_nothing_failed(ledger):
    assert {c["id"]: c["failed"] for c in ledger.claims if c["failed"]} == {}


def test_the_ledger_is_complete_and_in_order(ledger):
    assert [claim["id"] for claim in ledger.claims] == list(DECLARED)


@pytest.mark.parametrize("id", JUDGED)
def test_a_claim_is_judged_with_its_control(entry):
    if entry["verdict"] == "refuted":
        assert entry["correction"]["verdict"] in ("proved", "confirmed")
    else:
        assert entry["verdict"] in ("proved", "confirmed"), entry["reason"]
        assert entry["mutant"]["verdict"] == "refuted"
    assert entry["reason"] == ""


@pytest.mark.parametrize("id", JUDGED)
def test_needed_evidence_decides(id, entry):
    """Each kind of evidence that a claim needs says yes or no by itself."""
    found = {e["kind"]: e["verdict"] for e in entry["evidence"]}
    for kind in NEEDS[id].split():
        assert found[kind] in ("proved", "confirmed", "refuted"), kind


@pytest.mark.parametrize("id", sorted(set(NEEDS) - set(JUDGED)))
def test_what_cannot_be_judged_says_why(entry):
    assert entry["verdict"] == "not_run"
    assert entry["reason"]


@pytest.mark.parametrize("id", JUDGED)
def test_a_certificate_convinces(entry):
    certificate = entry["certificate"]
    if entry["verdict"] == "refuted":
        assert certificate["inputs"]
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


def test_snippets_import_numpy_and_the_standard_library_only(ledger):
    for claim in refuted(ledger):
        used = imported(claim["certificate"]["snippet"])
        assert "numpy" in used, claim["id"]
        assert used - {"numpy"} <= sys.stdlib_module_names, claim["id"]


# How far a snippet may be from the certificate: most compute, this one simulates 4000 runs.
SIMULATED = {"tezo.thm2.algorithm1": 0.05}


def test_snippets_run_alone_and_show_the_violation(ledger, tmp_path):
    """In a bare interpreter, each prints the certificate's numbers, which violate the relation."""
    assert refuted(ledger)
    for claim in refuted(ledger):
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
            assert violates(claim, certificate["relation"], actual, claimed, tolerance), claim["id"]


def violates(claim, relation: str, actual: float, claimed: float, tolerance: float) -> bool:
    """Whether the actual number breaks the claimed relation, by more than rounding or noise."""
    if "<" not in relation:
        return abs(actual - claimed) > 5 * tolerance
    if claim["id"] == "tezo.fig8.per_coordinate":  # strictly less is claimed, they are equal
        return actual == pytest.approx(claimed)
    return actual > claimed + 5 * tolerance


# --- what was found before ----------------------------------------------------------------------


def test_verdicts_are_those_recorded(ledger):
    assert changes(ledger.claims, recorded().claims) == []


def test_prefixes_select_claims():
    assert [c.id for c in select(["tezo.thm1"])] == [
        "tezo.thm1.mean",
        "tezo.thm1.variance",
        "tezo.thm1.a7b1",
        "tezo.thm1.a8b2",
    ]


def test_the_module_is_listed_under_its_paper():
    assert {claim.paper for claim in DECLARED.values()} == {"tezo"}
    assert Path(sys.modules["zotheory.claims.tezo"].__file__).parent.name == "tezo"
