"""The parts below the recipes: streams, noise, bases, the rank rule."""

import pytest
import torch

from estimators.bases import CoreBasis, CPBasis, RightBasis
from estimators.perturbations.cp import select_ranks
from estimators.perturbations.svd_subspace import leading_vectors
from estimators.streams import Stream, fingerprint
from tests.estimators.problems import Recorder, Table, build

CPU = torch.device("cpu")


def test_streams_keep_64_bits():
    """Keys that agree in 32 bits, or in all but one, have different noise."""
    stream = Stream(CPU, "x")
    draws = []
    for key in (5, 5 + 2**32, 5 + 2**40, 6, 5 << 32):
        stream.key = key
        draws.append(stream.normal((100,), torch.float32))
    assert torch.corrcoef(torch.stack(draws)).fill_diagonal_(0).abs().max() < 0.5
    stream.key = 5
    assert torch.equal(draws[0], stream.normal((100,), torch.float32))


@pytest.mark.parametrize(("name", "fourth"), [("mezo", 3.0), ("rademacher", 1.0), ("sphere", 3.0)])
def test_moments_of_the_noise(name, fourth):
    model = torch.nn.Linear(700, 600)
    optimizer = build(name, model)
    noise = optimizer.perturbation.draw(optimizer.slots()[0], 0, 0, 0).dense()
    assert noise.mean().abs() < 5 / 648
    assert abs(noise.square().mean() - 1.0) < 0.02
    assert abs(noise.pow(4).mean() - fourth) < 0.1
    if name in {"rademacher", "sphere"}:
        torch.testing.assert_close(float(noise.double().norm()), 420000.0**0.5, rtol=1e-6, atol=0)
    assert torch.corrcoef(noise).fill_diagonal_(0).abs().max() < 0.3


@pytest.mark.parametrize("m", [9, 5])
def test_bases(m):
    torch.manual_seed(0)
    n, r = 7, 3
    u, v = torch.randn(m, r).double(), torch.randn(n, r).double()
    x, index = torch.randn(4, n).double(), torch.tensor([2, 0, 2])
    cases = [
        (CPBasis(u, v), torch.randn(r).double(), lambda c: u @ c.diag() @ v.T),
        (CoreBasis(u, v), torch.randn(r, r).double(), lambda c: u @ c @ v.T),
        (RightBasis(v), torch.randn(m, r).double(), lambda c: c @ v.T),
    ]
    for basis, c, expand in cases:
        z = expand(c)
        left, right = basis.factors(c)
        torch.testing.assert_close(left @ right.T, z)
        hidden, left = basis.act(x, c)
        torch.testing.assert_close(hidden @ left.T, x @ z.T)
        torch.testing.assert_close(basis.rows(index, c), z[index])
    orthonormal = CoreBasis(torch.linalg.qr(u).Q, torch.linalg.qr(v).Q)
    c = cases[1][1]
    torch.testing.assert_close(orthonormal.transport(c, orthonormal), c)
    torch.testing.assert_close(cases[0][0].transport(cases[0][1], cases[0][0]), cases[0][1])


def test_rank_rule():
    """Eq. 7: the least numerical rank in a block, at most r_max."""

    def matrix(*values):
        q = torch.linalg.qr(torch.randn(8, 8)).Q
        p = torch.linalg.qr(torch.randn(12, 8)).Q
        return q @ torch.tensor([*values, *[0.0] * (8 - len(values))]).diag() @ p.T

    torch.manual_seed(0)
    weights = {
        "a": matrix(1.0, 0.9, 0.3, 0.2),
        "b": matrix(1.0, 0.9, 0.9, 0.9, 0.9),
        "c": matrix(2.0, 2.0, 2.0, 2.0, 2.0, 2.0),
    }
    blocks = {"a": "x", "b": "x", "c": "y"}
    ranks = select_ranks(weights, blocks, threshold=0.25, max_rank=5)
    assert ranks == {"a": 3, "b": 3, "c": 5}
    assert select_ranks(weights, blocks, threshold=0.95, max_rank=9) == {"a": 1, "b": 1, "c": 6}
    weights["a"][0, 0] = float("nan")
    with pytest.raises(ValueError, match="non-finite"):
        select_ranks(weights, blocks, threshold=0.25, max_rank=5)


@pytest.mark.parametrize("shape", [(9, 6), (6, 9)])
def test_leading_vectors(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape).double()
    u, v = leading_vectors(matrix, 2)
    p, _, q = torch.linalg.svd(matrix)
    torch.testing.assert_close(u @ u.T, p[:, :2] @ p[:, :2].T)
    torch.testing.assert_close(v @ v.T, q[:2].T @ q[:2])


def test_tezo_ranks_follow_the_layers():
    model = Table()
    optimizer = build("tezo", model, rank=None, max_rank=3)
    optimizer.step(Recorder(model))
    ranks = {slot.name: slot.state.get("rank") for slot in optimizer.slots()}
    assert ranks["embed"] == 3
    assert ranks["layers.0.b"] is None
    assert ranks["layers.1.w"] == ranks["layers.1.k"] <= 3
    factors = [slot.state["U"].clone() for slot in optimizer.slots() if "U" in slot.state]
    optimizer.step(Recorder(model))
    kept = [slot.state["U"] for slot in optimizer.slots() if "U" in slot.state]
    assert all(torch.equal(a, b) for a, b in zip(factors, kept, strict=True))


def test_the_stream_of_a_key_stays_what_it_is():
    """A saved log is replayed with the noise of its run."""
    stream = Stream(CPU, 0, "z", 0, 0, "weight")
    assert stream.key == 11125595427376745392
    drawn = stream.normal((4,), torch.float32).view(torch.int32)
    assert drawn.tolist() == [-1108314734, -1076858616, -1084690120, -1079108791]
    assert fingerprint(CPU) == "2282738ff20c0c-229d6036fe"


def test_long_draws_do_not_depend_on_threads():
    """Long ones are drawn in parallel."""
    stream, threads = Stream(CPU, 7), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = stream.normal((300, 400), torch.float32)
        torch.set_num_threads(3)
        assert torch.equal(one, stream.normal((300, 400), torch.float32))
    finally:
        torch.set_num_threads(threads)
    parts = one.view(3, -1)
    correlation = torch.corrcoef(parts) - torch.eye(3)
    assert correlation.abs().max() < 6 / parts.shape[1] ** 0.5
    assert abs(float(one.square().mean()) - 1) < 6 * (2 / one.numel()) ** 0.5
