"""Critical steps against spectral radii of the full maps, in numbers."""

from itertools import product

import numpy as np
import pytest
import sympy as sp

from proofs_check import stability
from proofs_check.moments import scalar_moment
from proofs_check.stability import BETA, EIGENVALUE, ETA

SPECTRA = ((2.0,), (3.0, 1.0), (3.0, 1.0, 0.5), (1.0, 1.0, 1.0, 1.0))


def full_map(h, eta):
    """The mean of X -> (I - eta z z^T H) X (I - eta H z z^T), Gaussian z, on d x d matrices."""
    d = len(h)
    eye, columns = np.eye(d), []
    for unit in np.eye(d * d):
        x = unit.reshape(d, d)
        y = h @ x @ h
        noise = np.trace(y) * eye + y + y.T
        columns.append((x - eta * (h @ x + x @ h) + eta**2 * noise).ravel())
    return np.array(columns).T


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_full_map_has_spectral_radius_one_at_the_critical_step(spectrum):
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((len(spectrum),) * 2))[0]
    h = turn @ np.diag(spectrum) @ turn.T
    eta = stability.critical(spectrum)
    assert abs(radius(full_map(h, eta)) - 1) < 1e-9
    assert radius(full_map(h, 0.9 * eta)) < 1 < radius(full_map(h, 1.1 * eta))
    total, largest = sum(spectrum), max(spectrum)
    assert 2 / (total + 2 * largest) <= eta * (1 + 1e-12)
    assert eta <= 2 / total


def test_one_eigenvalue_and_equal_ones():
    assert np.isclose(stability.critical([2.0]), 1 / 3)  # 1 - 2 x + 3 x^2 = 1 at x = 2/3
    assert np.isclose(stability.critical([1.0] * 4), 2 / 6)  # 2/(h (d + 2))


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_signs_by_enumeration(spectrum):
    """E||x||^2 over all draws of signs: the map of the squares at 2/Tr H has radius one."""
    d, eta = len(spectrum), 2 / sum(spectrum)
    h = np.diag(spectrum)
    steps = [np.eye(d) - eta * np.outer(z, z) @ h for z in product((-1.0, 1.0), repeat=d)]
    whole = sum(np.kron(a, a) for a in steps) / len(steps)
    assert abs(radius(whole) - 1) < 1e-9
    assert np.isclose(stability.critical(spectrum, stability.term("signs").value), eta)


def momentum_map(spectrum, eta, beta):
    """Of (x_i^2, x_i m_i, m_i^2), all i: the diagonal of E (x, m)(x, m)^T."""
    lam, d = np.array(spectrum), len(spectrum)

    def moved(state):
        x2, xm, m2 = state.reshape(3, d)
        shared = (lam**2 * x2).sum()
        unit = 1 - beta
        square = beta**2 * m2 + 2 * beta * unit * lam * xm
        square = square + unit**2 * (shared + 2 * lam**2 * x2)
        mixed = beta * xm + unit * lam * x2
        return np.concatenate(
            [x2 - 2 * eta * mixed + eta**2 * square, mixed - eta * square, square]
        )

    return np.array([moved(unit) for unit in np.eye(3 * d)]).T


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_momentum(spectrum, beta):
    """Theorems 2 and 3 of arXiv 2604.14669, in the convention of `estimators.updates.momentum`."""
    eta = stability.critical(spectrum, beta=beta)
    assert abs(radius(momentum_map(spectrum, eta, beta)) - 1) < 1e-7
    assert radius(momentum_map(spectrum, 0.9 * eta, beta)) < 1
    assert radius(momentum_map(spectrum, 1.1 * eta, beta)) > 1
    total, largest = sum(spectrum), max(spectrum)
    least = 2 / (total + 2 * largest / (1 + beta))
    assert least <= eta * (1 + 1e-9)
    assert eta <= 2 / total * (1 + 1e-9)


def test_momentum_term_is_that_of_the_theorem():
    x = ETA * EIGENVALUE
    theorem = x / (2 * (1 - x / (1 + BETA)))
    assert sp.simplify(stability.momentum_term().value - theorem) == 0


def test_the_map_written_out_is_the_one_of_two_terms():
    first, second = sp.symbols("l_1 l_2", positive=True)
    found = stability.second_moment_map((first, second), scalar_moment, ETA)
    own = 1 - 2 * ETA * first + 2 * ETA**2 * first**2
    assert sp.expand(found[0, 0] - own - ETA**2 * first**2) == 0
    assert sp.expand(found[0, 1] - ETA**2 * second**2) == 0


def test_what_has_no_critical_step_is_refused():
    with pytest.raises(ValueError, match="positive"):
        stability.critical([1.0, 0.0])
