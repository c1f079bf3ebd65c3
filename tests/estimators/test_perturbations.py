"""Z of a low-rank perturbation by its formula, from the streams that its key names."""

import pytest
import torch

from estimators import SGD, Gaussian, LayerSubset, SVDSubspace, TwoPoint, ZerothOrder
from estimators.streams import Stream
from tests.estimators.problems import Recorder, Table, build

RANK, SEED = 2, 4
COORDINATES = {
    "lozo": lambda slot: (slot.m, RANK),
    "subzo": lambda slot: (RANK, RANK),
    "tezo": lambda slot: (RANK,),
}
Z = {
    "lozo": lambda kept, c: c @ kept["V"].T,
    "subzo": lambda kept, c: kept["U"] @ c @ kept["V"].T,
    "tezo": lambda kept, c: kept["U"] @ c.diag() @ kept["V"].T,
}


def bases(slot, name, epoch):
    """(kept, drawn) of each factor."""
    sizes = {"U": slot.m, "V": slot.n}
    return [
        (slot.state[key], slot.stream(SEED, key, epoch).normal((sizes[key], RANK), slot.dtype))
        for key in ("V" if name == "lozo" else "UV")
    ]


@pytest.mark.parametrize("name", Z)
def test_noise_is_the_basis_times_fresh_coordinates(name):
    """Matrices; vectors have Gaussian noise. A basis is kept for two steps, TeZO's for ever."""
    model = Table()
    optimizer = build(name, model, seed=SEED)
    for step in range(5):
        optimizer.step(Recorder(model))
        epoch = 0 if name == "tezo" else step // 2
        for slot in optimizer.slots():
            found = optimizer.perturbation.draw(slot, SEED, step, 1).dense()
            if not slot.is_matrix:
                assert torch.equal(found, Gaussian().draw(slot, SEED, step, 1).dense())
                assert "epoch" not in slot.state
                continue
            fresh = slot.stream(SEED, "z", step, 1).normal(COORDINATES[name](slot), slot.dtype)
            torch.testing.assert_close(found, Z[name](slot.state, fresh), rtol=0, atol=1e-12)
            assert slot.state["epoch"] == epoch
            for kept, drawn in bases(slot, name, epoch):
                triangle = kept.T @ drawn
                if name != "subzo":
                    assert torch.equal(kept, drawn)
                    continue
                torch.testing.assert_close(kept @ triangle, drawn, rtol=0, atol=1e-12)
                torch.testing.assert_close(triangle.tril(-1), 0 * triangle, rtol=0, atol=1e-12)
                assert (triangle.diagonal() > 0).all()  # only then is the basis Haar


@pytest.mark.parametrize("name", Z)
def test_ranks_and_intervals_are_refused_by_what_is_wrong(name):
    for rank in (0, 6):
        with pytest.raises(ValueError, match=r"rank must lie"):
            build(name, Table(), rank=rank)
    if name != "tezo":
        with pytest.raises(ValueError, match=r"^interval must be at least 1 step, got 0$"):
            build(name, Table(), interval=0)
        assert build(name, Table(), interval=1).perturbation.interval == 1


@pytest.mark.parametrize("name", ["lezo", "r_mezo", "s_mezo"])
def test_sparsity_lies_in_0_to_1(name):
    assert build(name, Table(), sparsity=0.0).perturbation.sparsity == 0.0
    for sparsity in (-0.1, 1.0):
        told = rf"^sparsity must lie in \[0, 1\), got {sparsity}$"
        with pytest.raises(ValueError, match=told):
            build(name, Table(), sparsity=sparsity)


@pytest.mark.parametrize("key", [(SEED, 0, 0), (SEED, 3, 1), (5, 3, 2)])
def test_dense_noise_is_made_of_the_normal_numbers_of_its_key(key):
    sphere, lezo = build("sphere", Table()), build("lezo", Table(), sparsity=0.5)
    for slot in sphere.slots():
        normal = Gaussian().draw(slot, *key).dense()
        want = normal * (normal.numel() ** 0.5 / normal.norm())
        found = sphere.perturbation.draw(slot, *key).dense()
        torch.testing.assert_close(found, want, rtol=1e-6, atol=0)
    lezo.step(Recorder(Table()))
    slots = lezo.slots()
    drawn = [lezo.perturbation.draw(slot, *key) for slot in slots]
    assert len({slot.layer for slot, noise in zip(slots, drawn, strict=True) if noise is None}) == 2
    for slot, noise in zip(slots, drawn, strict=True):
        if noise is not None:
            assert torch.equal(noise.dense(), Gaussian().draw(slot, *key).dense())


def test_layers_are_left_out_of_models_that_have_some():
    told = (
        r"^no layers are found among the parameters: give the module \(params or model=\), or the"
    )
    with pytest.raises(ValueError, match=told):
        build("lezo", torch.nn.Linear(3, 2))


@pytest.mark.parametrize("seed", [0, 1])
def test_layers_left_out_are_those_of_the_least_numbers_of_seed_and_step(seed):
    model = Table()
    optimizer = build("lezo", model, seed=seed, sparsity=0.5)
    for step in range(3):
        optimizer.step(Recorder(model))
        drawn = {s.layer: optimizer.perturbation.draw(s, seed, step, 0) for s in optimizer.slots()}
        numbers = Stream(torch.device("cpu"), seed, "layers", step).normal((4,), torch.float32)
        layers = sorted(name for name in drawn if name is not None)
        least = {layers[index] for index in numbers.argsort()[:2].tolist()}
        assert {name for name, noise in drawn.items() if noise is None} == least


def test_a_flat_loss_gives_svd0_some_subspace():
    model = Table()
    optimizer, before = build("svd0", model), model.vector().detach()
    optimizer.step(lambda: 1.0)
    torch.testing.assert_close(model.vector().detach(), before, rtol=0, atol=1e-14)
    for slot in optimizer.slots():
        if slot.is_matrix:
            gram = slot.state["U"].T @ slot.state["U"]
            torch.testing.assert_close(gram, torch.eye(2, dtype=gram.dtype), rtol=0, atol=1e-12)


def test_layers_are_left_out_of_any_perturbation():
    """It refuses what the inner one does, and the inner one makes its subspace from estimates."""

    def made(model, perturbation):
        parts = {"perturbation": perturbation, "direction": TwoPoint(), "update": SGD()}
        return ZerothOrder(model, lr=1e-3, seed=SEED, **parts)

    with pytest.raises(ValueError, match="rank must lie"):
        made(Table(), LayerSubset(SVDSubspace(6, 1, 1), 0.5))
    layered, whole = (Table() for _ in range(2))
    some = made(layered, LayerSubset(SVDSubspace(RANK, 1, 1), 0.5))
    every = made(whole, SVDSubspace(RANK, 1, 1))
    for model, optimizer in ((layered, some), (whole, every)):
        optimizer.step(Recorder(model))
    kept = 0
    for ours, theirs in zip(some.slots(), every.slots(), strict=True):
        noise, other = (
            o.perturbation.draw(s, SEED, 0, 0) for o, s in ((some, ours), (every, theirs))
        )
        if noise is not None:
            kept += ours.layer is not None
            assert torch.equal(noise.dense(), other.dense())
    assert kept > 0
