"""What is decided from gradients of a language model says both yes and no."""

import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
import torch

from tests.model.tiny_model import sentences, tiny_model
from zotheory.budget import BUDGETS, OWN_MODEL
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.judge import judge
from zotheory.papers import declared
from zotheory.papers.prior import on_model as prior
from zotheory.papers.prior.candidates import Candidates
from zotheory.papers.svd0 import algorithm1, frames
from zotheory.papers.svd0 import on_model as svd0
from zotheory.vocabulary import Evidence, Kind, Statement

IDS = (
    "svd0.better_subspace",
    "svd0.better_subspace.averaged",
    "svd0.fig1.metric",
    "svd0.table15.order",
    "prior.step.gv",
)
NAMES = tuple(f"model.layers.{i}.self_attn.{w}_proj.weight" for i in range(2) for w in "qkv")
SHARES = (algorithm1.KEPT, algorithm1.RANDOM)


@pytest.fixture
def context(tmp_path) -> Context:
    return Context("a.b", 0, BUDGETS["quick"], None, "tiny", tmp_path)


@pytest.fixture
def judged(context, monkeypatch):
    """What a claim's model check says of a statement, on studies that are given."""

    def judge(id: str, statement: Statement, **studies) -> Evidence:
        for module in (svd0, prior):
            monkeypatch.setattr(
                module, "once", lambda what, *_: studies[what.split(".")[-1]], raising=True
            )
        (check,) = (check for check in claim(id).checks if check.kind is Kind.MODEL)
        return check.judge(statement, context)

    return judge


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def claim(id: str):
    return next(claim for claim in declared() if claim.id == id)


def refreshes(rng, **means: float) -> svd0.Refreshes:
    """Synthetic refreshes whose columns have these means, with a spread of a tenth."""
    columns = {
        key.replace("_", " ").replace("SVD0", "SVD-0"): mean
        * (1 + 0.1 * rng.standard_normal((24, 6)))
        for key, mean in means.items()
    }
    return svd0.Refreshes(NAMES, columns)


