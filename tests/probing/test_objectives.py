import pytest
import torch

from zotheory.probing.objectives import EPS, Objective, ProbeError, cut, linear, quadratic

M, N = 6, 4


@pytest.fixture(params=[linear, quadratic], ids=["linear", "quadratic"])
def objective(request) -> Objective:
    return request.param(M, N, 3)


def test_the_gradient_at_the_point_is_the_target(objective):
    step = 1e-4
    for i in range(M):
        for j in range(N):
            losses = []
            for sign in (1, -1):
                (moved,) = objective.parameters()
                with torch.no_grad():
                    moved[i, j] += sign * step
                losses.append(objective.loss([moved]))
            slope = (losses[0] - losses[1]) / (2 * step)
            assert slope == pytest.approx(float(objective.gradient[i, j]), abs=1e-9)


def test_gradients_have_unit_norm_and_entries_of_one_size(objective):
    assert float(objective.gradient.norm()) == pytest.approx(1)
    assert objective.gradient.abs().unique().numel() <= 2  # up to rounding


def test_curvature_makes_a_one_sided_difference_err_by_the_gradient_on_average():
    objective = quadratic(M, N, 0)
    (start,) = objective.parameters()
    z = torch.randn(2000, M, N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    second = [
        (objective.loss([start + EPS * x]) + objective.loss([start - EPS * x])) / (2 * EPS)
        for x in z
    ]
    assert sum(second) / len(second) == pytest.approx(1, rel=0.1)


def test_layers_are_the_rows_of_one_matrix(objective):
    whole, parts = objective.parameters(), objective.parameters(4)
    assert [len(part) for part in parts] == [2, 2, 1, 1]
    assert torch.equal(torch.cat(parts), whole[0])
    with torch.no_grad():
        whole[0].mul_(1.1)
        for part in parts:
            part.mul_(1.1)
    assert objective.loss(parts) == pytest.approx(objective.loss(whole))
    assert len(objective.parameters(100)) == M


def test_parameters_are_fresh_each_time(objective):
    (one,), (other,) = objective.parameters(), objective.parameters()
    with torch.no_grad():
        one.zero_()
    assert torch.equal(other, objective.weights)


def test_a_cut_takes_the_same_entries_of_weights_and_gradient():
    weights = torch.arange(80.0).view(10, 8)
    found = cut(weights, 2 * weights + 1, M, N, 0)
    assert found.weights.shape == (M, N)
    assert torch.allclose(found.gradient, (2 * found.weights + 1) / (2 * found.weights + 1).norm())
    whole = cut(weights, weights, 10, 8, 0)
    assert torch.equal(whole.weights.flatten().sort().values, weights.double().flatten())


def test_a_cut_that_cannot_be_made_is_told():
    weights = torch.ones(4, 4)
    with pytest.raises(ProbeError, match="4 x 4"):
        cut(weights, weights, 5, 4, 0)
    with pytest.raises(ProbeError, match="norm 0"):
        cut(weights, 0 * weights, 4, 4, 0)
