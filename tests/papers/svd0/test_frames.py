import numpy as np
import pytest
import sympy as sp

from proofs_check.cards.invariance import NotInvariant
from proofs_check.matrices import M, N, R
from zotheory.papers.svd0 import frames


def test_gram_schmidt_is_that_of_qr():
    matrix = np.random.default_rng(0).standard_normal((4, 3))
    q, r = np.linalg.qr(matrix)
    found = frames.gram_schmidt(sp.Matrix(matrix.tolist()))
    for k, u in enumerate(found):
        u = np.array(u, dtype=float).ravel()
        assert u / np.linalg.norm(u) == pytest.approx(q[:, k] * np.sign(r[k, k]), abs=1e-12)


def test_what_is_not_gram_schmidt_does_not_commute(monkeypatch):
    """The premise can fail: a projection along a coordinate axis is not invariant."""
    monkeypatch.setattr(
        frames, "gram_schmidt", lambda a: [a[:, 0] - a[0, 0] * sp.eye(a.rows)[:, 0]]
    )
    with pytest.raises(ArithmeticError, match="commute"):
        frames.haar_steps.__wrapped__()


def test_shares():
    diagonal, off = frames.outer_product(R, N)
    assert (diagonal.value, off.value) == (R / N, 0)
    diagonal, off = frames.independent_projection()
    assert (diagonal.value, off.value) == (R**2 / (M * N), 0)
    diagonal, off = frames.algorithm1_projection(1)
    assert (diagonal.value, off.value) == (R**2 / (M * N), 0)


@pytest.mark.parametrize("queries", [2, 5])
def test_averages_know_the_gradient(queries):
    with pytest.raises(NotInvariant, match="depend on G"):
        frames.algorithm1_projection(queries)