def runs(evidence: Evidence) -> dict[str, float]:
    """What the certificate's snippet prints in a bare interpreter."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", evidence.certificate["snippet"]],
        capture_output=True,
        text=True,
        check=True,
    )
    return {k: float(v) for k, v in (line.split() for line in done.stdout.splitlines())}


def shows(evidence: Evidence) -> None:
    printed = runs(evidence)
    for name in ("claimed", "actual"):
        assert printed[name] == pytest.approx(evidence.certificate[name], rel=1e-6, abs=1e-9)


def test_a_better_subspace_is_seen_and_an_equal_one_refuted(judged, rng):
    id, found = "svd0.better_subspace", claim("svd0.better_subspace")
    better = refreshes(rng, share_of_SVD0=1.5, share_of_SubZero=1.0)
    equal = refreshes(rng, share_of_SVD0=1.0, share_of_SubZero=1.0)
    assert judged(id, found.statement, refreshes=better).verdict == "confirmed"
    assert judged(id, found.correction, refreshes=better).verdict == "refuted"
    refuted = judged(id, found.statement, refreshes=equal)
    assert refuted.verdict == "refuted"
    shows(refuted)
    assert judged(id, found.correction, refreshes=equal).verdict == "confirmed"
    doubled = Statement(
        "It is twice that.",
        sp.And(*(sp.Eq(name, 2 * frames.SHARE) for name in SHARES)),
    )
    assert judged(id, doubled, refreshes=equal).verdict == "refuted"


def test_an_order_of_three_needs_both_steps(judged, rng):
    id, found = "svd0.table15.order", claim("svd0.table15.order")
    rising = refreshes(rng, cos2_of_MeZO=1.0, cos2_of_SubZero=2.0, cos2_of_SVD0=4.0)
    half = refreshes(rng, cos2_of_MeZO=1.0, cos2_of_SubZero=1.0, cos2_of_SVD0=4.0)
    equal = refreshes(rng, cos2_of_MeZO=1.0, cos2_of_SubZero=1.0, cos2_of_SVD0=1.0)
    assert judged(id, found.statement, refreshes=rising).verdict == "confirmed"
    assert judged(id, found.statement, refreshes=half).verdict == "refuted"
    refuted = judged(id, found.statement, refreshes=equal)
    assert refuted.verdict == "refuted"
    shows(refuted)
    assert judged(id, found.correction, refreshes=equal).verdict == "confirmed"
    assert judged(id, found.correction, refreshes=half).verdict == "refuted"


class Spectra:
    """Cosines that differ by so much after the SVD."""

    def __init__(self, gaps):
        self.gaps, self.origin, self.after_svd = gaps, (gaps, 0 * gaps), {svd0.TOP: (gaps, gaps)}

    def gap(self, top):
        return self.gaps


@pytest.mark.parametrize(("gap", "differ"), [(0.2, True), (-0.2, True), (0.0, False)])
def test_spectra_that_differ_are_told_apart(gap, differ, judged, rng):
    id, found = "svd0.fig1.metric", claim("svd0.fig1.metric")
    rows = gap + 1e-3 * rng.standard_normal((6, len(NAMES)))
    studies = {"spectra": (NAMES, [Spectra(row) for row in rows]), "batch_sizes": {}}
    said = judged(id, found.statement, **studies)
    assert said.verdict == ("confirmed" if differ else "refuted")
    if not differ:
        shows(said)
    said = judged(id, found.correction, **studies)
    assert said.verdict == ("refuted" if differ else "confirmed")


def test_a_gradient_of_rank_one_is_found_by_an_average_and_a_flat_one_is_not(judged, rng):
    id = "svd0.better_subspace.averaged"

    def said(times, **gradients):
        statement = Statement("Kept.", sp.Ge(algorithm1.BEST, times * frames.SHARE))
        return judged(id, statement, averages=svd0.Averages(gradients, 0))

    spike = torch.outer(*(torch.from_numpy(rng.standard_normal(64)) for _ in range(2)))
    found = said(2, spike=spike)
    assert found.verdict == "confirmed"
    assert found.numbers["spike"]["shown from k"] <= 256
    assert said(40, spike=spike, flat=torch.eye(64)).verdict == "refuted"
    assert said(300, spike=spike, flat=torch.eye(64)).verdict == "refuted"


def drawn(rng, *, guided: bool, d: int = 10**6, draws: int = 200) -> Candidates:
    """Candidates that the losses order by slope, or at random."""
    inner = rng.standard_normal((draws, 4))
    losses = inner if guided else rng.standard_normal((draws, 4))
    return Candidates(d, losses, inner, np.broadcast_to(d * np.eye(4), (draws, 4, 4)))


def test_a_direction_that_losses_guide_is_seen_and_one_at_random_is_not(judged, rng):
    id, found = "prior.step.gv", claim("prior.step.gv")
    for guided, verdict in ((True, "confirmed"), (False, "inconclusive")):
        candidates = {"layer": drawn(rng, guided=guided)}
        assert judged(id, found.statement, candidates=candidates).verdict == verdict
    formula = found.statement.formula
    reversed_ = Statement("Less.", sp.Lt(*formula.args), setting=found.statement.setting)
    refuted = judged(id, reversed_, candidates={"layer": drawn(rng, guided=True)})
    assert refuted.verdict == "refuted"
    shows(refuted)
    many = {"layer": drawn(rng, guided=True, draws=2000)}
    assert judged(id, found.mutant, candidates=many).verdict == "refuted"


@pytest.mark.parametrize("queries", [1, 3])
def test_the_variance_bound_holds_for_any_choice(queries, rng):
    for guided in (True, False):
        candidates = drawn(rng, guided=guided, draws=20_000)
        square = (candidates.guided() - candidates.plain(queries)) ** 2
        assert square.mean() < prior.variance_bound(queries, candidates.dimension)


def test_without_a_model_nothing_is_measured(context):
    without = Context("a.b", 0, BUDGETS["quick"], None, None, context.scratch)
    for id in IDS:
        (check,) = (check for check in claim(id).checks if check.kind is Kind.MODEL)
        assert check.judge(claim(id).statement, without).verdict == "not_run"


def test_the_studies_run_on_a_model(context, monkeypatch):
    """Far too few refreshes to decide; the weights stay what they are."""
    tiny = tiny_model()
    before = [p.detach().clone() for p in tiny.model.parameters()]
    monkeypatch.setattr(modelled, "_load", lambda name: tiny)
    monkeypatch.setattr("zotheory.evidence.modelled.sentences", lambda context, words: sentences())
    monkeypatch.setattr(modelled, "_DONE", {})
    monkeypatch.setattr(svd0, "BATCH_SIZE", 4)
    monkeypatch.setattr(svd0, "REFRESHES", 2)
    monkeypatch.setattr(svd0, "ESTIMATES", 2)
    monkeypatch.setattr(prior, "DRAWS", 2)
    for id in IDS:
        found = claim(id)
        (check,) = (check for check in found.checks if check.kind is Kind.MODEL)
        for statement in (found.statement, found.mutant or found.correction):
            evidence = check.judge(statement, context)
            assert evidence.kind is Kind.MODEL
            assert evidence.numbers
    assert len(modelled._DONE) == 5
    assert all(torch.equal(*pair) for pair in zip(tiny.model.parameters(), before, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("id", IDS)
def test_the_real_model_decides(id, tmp_path):
    from zotheory.montecarlo import MonteCarlo

    store = MonteCarlo(0, store=tmp_path)
    context = Context(id, 0, BUDGETS["quick"], store, OWN_MODEL, tmp_path)
    entry = judge(claim(id), context)
    (model,) = (e for e in entry.evidence if e.kind is Kind.MODEL)
    assert model.verdict.judged
    assert model.verdict is entry.verdict or entry.verdict in ("refuted", "confirmed")
