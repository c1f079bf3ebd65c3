import numpy as np
import pytest
import sympy as sp

from zotheory.papers.smezo.batches import COSINE, agreement


def test_known_cases():
    assert sp.simplify(agreement(1).value - sp.Rational(1, 2) - sp.asin(COSINE) / sp.pi) == 0
    assert sp.simplify(agreement(2).value - (1 + COSINE) / 2) == 0


@pytest.mark.parametrize("directions", [1, 2, 3, 4])
def test_simulated(directions):
    rng = np.random.default_rng(directions)
    for cosine in (-1, -0.6, 0, 0.3, 1):
        x, across = rng.standard_normal((2, 40_000, directions))
        y = cosine * x + (1 - cosine**2) ** 0.5 * across
        agree = np.mean((x * y).sum(axis=1) > 0)
        assert float(agreement(directions).value.subs(COSINE, cosine)) == pytest.approx(
            agree, abs=0.01
        )
