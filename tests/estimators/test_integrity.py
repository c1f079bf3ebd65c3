"""Directional integrity: what is written is what was evaluated, whatever the method."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.estimators.problems import RECIPES, Recorder, Table, build

# Updates that are no multiple of the estimate by design: their step is pinned in test_updates.
SHAPED = {"mezo_adam", "zo_sgd_sign", "zo_adamu", "tezo_adam", "svd0_adam"}
PLAIN = [name for name in RECIPES if name not in SHAPED]
MOMENTUM = {"mezo_m", "tezo_m", "lozo_m"}


class Shapes(nn.Module):
    def __init__(self, rows, columns, dtype):
        super().__init__()
        generator = torch.Generator().manual_seed(rows * 100 + columns)
        shapes = [(rows, columns), (columns,), (rows, 2, 3), (max(3, rows // 2), columns), (1,)]
        self.layers = nn.ParameterList(
            torch.randn(shape, generator=generator).mul(0.05).to(dtype) for shape in shapes
        )


def vectors(model):
    return [p.detach().double().flatten().clone() for p in model.parameters()]


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(PLAIN),
    rows=st.integers(3, 40),
    columns=st.integers(3, 70),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
    seed=st.integers(0, 2**63),
    resumed=st.booleans(),
)
def test_the_direction_written_is_the_direction_evaluated(
    name, rows, columns, dtype, seed, resumed
):
    """For every tensor, at refresh steps and between them, and in resumed runs.

    The closure reports the slope along the last two-sided difference as if the loss were linear
    in it, so that updates are large against rounding.
    """
    model = Shapes(rows, columns, dtype)
    visited, base = [], []

    def closure():
        visited.append(vectors(model))
        return float(sum(w.sum() for w in visited[-1]))

    options = {"apply": "inplace", "seed": seed, "eps": 0.5}
    optimizer = build(name, model, lr=1.0, **options)
    for _ in range(3):
        with torch.no_grad():  # start every step from small weights: 16 bits see small steps there
            for p in model.parameters():
                p.mul_(0.05 / p.abs().max().clamp_min(0.05))
        if resumed:
            state = optimizer.state_dict()
            optimizer = build(name, model, lr=1.0, **options)
            optimizer.load_state_dict(state)
        estimate = [e.double().flatten() for e in optimizer.estimate(closure).values()]
        scale = max(float(e.abs().max()) for e in estimate)
        if scale < 1e-12:  # signs that add up to zero have a slope of rounding errors
            continue
        for group in optimizer.param_groups:
            group["lr"] = 1.0 / scale
        visited.clear()
        base = vectors(model)
        if name in MOMENTUM:
            for state in optimizer.state.values():
                if "momentum" in state:
                    state["momentum"].zero_()
        optimizer.step(closure)
        steps = [b - a for a, b in zip(vectors(model), base, strict=True)]
        spread = torch.stack([torch.cat(v) - torch.cat(base) for v in visited])
        for index, (step, wanted) in enumerate(zip(steps, estimate, strict=True)):
            if float(wanted.abs().max()) == 0.0:
                assert float(step.abs().max()) <= 1e-6
                continue
            assert torch.cosine_similarity(step, wanted, dim=0) > 0.999, index
        # The step lies in the span of the points that were evaluated.
        step = torch.cat(steps)
        fit = torch.linalg.lstsq(spread.T, step[:, None], driver="gelsd").solution
        residual = (spread.T @ fit)[:, 0] - step
        tolerance = 1e-3 if dtype in (torch.float32, torch.float64) else 0.05
        assert residual.norm() <= tolerance * step.norm()


@pytest.mark.parametrize("name", RECIPES)
def test_the_order_of_parameters_and_threads_do_not_change_the_estimate(name):
    model = Table(torch.float32, width=900)
    closure = Recorder(model)
    named = [(n, p) for n, p in model.named_parameters()]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = build(name, named, seed=3).estimate(closure)
        torch.set_num_threads(3)
        other = build(name, named[::-1], seed=3).estimate(closure)
    finally:
        torch.set_num_threads(threads)
    for key, value in one.items():
        torch.testing.assert_close(
            other[key], value, rtol=1e-4, atol=1e-4 * float(value.abs().max())
        )
        if name not in {"one_sided"}:
            scale = float(
                value.flatten() @ other[key].flatten() / value.square().sum().clamp_min(1e-30)
            )
            torch.testing.assert_close(value * scale, other[key], rtol=1e-5, atol=1e-6)


def test_every_stream_differs():
    """Tensors, steps, queries and seeds have independent noise."""
    model = Table()
    closure = Recorder(model)
    optimizer = build("mezo", model, seed=0)
    seen = []
    for options in ({}, {"step": 1}, {"seed": 1}, {"seed": 2**32}, {"seed": 2**63}):
        for tensor in optimizer.estimate(closure, **options).values():
            seen.append(torch.nn.functional.normalize(tensor.flatten()[:7], dim=0).abs())
    gram = torch.stack(seen) @ torch.stack(seen).T
    assert (gram - torch.eye(len(seen)) < 1 - 1e-6).all()
