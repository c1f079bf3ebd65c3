"""Sparse directions: the threshold of S-MeZO, the mask of R-MeZO, and tensors that must go on."""

import math

import peft
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import estimators
from estimators.perturbations.masks import magnitude_threshold
from tests.estimators.language import llama_problem
from tests.estimators.problems import Recorder, Table, build

WAYS = ["mask", "copy", "forward"]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def kept(weights, fraction):
    """Return how many entries are at most the threshold, as they are compared in a step."""
    return int((weights.abs() <= magnitude_threshold(weights, fraction)).sum())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("weights", "fraction", "count"),
    [
        (torch.zeros(4, 3), 0.25, 12),
        (torch.ones(4, 3), 0.25, 12),
        (torch.full((4, 3), -0.1), 0.25, 12),
        (torch.tensor([[0.0]]), 0.25, 1),
        (torch.tensor([[-3.0]]), 0.25, 1),
        (torch.tensor([[1.0, -2.0, 3.0, -4.0]]), 0.25, 1),
        (torch.tensor([[1.0, -2.0, 3.0, -4.0]]), 0.5, 2),
        (torch.tensor([[1.0, -2.0, 3.0, -4.0]]), 1.0, 4),
        (torch.tensor([[1.0, -2.0, 3.0, -4.0]]), 1e-6, 1),
        (torch.tensor([[1.0, -1.0, 1.0, 2.0]]), 0.25, 3),
        (torch.tensor([[1.0, 2.0, -2.0, 2.0]]), 0.5, 4),
        (torch.eye(5), 0.25, 25),
        (torch.tensor([[0.0, 0.0, 0.0, 1.0, -2.0, 3.0, 4.0]]), 0.5, 5),
        (torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0]]), 0.01, 6),
    ],
)
def test_threshold(weights, fraction, count, dtype):
    """Ties go together; zeros, and what is all equal, are not masked."""
    weights = weights.to(dtype)
    assert kept(weights, fraction) == count
    finite = math.isfinite(magnitude_threshold(weights, fraction))
    assert finite == (count < weights.numel())


@pytest.mark.parametrize("dtype", DTYPES[2:])
@pytest.mark.parametrize("low", [1.0, 0.1, 1e-3, 6e-8, 6e4])
def test_threshold_between_neighbours_of_16_bits(low, dtype):
    """There is nothing halfway; rounded to a neighbour, it must not be the larger one."""
    low = torch.tensor(low).to(dtype)
    high = torch.nextafter(low, torch.tensor(math.inf).to(dtype))
    weights = torch.stack([low, high, -high, -low]).view(1, 4)
    assert kept(weights, 0.5) == 2
    assert magnitude_threshold(weights, 0.5) == float(low)


numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, 1e-7]), st.floats(-1e4, 1e4, width=16)
)


@given(
    values=st.lists(numbers, min_size=1, max_size=40),
    fraction=st.floats(0.01, 1.0),
    dtype=st.sampled_from(DTYPES),
)
def test_threshold_keeps_enough_and_separates(values, fraction, dtype):
    weights = torch.tensor([values], dtype=torch.float64).to(dtype)
    sizes = weights.abs().double()
    threshold = magnitude_threshold(weights, fraction)
    below = weights.abs() <= threshold
    zeros = int((sizes == 0.0).sum())
    others = len(values) - zeros
    wanted = zeros + (max(1, round(fraction * others)) if others else 0)
    assert int(below.sum()) >= wanted >= min(1, len(values))
    if math.isinf(threshold):
        return
    assert threshold > 0.0
    assert not below.all()
    assert float(sizes[below].max()) <= threshold < float(sizes[~below].min())
    without_the_largest = int((sizes < sizes[below].max()).sum())
    assert without_the_largest < wanted


@given(values=st.lists(numbers, min_size=1, max_size=20), fraction=st.floats(0.01, 1.0))
def test_threshold_sees_magnitudes_only(values, fraction):
    weights = torch.tensor([values], dtype=torch.float64)
    threshold = magnitude_threshold(weights, fraction)
    for same in (-weights, weights.flip(1), weights.abs(), torch.cat([weights, -weights])[:1]):
        assert magnitude_threshold(same, fraction) == threshold
    assert magnitude_threshold(weights * 4.0, fraction) == threshold * 4.0


