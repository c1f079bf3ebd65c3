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
from zotheory.papers.svd0 import algorithm1, comparisons, frames
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
SHARES = {algorithm1.KEPT: "share of SVD-0", algorithm1.RANDOM: "share of SubZero"}
COSINES = {symbol: f"cos2 of {name}" for name, symbol in comparisons.COSINES.items()}


@pytest.fixture
def context(tmp_path) -> Context:
    return Context("a.b", 0, BUDGETS["quick"], None, "tiny", tmp_path)


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
        assert printed[name] == pytest.approx(evidence.certificate[name], rel=1e-6, abs=1e-12)


def test_a_better_subspace_is_seen_and_an_equal_one_refuted(context, rng):
    found = claim("svd0.better_subspace")
    decide = (SHARES, frames.SHARE, algorithm1.AT_LEAST, context)
    better = refreshes(rng, share_of_SVD0=1.5, share_of_SubZero=1.0)
    equal = refreshes(rng, share_of_SVD0=1.0, share_of_SubZero=1.0)
    assert svd0.decide_order(found.statement, better, *decide).verdict == "confirmed"
    assert svd0.decide_order(found.correction, better, *decide).verdict == "refuted"
    refuted = svd0.decide_order(found.statement, equal, *decide)
    assert refuted.verdict == "refuted"
    shows(refuted)
    assert svd0.decide_order(found.correction, equal, *decide).verdict == "confirmed"
    doubled = Statement(
        "It is twice that.",
        sp.And(*(sp.Eq(name, 2 * frames.SHARE) for name in SHARES)),
    )
    assert svd0.decide_order(doubled, equal, *decide).verdict == "refuted"


def test_an_order_of_three_needs_both_steps(context, rng):
    found = claim("svd0.table15.order")
    decide = (COSINES, 1 / (algorithm1.M * algorithm1.N), comparisons.LARGER, context)
    rising = refreshes(rng, cos2_of_MeZO=1.0, cos2_of_SubZero=2.0, cos2_of_SVD0=4.0)
    half = refreshes(rng, cos2_of_MeZO=1.0, cos2_of_SubZero=1.0, cos2_of_SVD0=4.0)
    equal = refreshes(rng, cos2_of_MeZO=1.0, cos2_of_SubZero=1.0, cos2_of_SVD0=1.0)
    assert svd0.decide_order(found.statement, rising, *decide).verdict == "confirmed"
    assert svd0.decide_order(found.statement, half, *decide).verdict == "refuted"
    refuted = svd0.decide_order(found.statement, equal, *decide)
    assert refuted.verdict == "refuted"
    shows(refuted)
    assert svd0.decide_order(found.correction, equal, *decide).verdict == "confirmed"
    assert svd0.decide_order(found.correction, half, *decide).verdict == "refuted"


@pytest.mark.parametrize(("gap", "differ"), [(0.2, True), (-0.2, True), (0.0, False)])
def test_spectra_that_differ_are_told_apart(gap, differ, context, rng):
    found = claim("svd0.fig1.metric")
    gaps = gap + 1e-3 * rng.standard_normal((6, len(NAMES)))
    arguments = (NAMES, gaps, comparisons.DIFFERENCE, context)
    said = svd0.decide_apart(found.statement, *arguments)
    assert said.verdict == ("confirmed" if differ else "refuted")
    if not differ:
        shows(said)
    said = svd0.decide_apart(found.correction, *arguments)
    assert said.verdict == ("refuted" if differ else "confirmed")


def test_a_gradient_of_rank_one_is_found_by_an_average_and_a_flat_one_is_not(context, rng):
    spike = torch.outer(*(torch.from_numpy(rng.standard_normal(24)) for _ in range(2)))
    study = svd0.Averages({"spike": spike}, 0)
    said = svd0.decide_averaged(study, 2.0, 2, context)
    assert said.verdict == "confirmed"
    assert said.numbers["spike"]["shown from k"] <= 96
    flat = svd0.Averages({"spike": spike, "flat": torch.eye(24)}, 0)
    assert svd0.decide_averaged(flat, 60.0, 2, context).verdict == "refuted"
    assert svd0.decide_averaged(flat, 300.0, 2, context).verdict == "refuted"


def drawn(rng, *, guided: bool, d: int = 10**6, draws: int = 200) -> Candidates:
    """Candidates that the losses order by slope, or at random."""
    inner = rng.standard_normal((draws, 4))
    losses = inner if guided else rng.standard_normal((draws, 4))
    return Candidates(d, losses, inner, np.broadcast_to(d * np.eye(4), (draws, 4, 4)))


def test_a_direction_that_losses_guide_is_seen_and_one_at_random_is_not(context, rng):
    found = claim("prior.step.gv")
    for guided, verdict in ((True, "confirmed"), (False, "inconclusive")):
        candidates = {"layer": drawn(rng, guided=guided)}
        assert prior.decide(found.statement, candidates, 1, context).verdict == verdict
    reversed_ = Statement("Less.", sp.Lt(*found.statement.formula.args))
    assert prior.decide(reversed_, {"layer": drawn(rng, guided=True)}, 1, context).verdict == (
        "refuted"
    )
    many = {"layer": drawn(rng, guided=True, draws=2000)}
    assert prior.decide(found.mutant, many, 3, context).verdict == "refuted"


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
