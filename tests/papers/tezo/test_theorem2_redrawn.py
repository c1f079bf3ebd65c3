"""Theorem 2 with redrawn factors: the loss that its bound leaves out, and the quadratic."""

import subprocess
import sys

import numpy as np
import pytest

from zotheory.papers import claim
from zotheory.papers.tezo import theorem2_redrawn as it
from zotheory.papers.tezo.descent import ETA
from zotheory.search import search
from zotheory.vocabulary import Verdict


class Quiet:
    claim = "tezo.thm2.resampled"

    @staticmethod
    def tell(line):
        assert line.startswith("tezo.thm2.resampled")


@pytest.fixture(scope="module")
def stated():
    return claim("tezo.thm2.resampled")


def test_the_loss_is_smooth_and_its_floor_is_where_the_estimate_vanishes():
    k = float(it.SLOPE)
    w = np.linspace(-50, 5, 4001)
    slopes = np.diff(it.hinge(w)) / np.diff(w)
    assert np.diff(slopes).max() <= np.diff(w)[0] * (1 + 1e-6)  # 1-smooth
    assert np.diff(slopes).min() >= -1e-9  # convex
    assert it.hinge(np.array([-k, 0.0])) == pytest.approx([-(k**2) / 2, 0])
    z = np.prod(np.random.default_rng(0).standard_normal((3, 4_000_000)), axis=0)
    estimate = (it.hinge(z) - it.hinge(-z)) * z / 2
    assert abs(estimate.mean()) < 5 * estimate.std() / 2000  # at 0, where the slope is k


def test_the_derived_floor_lies_below_what_runs_do():
    eta = 1e-5
    runs = it.HingeDescent(eta, 3000)(np.random.default_rng(0), 64) * it.CAPS
    assert it.hinge_floor().value.subs(ETA, eta) < runs[:, 0].mean() <= runs[:, 1].mean()
    assert runs[:, 1].mean() == pytest.approx(float(it.SLOPE) ** 2, rel=0.05)


def test_the_printed_bound_is_refuted_and_a_bias_term_repairs_it(stated):
    found = it._judge(stated.statement, Quiet)
    assert found.verdict is Verdict.REFUTED
    done = subprocess.run(
        [sys.executable, "-c", found.certificate["snippet"]], capture_output=True, text=True
    )
    assert not done.stderr
    said = {k: float(v) for k, _, v in (x.rpartition(" ") for x in done.stdout.splitlines())}
    assert said["claimed"] < said["actual"]
    assert said["claimed"] == pytest.approx(found.certificate["claimed"])
    assert said["simulated over 20000 steps"] > said["actual"]
    assert it._judge(stated.correction, Quiet).verdict is Verdict.PROVED


def test_the_search_finds_it_too(stated):
    assert search(it._problem(stated.statement), 0, 120).found
    assert not search(it._problem(stated.correction), 0, 120).found
