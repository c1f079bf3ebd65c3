"""What figures draw of a gradient study is what the study holds."""

import json

import numpy as np
import pytest

from zotheory.ledger import plain
from zotheory.model.gradients import Weight
from zotheory.model.study import GradientStudy
from zotheory.papers.tezo import drawn
from zotheory.papers.tezo.measurements import RankCorrelation, pairwise_cosines, top_share

BATCHES = 10
WEIGHTS = tuple(
    Weight(f"model.layers.{layer}.self_attn.{module}.weight", layer, module, (30, 40))
    for layer in range(3)
    for module in ("q_proj", "o_proj")
)


@pytest.fixture
def study() -> GradientStudy:
    rng = np.random.default_rng(0)
    spectra = {w.name: np.sort(rng.exponential(size=(BATCHES, 30)))[:, ::-1] for w in WEIGHTS}
    rows = {w.name: rng.standard_normal((BATCHES, 1200)) + 1 for w in WEIGHTS}
    units = {name: r / np.linalg.norm(r, axis=1, keepdims=True) for name, r in rows.items()}
    cosines = {name: u @ u.T for name, u in units.items()}
    return GradientStudy(0, 16, "vocabulary", 0.1, WEIGHTS, np.ones(BATCHES), spectra, cosines)


def test_spectra_are_relative_at_the_stated_positions(study):
    found = drawn.spectra(study, list(WEIGHTS))
    assert set(found["by matrix"]) == {drawn.label(w) for w in WEIGHTS}
    curve = found["by matrix"]["layer 1 q_proj"]
    values = study.spectra[WEIGHTS[2].name]
    at = np.array(curve["index"]) - 1
    expected = np.median(values / values[:, :1], axis=0)[at]
    assert curve["median"] == pytest.approx(expected, abs=1e-4)
    assert curve["index"][0] == 1
    assert curve["index"][-1] == curve["length"] == 30
    assert found["by batch"]["matrix"] == "layer 1 o_proj"
    assert len(found["by batch"]["relative singular values"]) == BATCHES


def test_every_pair_is_there_once(study):
    found = drawn.cosines(study)
    pairs = [value for row in found["cosine of each pair"] for value in row]
    mean = np.mean(list(study.cosines.values()), axis=0)
    assert sorted(pairs) == pytest.approx(sorted(pairwise_cosines(mean)), abs=1e-3)
    of_one = found["mean cosine of each matrix"]["layer 0 q_proj"]
    first = pairwise_cosines(study.cosines[WEIGHTS[0].name])
    assert of_one == pytest.approx(first.mean(), abs=1e-4)


def test_shares_rise_to_one_and_are_those_that_decide(study):
    shares = np.array(drawn.shares(study))
    assert shares.shape == (5, BATCHES)
    assert shares[:, -1] == pytest.approx(1)
    assert np.all(np.diff(shares, axis=1) >= 0)
    deciding = [top_share(matrix) for matrix in study.cosines.values()]
    assert shares[[0, 4], 1] == pytest.approx([min(deciding), max(deciding)], abs=1e-4)
    assert set(drawn.stacks(study)) == {drawn.label(w) for w in WEIGHTS}


def test_counts_and_ranks_keep_their_matrices():
    counts = dict(zip(WEIGHTS, np.arange(12).reshape(6, 2), strict=True))
    assert drawn.counts(counts)["o_proj"]["layer 2"] == [10, 10.25, 10.5, 10.75, 11]
    layers, modules = (np.array([getattr(w, of) for w in WEIGHTS]) for of in ("layer", "module"))
    ranks = np.arange(6)
    correlation = RankCorrelation(0.25, tuple(modules), layers, ranks, ranks / 2, 1, {}, 1)
    assert drawn.ranks(correlation)["o_proj"] == {
        "layer": [0, 1, 2],
        "weight": [1, 3, 5],
        "gradient": [0.5, 1.5, 2.5],
    }


def test_all_of_it_is_small_json(study):
    everything = [drawn.spectra(study, list(WEIGHTS)), drawn.cosines(study), drawn.stacks(study)]
    assert len(json.dumps(plain(everything))) < 12_000
