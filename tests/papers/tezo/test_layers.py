"""What is said of a model's gradients, judged on made-up studies, says both."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr

from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence import modelled
from zotheory.model.gradients import Weight
from zotheory.model.study import GradientStudy
from zotheory.papers import claim
from zotheory.papers.tezo import layers

CONTEXT = Context("a claim", 0, BUDGETS["quick"], None, "a model", None)
BATCHES, WIDTH = 25, 50
WEIGHTS = tuple(
    Weight(f"model.layers.{layer}.self_attn.{module}.weight", layer, module, (WIDTH, 60))
    for layer in range(3)
    for module in ("q_proj", "o_proj")
)


def study(common=0.0, tail=0.001, seed=0) -> GradientStudy:
    """Gradients with a common part, whose spectra fall to `tail` after one twentieth."""
    rng = np.random.default_rng(seed)
    spectra = {
        w.name: np.tile(np.where(np.arange(WIDTH) < WIDTH // 20, 1.0, tail), (BATCHES, 1))
        for w in WEIGHTS
    }
    rows = {w.name: rng.standard_normal((BATCHES, 3000)) + common for w in WEIGHTS}
    units = {name: r / np.linalg.norm(r, axis=1, keepdims=True) for name, r in rows.items()}
    cosines = {name: u @ u.T for name, u in units.items()}
    return GradientStudy(0, 16, "vocabulary", 0.1, WEIGHTS, np.ones(BATCHES), spectra, cosines)


@pytest.fixture
def judged(monkeypatch):
    def judge(id, kind, *studies):
        given = iter(studies)
        monkeypatch.setattr(modelled, "study", lambda trajectory, context: next(given))
        monkeypatch.setattr(modelled, "_load", lambda name: SimpleNamespace(name=name, model=None))
        monkeypatch.setattr(layers, "once", lambda what, context, measure: measure(context))
        found = claim(id)
        (check,) = found.checks
        return check.judge(getattr(found, kind), CONTEXT)

    return judge


def shows(evidence):
    """The snippet prints, in a bare interpreter, what the certificate says."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", evidence.certificate["snippet"]],
        capture_output=True,
        text=True,
        check=True,
    )
    printed = dict(line.split() for line in done.stdout.splitlines())
    for name in ("claimed", "actual"):
        assert float(printed[name]) == pytest.approx(float(evidence.certificate[name]), rel=1e-5)


def test_the_median_over_the_steps_decides_at_every_matrix(judged):
    id, early, late = "tezo.fig5.low_rank", study(), study()
    assert judged(id, "statement", early).verdict == "confirmed"
    half = BATCHES // 2
    late.spectra[WEIGHTS[1].name][:half] = 1.0  # fewer than half of the steps
    assert judged(id, "statement", late).verdict == "confirmed"
    late.spectra[WEIGHTS[1].name][half] = 1.0
    found = judged(id, "statement", late)
    assert found.verdict == "refuted"
    assert found.certificate["inputs"]["setting"] == "layer 0 o_proj"
    shows(found)
    assert judged(id, "mutant", early).verdict == "refuted"
    assert judged(id, "correction", late).verdict == "confirmed"


def test_the_blocks_lie_as_deep_as_the_papers():
    assert layers.layers_as_deep(32) == {5, 11, 17, 23}
    assert layers.layers_as_deep(30) == {5, 10, 16, 22}  # the 6th, 11th, 17th and 23rd


@pytest.mark.parametrize("id", ["tezo.fig6.similarity", "tezo.fig6.label_words"])
def test_similarity_is_that_of_both_learning_rates(judged, id):
    alike, apart = study(common=1.0), study()
    assert judged(id, "statement", alike, alike).verdict == "confirmed"
    assert judged(id, "correction", alike, alike).verdict == "refuted"
    refuted = judged(id, "statement", apart, apart)
    assert refuted.verdict == "refuted"
    shows(refuted)
    assert judged(id, "correction", apart, apart).verdict == "confirmed"
    assert judged(id, "mutant", alike, alike).verdict == "refuted"
    mixed = judged(id, "statement", alike, apart)
    assert mixed.verdict == "inconclusive"
    assert "do not say the same" in mixed.summary


