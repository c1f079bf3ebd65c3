"""What is written is what the losses saw: in 16 bits, in shared memory, in rows that stay."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import estimators
from tests.estimators.problems import DENSE, RECIPES, build, net_problem, same, weights

# Updates that are no multiple of the estimate.
SHAPED = {"mezo_adam", "zo_sgd_sign", "zo_adamu", "tezo_adam", "svd0_adam"}
# Moments that are kept in the coordinates of low-rank noise, which has no rounded noise in it.
COORDINATES = {"lozo_m", "tezo_m", "tezo_adam", "svd0_adam"}
PLAIN = [name for name in RECIPES if name not in SHAPED | COORDINATES]
SIXTEEN = [torch.bfloat16, torch.float16]
pytestmark = pytest.mark.filterwarnings("ignore:eps = :UserWarning", "ignore:the losses of")


class Tensors(nn.Module):
    """A matrix, a tensor of three dimensions and a vector, in layers, of one size."""

    def __init__(self, size, dtype, width=24):
        super().__init__()
        generator = torch.Generator().manual_seed(1)

        def make(*shape):
            values = 1 + 0.2 * torch.randn(shape, generator=generator)
            return nn.Parameter((size * values).to(torch.bfloat16).to(dtype))

        self.layers = nn.ModuleList(
            nn.ParameterDict({"w": make(width, width), "k": make(24, 4, 8), "b": make(width)})
            for _ in range(2)
        )

    def vector(self):
        return torch.cat([p.detach().flatten().double() for p in self.parameters()])


class Seen:
    """A closure that remembers where it was called."""

    def __init__(self, model):
        self.model, self.points = model, []
        generator = torch.Generator().manual_seed(2)
        self.slope = torch.randn(len(model.vector()), dtype=torch.float64, generator=generator)

    def __call__(self):
        self.points.append(self.model.vector())
        return float(self.points[-1] @ self.slope)


def step_of_16_bits(name, size, dtype, eps=1e-3):
    """Return the displacements evaluated in a step, and the step: large against rounding."""
    model = Tensors(size, dtype)
    closure = Seen(model)
    optimizer = build(name, model, lr=1.0, eps=eps, seed=3)
    scale = max(float(e.abs().max()) for e in optimizer.estimate(closure).values())
    for group in optimizer.param_groups:
        group["lr"] = 4 * size / scale * (10 if name == "mezo_m" else 1)
    closure.points.clear()
    before = model.vector()
    optimizer.step(closure)
    return torch.stack(closure.points) - before, model.vector() - before


# ---------------------------------------------------------------- 16 bits


@pytest.mark.sampled
@pytest.mark.parametrize("size", [1.0, 0.02])
@pytest.mark.parametrize("dtype", SIXTEEN)
@pytest.mark.parametrize("name", PLAIN)
def test_the_step_lies_in_what_was_evaluated(name, dtype, size):
    points, step = step_of_16_bits(name, size, dtype)
    assert step.norm() > 0
    if len(points) == 2:  # one direction
        cosine = torch.cosine_similarity(points[0] - points[1], step, dim=0)
        assert cosine.abs() > 0.999
    fit = torch.linalg.lstsq(points.T, step[:, None], driver="gelsd").solution
    assert ((points.T @ fit)[:, 0] - step).norm() < 0.1 * step.norm()


@pytest.mark.sampled
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("dtype", SIXTEEN)
@pytest.mark.parametrize("name", [n for n in RECIPES if n not in COORDINATES | {"lezo"}])
def test_entries_that_no_evaluation_moved_do_not_move(name, dtype, apply):
    """Without decay; a module that looks at its own weight sees what is evaluated."""

    class Scale(Tensors):
        def __init__(self):
            super().__init__(1.0, dtype)
            self.weight = nn.Parameter(torch.ones(24, 24, dtype=dtype))
            del self.layers

        def forward(self):
            return closure()

    torch.manual_seed(0)
    model = Scale()
    closure = Seen(model)
    eps = 1e-3 if dtype is torch.bfloat16 else 1e-4
    optimizer = build(name, model, lr=0.05, eps=eps, seed=0, apply=apply)
    before = model.vector()
    optimizer.step(model)
    displaced = (torch.stack(closure.points) != before).any(0)
    moved = model.vector() != before
    assert not (moved & ~displaced).any()
    if name != "zo_sgd_cons":  # evaluates its steps, too, and may stay
        assert moved.any()
        assert not displaced.all()


@pytest.mark.sampled
@pytest.mark.parametrize(("dtype", "size"), [(torch.bfloat16, 1.0), (torch.float16, 4.0)])
@pytest.mark.parametrize("name", RECIPES)
def test_noise_below_the_spacing_is_evaluated_on_average(name, dtype, size):
    """Against the same noise in 32 bits, over seeds; within five standard errors."""
    product = total = spread = 0.0
    for seed in range(3):
        ends = []
        for kind in (dtype, torch.float32):
            model = Tensors(size, kind, width=64)
            closure, before = Seen(model), model.vector()
            build(name, model, lr=0.0, eps=1e-3, seed=seed).estimate(closure)
            moved = [point - before for point in closure.points]
            ends.append(next(m for m in moved if m.norm() > 0))
        seen, wanted = ends
        product += float(seen @ wanted)
        total += float(wanted @ wanted)
        spread += float((wanted * (seen - wanted)).square().sum())
    error = spread**0.5 / total
    assert abs(product / total - 1) < 5 * error + 1e-3
    assert error < 0.2


class Tied(nn.Module):
    """Embedding, Linear with and without bias, Conv1d and a tied head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.conv = nn.Embedding(40, 64), nn.Conv1d(64, 32, 3, bias=False)
        self.layers = nn.ModuleList(nn.Linear(64, 64, bias=bias) for bias in (True, False))
        self.head = nn.Linear(64, 40, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        h = self.embed(tokens)
        for layer in self.layers:
            h = h + layer(h).tanh()
        return self.head(h).float().square().mean() + self.conv(h.mT).float().mean()


@pytest.mark.sampled
@pytest.mark.parametrize("dtype", SIXTEEN)
@pytest.mark.parametrize("name", DENSE)
def test_in_place_and_forward_see_the_same_bits(name, dtype):
    losses, ends = [], []
    for apply in ("inplace", "forward"):
        model = Tied().to(dtype)
        options = {"implementation": "copy"} if name == "s_mezo" and apply == "inplace" else {}
        optimizer = build(name, model, lr=1e-3, seed=2, apply=apply, **options)
        for _ in range(2):
            optimizer.step(lambda model=model: model(torch.arange(20).view(2, 10)))
        losses.append(optimizer.log.losses)
        ends.append(weights(model))
    assert losses[0] == losses[1]
    assert same(*ends)


@pytest.mark.parametrize("options", [{}, {"restore": "copy"}])
@pytest.mark.parametrize("name", ["mezo", "mezo_m", "rademacher", "q_spsa", "one_sided", "hizoo"])
def test_coarse_weights_of_32_bits(name, options):
    """Weights of size 1e5 have a spacing of 0.008: the step is along what is left of the noise."""
    model = Tensors(1e5, torch.float32)
    closure, before = Seen(model), model.vector()
    estimate = build(name, model, eps=2e-3, seed=0, **options).estimate(closure)
    scale = max(float(e.abs().max()) for e in estimate.values())
    optimizer = build(name, model, lr=1e3 / scale, eps=2e-3, seed=0, **options)
    closure.points.clear()
    optimizer.step(closure)
    points, step = torch.stack(closure.points) - before, model.vector() - before
    assert not (step[(points == 0).all(0)] != 0).any()
    fit = torch.linalg.lstsq(points.T, step[:, None], driver="gelsd").solution
    assert ((points.T @ fit)[:, 0] - step).norm() < 1e-3 * step.norm()
    if name in ("mezo", "mezo_m"):
        assert torch.cosine_similarity(points[0] - points[1], step, dim=0).abs() > 0.99999


# ---------------------------------------------------------------- shared memory


SHARED = {
    "data": lambda a: nn.Parameter(a.data),
    "transpose": lambda a: nn.Parameter(a.detach().t()),
    "view": lambda a: nn.Parameter(a.detach().view(-1)),
    "part": lambda a: nn.Parameter(a.detach()[:5]),
    "columns": lambda a: nn.Parameter(a.detach()[:, ::2]),
    "numpy": lambda a: nn.Parameter(torch.from_numpy(a.detach().numpy())),
    "numpy part": lambda a: nn.Parameter(torch.from_numpy(a.detach().numpy()[1:, 3:])),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("options", [{}, {"restore": "copy"}, {"restore": "regenerate"}])
@pytest.mark.parametrize("road", SHARED)
def test_shared_memory_has_one_noise(road, options, turned):
    """Whichever comes first: the larger one's."""
    torch.manual_seed(0)
    whole = nn.Parameter(torch.randn(12, 16))
    named = [("a", whole), ("b", SHARED[road](whole))]
    slope, points = torch.randn(12, 16).double(), []

    def closure():
        points.append(whole.detach().double())
        return float((points[-1] * slope).sum())

    before = whole.detach().double()
    groups = [{"params": [pair]} for pair in (named[::-1] if turned else named)]
    optimizer = estimators.mezo(groups, lr=1e-3, eps=1e-2, seed=0, **options)
    assert len(optimizer.slots()) == 1
    optimizer.step(closure)
    d, step = (points[0] - points[1]) / 2e-2, whole.detach().double() - before
    assert 0.8 < d.std() < 1.2
    assert torch.cosine_similarity(d.flatten(), step.flatten(), dim=0).abs() > 0.9999


@st.composite
def views(draw):
    """A view of 60 numbers that repeats none of them."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    inner = draw(st.integers(1, 3))
    outer = draw(st.integers(1, 3)) + inner * (columns - 1)
    start = draw(st.integers(0, 40))
    extent = start + inner * (columns - 1) + outer * (rows - 1) + 1
    if extent > 60:
        start, inner, outer = 0, 1, columns
    transposed = draw(st.booleans())
    shape, strides = ((rows, columns), (outer, inner))
    return (shape[::-1], strides[::-1], start) if transposed else (shape, strides, start)


@settings(max_examples=300, deadline=None)
@given(views(), views())
def test_views_of_one_buffer(first, second):
    """Disjoint ones have noise of their own; of nested ones the larger has it; others are wrong."""
    buffer = torch.zeros(60)
    a, b = (nn.Parameter(buffer.as_strided(*view)) for view in (first, second))
    entries = [set(torch.arange(60).as_strided(*v).flatten().tolist()) for v in (first, second)]
    named = [("a", a), ("b", b)]
    if not entries[0] & entries[1]:
        wanted = {"a", "b"}
    elif entries[0] >= entries[1]:
        wanted = {"a"}
    elif entries[0] < entries[1]:
        wanted = {"b"}
    else:
        with pytest.raises(ValueError, match=r"a and b share a part|b and a share a part"):
            estimators.mezo(named)
        return
    assert {slot.name for slot in estimators.mezo(named).slots()} == wanted


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(1, 8).expand(4, 8),
        lambda: torch.randn(4, 1).expand(4, 8),
        lambda: torch.randn(()).expand(5),
        lambda: torch.randn(9).unfold(0, 3, 1),
        lambda: torch.randn(16, 8)[:, :1].expand(16, 4),
        lambda: torch.zeros(9).as_strided((2, 2), (4, 4)),
        lambda: torch.zeros(12).as_strided((3, 4), (2, 1)),
    ],
    ids=["rows", "columns", "scalar", "windows", "part", "diagonals", "overlapping rows"],
)
def test_entries_that_share_memory_are_refused(make):
    with pytest.raises(ValueError, match=r"entries of w share memory.*clone"):
        estimators.mezo([("w", nn.Parameter(make()))])
    interleaved = torch.zeros(12).as_strided((2, 3), (3, 2))
    estimators.mezo([("w", nn.Parameter(interleaved))])


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "mezo_adam"])
def test_views_of_a_flat_buffer_train_like_separate_tensors(name, apply):
    logs = []
    for flat in (False, True):
        model, closure = net_problem()
        if flat:
            buffer = torch.cat([p.detach().flatten() for p in model.parameters()])
            sizes = [p.numel() for p in model.parameters()]
            for p, part in zip(model.parameters(), buffer.split(sizes), strict=True):
                p.data = part.view_as(p)
        optimizer = build(name, model, lr=1e-3, eps=1e-2, seed=0, apply=apply)
        for _ in range(3):
            optimizer.step(closure)
        logs.append(torch.tensor(optimizer.log.losses))
    torch.testing.assert_close(logs[0], logs[1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "lozo"])
def test_tied_after_construction(name):
    torch.manual_seed(0)
    model = nn.ModuleDict({key: nn.Linear(12, 12, bias=False) for key in "ab"})
    a, b = model["a"].weight, model["b"].weight
    optimizer = build(name, model, lr=1e-3, eps=1e-2, seed=0, restore="copy")
    slope, points = torch.randn(12, 12).double(), []

    def closure():
        points.append(a.detach().double())
        return float((points[-1] * slope).sum() + b.detach().double().sum())

    optimizer.step(closure)
    b.data = a.data
    points.clear()
    before = a.detach().double()
    optimizer.step(closure)
    assert [slot.name for slot in optimizer.slots()] == ["a.weight"]
    d, step = points[0] - points[1], a.detach().double() - before
    assert torch.equal(a, b)
    if name != "mezo_adam":
        assert torch.cosine_similarity(d.flatten(), step.flatten(), dim=0).abs() > 0.9999


def test_a_parameter_that_two_modules_have_is_one():
    model = Tied()
    assert [s.name for s in estimators.mezo(model).slots()].count("embed.weight") == 1
    assert "head.weight" not in {slot.name for slot in estimators.mezo(model).slots()}


def test_a_parameter_tied_by_replacing_it_is_told():
    model = nn.ModuleDict({key: nn.Linear(4, 4, bias=False) for key in "ab"})
    optimizer = estimators.mezo(model)
    model["b"].weight = model["a"].weight
    with pytest.raises(RuntimeError, match=r"b\.weight is no longer a parameter.*tied"):
        optimizer.step(lambda: 1.0)


# ---------------------------------------------------------------- rows that stay

TOKENS = torch.tensor([[1, 2, 0, 0], [3, 4, 5, 0], [6, 7, 8, 9], [11, 10, 0, 0]])


class Padded(nn.Module):
    def __init__(self, kind, row):
        super().__init__()
        torch.manual_seed(0)
        self.embed = kind(12, 8, padding_idx=row)
        self.out = nn.Linear(8, 2)
        nn.init.normal_(self.embed.weight)  # a pretrained table: the row is not zero
        self.outputs = []

    def forward(self, tokens):
        h = self.embed(tokens)
        self.outputs.append(h.detach())
        return self.out(h if h.ndim == 2 else h.mean(1))


@pytest.mark.sampled
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", [name for name in RECIPES if name != "lezo"])
@pytest.mark.parametrize(("kind", "row"), [(nn.Embedding, 0), (nn.EmbeddingBag, 0)])
def test_padding_rows_stay(kind, row, name, apply, dtype):
    """At every evaluation, in what they give, and in the end; also with decay."""
    model = Padded(kind, row).to(dtype)
    before = model.embed.weight.detach().clone()
    optimizer = build(name, model, lr=1e-3, eps=0.1, seed=0, apply=apply, weight_decay=0.1)
    reached = []

    def closure():
        reached.append(model.embed.weight[row].clone())
        return (model(TOKENS).float() - 1).square().mean()

    for _ in range(3):
        optimizer.step(closure)
    if apply == "forward" and kind is nn.Embedding:
        for output in model.outputs:
            assert torch.equal(output[0, 2:], before[[row, row]])
    if apply == "inplace":
        assert all(torch.equal(seen, before[row]) for seen in reached)
    assert torch.equal(model.embed.weight[row], before[row])
    assert (model.embed.weight - before).abs().max() > 0


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "tezo", "lozo"])
@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_a_negative_padding_index_counts_from_the_end(kind, name, apply):
    model = Padded(kind, -1)
    before = model.embed.weight.detach().clone()
    optimizer = build(name, model, lr=1e-3, eps=0.1, seed=0, apply=apply)
    for _ in range(3):
        optimizer.step(lambda: (model(11 - TOKENS) - 1).square().mean())
    assert torch.equal(model.embed.weight[11], before[11])
    assert not torch.equal(model.embed.weight[0], before[0])


def test_estimates_are_zero_in_padding_rows():
    model = Padded(nn.Embedding, 3)
    closure = lambda: model(TOKENS).square().mean()  # noqa: E731
    for name in RECIPES:
        if name != "lezo":
            estimate = build(name, model, seed=0).estimate(closure)["embed.weight"]
            assert not estimate[3].any(), name
            assert estimate[4].any() or name in ("s_mezo", "r_mezo"), name


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "tezo"])
def test_the_padding_row_of_a_tied_head_moves(name, apply):
    """As its gradient does."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(12, 8, padding_idx=0), nn.Linear(8, 12, bias=False))
    model[1].weight = model[0].weight
    optimizer = build(name, model, lr=1e-3, eps=1e-2, seed=0, apply=apply)
    optimizer.step(lambda: (model(TOKENS) - 1).square().mean())
    assert model[0].weight[0].any()


# ---------------------------------------------------------------- weights that modules write


@pytest.mark.parametrize("options", [{}, {"restore": "copy"}, {"apply": "forward"}])
@pytest.mark.parametrize("name", ["mezo", "tezo", "one_sided", "mezo_adam"])
def test_max_norm(name, options):
    """Rows are renormalised at every evaluation, and only the copies of weights are."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(8, 16, max_norm=1.0), nn.Linear(16, 2))
    start = model[0].weight.detach().clone()
    renormed = start / start.norm(dim=1, keepdim=True).clamp(min=1.0)
    optimizer = build(name, model, lr=0.0, eps=0.05, seed=0, **options)
    for _ in range(3):
        optimizer.step(lambda: model(torch.arange(8)).square().mean())
    off = min(float((model[0].weight.detach() - w).abs().max()) for w in (start, renormed))
    assert off < 1e-5
    assert all(len(set(losses)) > 1 for losses in optimizer.log.losses)


def clamp_(layer):
    with torch.no_grad():
        layer.weight.clamp_(-0.2, 0.2)


def clamp_data(layer):
    layer.weight.data.clamp_(-0.2, 0.2)


def replace_data(layer):
    layer.weight.data = layer.weight.data.clamp(-0.2, 0.2)


def normalise(layer):
    with torch.no_grad():
        layer.weight.div_(layer.weight.norm(dim=1, keepdim=True))


def through_numpy(layer):
    array = layer.weight.detach().numpy()
    np.clip(array, -0.2, 0.2, out=array)


WRITES = [clamp_, clamp_data, replace_data, normalise, through_numpy]


def writing(write):
    class Writes(nn.Linear):
        def forward(self, x):
            write(self)
            return super().forward(x)

    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(16, 16), Writes(16, 16)), torch.randn(4, 16)
    return model, lambda: model(x).square().mean()


@pytest.mark.parametrize("options", [{}, {"restore": "regenerate"}])
@pytest.mark.parametrize("write", WRITES)
def test_modules_that_write_their_weights_are_refused(write, options):
    """Their noise could not be taken off any more."""
    model, closure = writing(write)
    optimizer = estimators.mezo(model, lr=0.0, eps=0.05, seed=0, **options)
    with pytest.raises(RuntimeError, match=r'1\.weight was written by the closure.*restore="copy"'):
        optimizer.step(closure)
    assert optimizer.steps == 0


def test_modules_that_write_their_weights_are_refused_after_an_estimate():
    """An estimate works on copies, and has not looked for such writes."""
    model, closure = writing(clamp_data)
    optimizer = estimators.mezo(model, lr=0.0, eps=0.05, seed=0)
    optimizer.estimate(closure)
    with pytest.raises(RuntimeError, match=r"1\.weight was written by the closure"):
        optimizer.step(closure)


@pytest.mark.parametrize("name", ["mezo", "mezo_adam", "one_sided", "lozo"])
@pytest.mark.parametrize("write", WRITES)
def test_modules_that_write_their_weights_work_with_copies(write, name):
    """What they write to perturbed weights is gone after the step."""
    model, closure = writing(write)
    before = weights(model)
    optimizer = build(name, model, lr=0.0, eps=0.05, seed=0, restore="copy")
    for _ in range(3):
        optimizer.step(closure)
    if name == "one_sided":  # evaluates the weights themselves, which are then as the module wants
        closure()
        before = weights(model)
    for old, new in zip(before, weights(model), strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=1e-6 if name == "one_sided" else 0)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    optimizer.step(closure)
    assert not same(before, weights(model))


def test_reading_a_weight_is_no_write():
    model, closure = net_problem()
    optimizer = estimators.mezo(model, lr=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step(lambda: closure() + sum(p.data.square().sum() for p in model.parameters()))
