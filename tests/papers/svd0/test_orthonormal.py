import numpy as np
import pytest
import sympy as sp

from zotheory.papers.svd0.frames import QT, Q, distance_to_identity, trace

N, R, M = sp.symbols("n r m", integer=True, positive=True)


@pytest.mark.parametrize("word", [(QT, Q), (Q, QT), (Q, QT, Q, QT)])
@pytest.mark.parametrize("shapes", [((5, 2),), ((3, 1), (4, 3))])
def test_traces_and_distances_of_drawn_frames(word, shapes):
    rng = np.random.default_rng(0)
    q = np.eye(1)
    for shape in shapes:
        q = np.kron(q, np.linalg.qr(rng.standard_normal(shape))[0])
    product = np.linalg.multi_dot([{Q: q, QT: q.T}[factor] for factor in word])
    assert float(trace(word, *shapes)) == pytest.approx(np.trace(product))
    distance = np.sum((product - np.eye(len(product))) ** 2)
    assert float(distance_to_identity(word, *shapes).value) == pytest.approx(distance, abs=1e-12)


def test_symbolic_sizes():
    assert distance_to_identity((Q, QT), (N, R)).value == N - R
    assert distance_to_identity((QT, Q), (N, R), (M, R)).value == 0
    assert distance_to_identity((Q, QT), (N, R), (M, R)).value == M * N - R**2


@pytest.mark.parametrize("word", [(), (Q,), (Q, Q), (Q, QT, Q)])
def test_other_words_are_refused(word):
    with pytest.raises(ValueError, match="alternating"):
        trace(word, (N, R))