def test_the_top_fifth_is_judged_in_every_matrix(judged):
    id, alike, apart = "tezo.fig1b.subspace", study(common=3.0), study()
    assert judged(id, "statement", *[alike] * 4).verdict == "confirmed"
    refuted = judged(id, "statement", alike, alike, alike, apart)
    assert refuted.verdict == "refuted"
    shows(refuted)
    assert judged(id, "mutant", *[alike] * 4).verdict == "refuted"
    assert judged(id, "correction", *[study(common=0.5)] * 4).verdict == "confirmed"
    assert judged(id, "correction", *[apart] * 4).verdict == "refuted"


@pytest.mark.parametrize(("slope", "verdict"), [(1, "confirmed"), (-1, "refuted")])
def test_ranks_are_compared_over_all_matrices(judged, monkeypatch, slope, verdict):
    ranks = np.arange(40)
    found = SimpleNamespace(
        pooled=float(slope * 0.99),
        within_mean=0.0,
        within={},
        layers=ranks,
        weight_ranks=ranks,
        gradient_ranks=slope * ranks,
        modules=["q_proj"] * 40,
    )
    monkeypatch.setattr("zotheory.model.gradients.weight_spectra", lambda *_: {})
    monkeypatch.setattr(
        "zotheory.papers.tezo.measurements.rank_correlation", lambda *_, **__: found
    )
    monkeypatch.setattr(layers.drawn, "ranks", lambda _: {})
    said = judged("tezo.fig7.rank_correlation", "statement", study())
    assert said.verdict == verdict
    assert set(said.numbers) == {"threshold 25%", "threshold 30%", "drawn"}


@pytest.fixture
def ranked(judged, monkeypatch):
    """What is said where Eq. 7's ranks and the gradients' are these, at 25% and at 30%."""

    def judge(id, kind, *ranks):
        weights = {w.name: None for w in WEIGHTS}
        monkeypatch.setattr("zotheory.model.gradients.weight_spectra", lambda *_: weights)
        found = {
            threshold: SimpleNamespace(
                pooled=float(spearmanr(weight, gradient).statistic),
                layers=np.arange(len(weight)),
                weight_ranks=np.array(weight),
                gradient_ranks=np.array(gradient, dtype=float),
                modules=["q_proj"] * len(weight),
            )
            for threshold, (weight, gradient) in zip((0.25, 0.3), ranks, strict=True)
        }
        monkeypatch.setattr(
            "zotheory.papers.tezo.measurements.rank_correlation",
            lambda *_, threshold: found[threshold],
        )
        return judged(id, kind, study())

    return judge


UP, MIXED = ([1, 2, 2, 4, 5, 6], [1, 3, 2.5, 4, 6, 7]), ([1, 2, 2, 4, 5, 6], [4, 2, 9, 1, 4, 2])


def test_a_high_correlation_at_one_threshold_is_enough(ranked):
    id = "tezo.fig7.high_correlation"
    for given in ((UP, MIXED), (MIXED, UP)):
        assert ranked(id, "statement", *given).verdict == "confirmed"
        assert ranked(id, "mutant", *given).verdict == "refuted"
    refuted = ranked(id, "statement", MIXED, MIXED)
    assert refuted.verdict == "refuted"
    shows(refuted)  # Spearman's correlation with ties, by numpy alone
    assert ranked(id, "correction", MIXED, MIXED).verdict == "confirmed"


def test_half_of_the_ranks_within_a_factor_of_two_are_enough(ranked):
    id, far = "tezo.eq7.size", ([9, 2, 8, 9], [3, 2, 2, 3])
    half = ([4, 2, 9, 1], [2, 4, 2, 2.5])  # both ends of the factor count as within it
    assert ranked(id, "statement", half, half).verdict == "confirmed"
    assert ranked(id, "mutant", half, half).verdict == "refuted"
    refuted = ranked(id, "statement", far, half)  # 25% alone decides
    assert refuted.verdict == "refuted"
    shows(refuted)
    assert ranked(id, "correction", far, half).verdict == "confirmed"
