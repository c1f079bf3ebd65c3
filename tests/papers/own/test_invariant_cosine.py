import numpy as np
import pytest

from proofs_check.matrices import M, N
from zotheory.papers.own import no_free_lunch as module
from zotheory.papers.own.no_free_lunch import invariant_cosine


def haar(rng, size):
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.sign(np.diag(r))


def test_no_law_of_z_and_no_rank_of_g_matters():
    """Haar maps of one fixed Z of rank 1, against G of rank 1 and 2."""
    m, n = 3, 2
    rng = np.random.default_rng(0)
    z = np.outer(rng.standard_normal(m), rng.standard_normal(n))
    moved = np.array([haar(rng, m) @ z @ haar(rng, n) for _ in range(20_000)])
    claimed = float(invariant_cosine().value.subs({M: m, N: n}))
    for g in (np.eye(m, n), np.outer([1, 0, 0], [1, 0])):
        cosine = np.einsum("ij,bij->b", g, moved) ** 2 / np.sum(g**2) / np.sum(z**2)
        assert cosine.mean() == pytest.approx(claimed, abs=5 * cosine.std() / len(cosine) ** 0.5)


def test_correlated_entries_are_noticed(monkeypatch):
    monkeypatch.setattr(module, "haar_integral_orthogonal", lambda indices, size: 1)
    with pytest.raises(ArithmeticError, match="correlated"):
        module._same_entry(M)
