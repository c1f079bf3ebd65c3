import numpy as np
import pytest

from zotheory.papers.shared.matrix_estimates import MatrixEstimates, plain
from zotheory.papers.svd0.algorithm3 import MEANT, PRINTED, PrintedStep


def test_the_meant_step_is_that_of_the_code_that_trains():
    """<W_next - W, grad f> / (eta ||P^T grad f||^2) = -<estimate, grad f> / ||P^T grad f||^2."""

    def along(estimates: np.ndarray, target: np.ndarray) -> np.ndarray:
        return -np.einsum("bij,ij->b", estimates, target) / np.square(target).sum()

    options = (("rank", 2), ("interval", 10**6))
    trained = MatrixEstimates("svd0", plain(3, 4), along, options, given=True)
    meant = PrintedStep(MEANT, plain(3, 4), 2, 0.25, 1.0, "along")
    a, b = trained(np.random.default_rng(0), 2000), meant(np.random.default_rng(1), 50_000)
    assert abs(a.mean() - b.mean()) < 5 * b.std() / 2000**0.5
    assert b.mean() == pytest.approx(-1, abs=0.05)
    assert np.quantile(a, [0.1, 0.5]) == pytest.approx(np.quantile(b, [0.1, 0.5]), rel=0.2)


def test_the_printed_step_goes_up_from_elsewhere():
    rng = np.random.default_rng(0)
    along = PrintedStep(PRINTED, plain(3, 4), 2, 0.25, 1.0, "along")(rng, 20_000)
    assert along.mean() == pytest.approx(0.5, abs=0.05)
    displaced = PrintedStep(PRINTED, plain(3, 4), 2, 0.25, 1.0, "displaced")(rng, 10)
    assert displaced.all()
    assert not PrintedStep(MEANT, plain(3, 4), 2, 0.25, 1.0, "displaced")(rng, 10).any()