class Small(nn.Module):
    """Matrices, biases at zero, norms at one, a scalar, and matrices mostly at zero."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 16))
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.gate = nn.Parameter(torch.full((16,), -0.1))
        self.conv = nn.Conv1d(4, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(16, 4)
        for module in self.modules():
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
        nn.init.eye_(self.body[3].weight)
        nn.init.dirac_(self.conv.weight)
        with torch.no_grad():
            self.head.weight.mul_(torch.rand_like(self.head.weight) < 0.2)

    def forward(self, x):
        hidden = self.body(x) * self.gate * self.scale
        return self.head(hidden + self.conv(hidden.view(-1, 4, 4)).flatten(1))


X = torch.randn(32, 8, generator=torch.Generator().manual_seed(2))


def moves(model, optimizer, steps, closure=None):
    """Return, for every parameter, the share of its entries that each step moves.

    The loss is periodic: it stays in sight of the weights, wherever these are.
    """

    def loss():
        return model(X.to(next(model.parameters()).dtype)).double().sin().mean()

    found = {name: [] for name, p in model.named_parameters() if p.requires_grad}
    for _ in range(steps):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer.step(closure or loss)
        for name, param in model.named_parameters():
            if name in found:
                found[name].append(float((param != before[name]).double().mean()))
    return found


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("dtype", "lr", "eps"),
    [
        (torch.float64, 1e-3, 1e-2),
        (torch.float64, 3.0, 1e-2),
        (torch.float32, 3.0, 1e-2),
        (torch.bfloat16, 3.0, 1e-1),
    ],
    ids=str,
)
@pytest.mark.parametrize("implementation", WAYS)
def test_no_tensor_is_frozen_for_ever(implementation, dtype, lr, eps):
    """Nor after steps that are larger than the weights."""
    model = Small().to(dtype)
    optimizer = estimators.s_mezo(
        model, lr=lr, eps=eps, seed=0, implementation=implementation, sparsity=0.75
    )
    if implementation != "forward":
        optimizer.restore = "copy"  # rounding errors are no moves
    for name, share in moves(model, optimizer, 50).items():
        assert sum(part > 0.0 for part in share[25:]) >= 10, name


def test_the_implementations_are_one_run():
    ends = []
    for implementation in WAYS:
        model = Small().double()
        optimizer = estimators.s_mezo(
            model, lr=1e-2, eps=1e-2, seed=0, implementation=implementation
        )
        moves(model, optimizer, 30)
        thresholds = [optimizer.state[p]["threshold"] for p in model.parameters()]
        ends.append(([p.detach() for p in model.parameters()], thresholds))
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=1e-9, atol=1e-9)


def test_a_mask_that_is_not_stored_is_that_of_the_weights_before_the_step():
    """Whatever is asked for: it cannot be made of perturbed weights."""
    points = []
    for options in (
        {"implementation": "mask"},
        {"implementation": "copy", "restore": "regenerate"},
    ):
        model = Table()
        closure = Recorder(model)
        optimizer = build("s_mezo", model, lr=0.1, eps=0.5, seed=1, **options)
        for _ in range(3):
            optimizer.step(closure)
        points.append(torch.stack(closure.points))
    torch.testing.assert_close(*points, rtol=0, atol=1e-12)


def test_most_entries_of_zero_or_constant_tensors_go_on():
    model = Small().double()
    optimizer = estimators.s_mezo(model, lr=1e-3, eps=1e-2, seed=0, restore="copy")
    shares = moves(model, optimizer, 60)
    for name in ("body.1.weight", "gate", "body.0.bias", "body.3.weight", "conv.weight"):
        assert min(shares[name][30:]) > 0.1, name


def test_the_largest_weights_are_left_alone():
    torch.manual_seed(0)
    model = nn.Linear(40, 50, bias=False).double()
    sizes = model.weight.detach().abs().clone()
    optimizer = estimators.s_mezo(model, lr=1e-6, eps=1e-3, seed=0, sparsity=0.75, restore="copy")
    before = model.weight.detach().clone()
    optimizer.step(lambda: model.weight.square().sum())
    moved = model.weight != before
    assert int(moved.sum()) == 500
    assert sizes[moved].max() < sizes[~moved].min()


CONFIGS = {
    "lora": peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"]),
    "ia3": peft.IA3Config(
        target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]
    ),
}


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_adapters_are_not_frozen(kind, apply):
    """LoRA's B begins at zero, the vectors of IA3 at one."""
    model, _ = llama_problem()
    model = peft.get_peft_model(model, CONFIGS[kind]).eval()
    tokens = torch.arange(14).view(2, 7)
    options = {"restore": "copy"} if apply == "inplace" else {}
    optimizer = build("s_mezo", model, lr=1e-2, eps=1e-2, seed=0, apply=apply, **options)
    shares = moves(model, optimizer, 12, lambda: model(input_ids=tokens, labels=tokens).loss)
    assert shares
    for name, share in shares.items():
        assert all(part > 0.0 for part in share[4:]), name


# R-MeZO


@pytest.mark.parametrize("apply", ["inplace", "forward"])
@pytest.mark.parametrize("sparsity", [0.5, 0.75, 0.99])
def test_random_masks_leave_something_of_small_tensors(sparsity, apply):
    """Of a scalar and of biases of four, whatever the seed; and it is the same in every step."""
    options = {"restore": "copy"} if apply == "inplace" else {"apply": "forward"}
    for seed in range(10):
        model = Small().double()
        optimizer = estimators.r_mezo(
            model, lr=1e-2, eps=1e-2, seed=seed, sparsity=sparsity, **options
        )
        shares = moves(model, optimizer, 3)
        for name, share in shares.items():
            assert min(share) > 0.0, name
            assert len(set(share)) == 1, name


@pytest.mark.parametrize("sparsity", [0.5, 0.75, 0.9])
def test_random_masks_keep_their_share_and_stay(sparsity):
    """The share kept is a binomial one: within 4.9 deviations, but for one seed in a million."""
    model = nn.Linear(300, 400, bias=False)  # several blocks
    optimizer = estimators.r_mezo(model, seed=0, sparsity=sparsity)

    def support(**options):
        found = optimizer.estimate(lambda: model.weight.double().square().sum(), **options)
        return found["weight"] != 0.0

    first = support(step=0)
    deviation = (sparsity * (1 - sparsity) / first.numel()) ** 0.5
    assert float(first.double().mean()) == pytest.approx(1 - sparsity, abs=4.9 * deviation)
    assert torch.equal(support(step=7), first)
    assert not torch.equal(support(seed=1), first)
