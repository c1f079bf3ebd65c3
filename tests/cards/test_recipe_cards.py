"""Every recipe against its exact theory card: estimates on linear losses, z-scores, fixed seeds.

The estimates come from `ZerothOrder.estimate`, the numbers from `proofs_check.cards`; nothing is
shared but the sizes. The same samples must reject a card whose relative variance, or whose scale,
is 1.3 times too large (twice for CP with redrawn factors, whose tails are heavy): the comparison
could fail.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import pytest
import torch
from torch import Tensor

from estimators import recipes
from estimators.perturbations.cp import CP
from estimators.perturbations.low_rank import LowRank
from estimators.zeroth_order import ZerothOrder
from proofs_check.cards import Card, card
from proofs_check.cards.ratio import number
from zotheory.probing.theory import card_of

THRESHOLD = 4.5
ROUNDING = 1e-8
exact = cache(number)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Problem:
    """The loss <G, W> over matrices of one shape; ||G|| = 1, everything in 64 bits."""

    def __init__(self, shape: tuple[int, int], seed: int, tensors: int = 1) -> None:
        self.m, self.n = shape
        generator = torch.Generator().manual_seed(seed)

        def normal() -> Tensor:
            return torch.randn(tensors, *shape, dtype=torch.float64, generator=generator)

        self.gradient, self.across = normal(), normal()
        self.gradient /= self.gradient.norm()
        self.weights = [w.requires_grad_() for w in normal()]
        self.named = [(f"layers.{i}.weight", w) for i, w in enumerate(self.weights)]

    def loss(self) -> Tensor:
        return sum((g * w).sum() for g, w in zip(self.gradient, self.weights, strict=True))

    def sample(self, optimizer: ZerothOrder, count: int, *, given: bool) -> Tensor:
        """Estimates (count x d) of fresh steps (what is kept is given) or seeds (redrawn)."""
        rows = []
        for i in range(1, count + 1):
            at = {"step": i} if given else {"seed": i}
            estimate = optimizer.estimate(self.loss, **at)
            rows.append(torch.cat([estimate[name].flatten() for name, _ in self.named]))
        return torch.stack(rows)


Theory = Callable[[ZerothOrder, Problem], tuple[Card, Tensor]]  # the card and its target T


@dataclass(frozen=True)
class Case:
    """A recipe with its options, its theory, and how much is sampled."""

    recipe: str
    theory: Theory
    options: dict = field(default_factory=dict)
    shape: tuple[int, int] = (3, 4)
    count: int = 600
    tensors: int = 1
    given: bool = False
    arguments: tuple = ()
    wrong: float = 1.3  # the factor by which a card must be wrong to be rejected for sure

    def __str__(self) -> str:
        return f"{self.recipe}-{'given' if self.given else 'redrawn'}-{self.shape}"


def over_everything(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    """The card averaged over all that is random; its target is G."""
    return card_of(optimizer, problem.gradient), problem.gradient


def state(optimizer: ZerothOrder, problem: Problem) -> dict:
    """The state that a step leaves: the factors in use until the end of the interval."""
    if not optimizer.steps:
        optimizer.step(problem.loss)
    return optimizer.state[problem.weights[0]]


def given_cp(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    kept, gradient = state(optimizer, problem), problem.gradient[0]
    u, v = kept["U"], kept["V"]
    values, vectors = torch.linalg.eigh((u.T @ u) * (v.T @ v))
    h = torch.einsum("ij,is,js->s", gradient, u, v)
    weights = (vectors.T @ h).square().tolist()
    found = card("cp_given", eigenvalues=values.tolist(), weights=weights, norm2=1)
    return found, (u * h) @ v.T


def given_low_rank(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    v, gradient = state(optimizer, problem)["V"], problem.gradient[0]
    values, vectors = torch.linalg.eigh(v.T @ v)
    weights = (gradient @ v @ vectors).square().sum(0).tolist()
    sizes = {"m": problem.m, "eigenvalues": values.tolist(), "weights": weights, "norm2": 1}
    return card("low_rank_given", **sizes), gradient @ v @ v.T


def given_subspace(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    kept = state(optimizer, problem)
    u, v = kept["U"], kept["V"]
    target = u @ u.T @ problem.gradient[0] @ v @ v.T
    return card("subspace_given", r=u.shape[1], kept=float(target.square().sum())), target


def tezo_rank(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    """Without a rank: the number of singular values above a quarter of the largest (Eq. 7)."""
    values = torch.linalg.svdvals(problem.weights[0].detach())
    rank = int((values > 0.25 * values[0]).sum())
    return card("cp", m=problem.m, n=problem.n, r=rank), problem.gradient


def small_weights(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    """S-MeZO leaves the largest 75% of the weights alone."""
    size, gradient = problem.m * problem.n, problem.gradient[0]
    magnitude = problem.weights[0].detach().abs()
    mask = magnitude <= magnitude.flatten().sort().values[size // 4 - 1]
    return masked(mask, gradient)


def drawn_mask(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    """The mask of R-MeZO depends on the seed only; one estimate shows it."""
    estimate = optimizer.estimate(problem.loss)[problem.named[0][0]]
    return masked(estimate != 0, problem.gradient[0])


def masked(mask: Tensor, gradient: Tensor) -> tuple[Card, Tensor]:
    target = mask * gradient
    kept = float(target.square().sum())
    return card("magnitude_mask", k=int(mask.sum()), kept=kept), target


def given_hessian(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    """After a few steps on a curved loss, for which H moves."""
    (weight,), gradient = problem.weights, problem.gradient[0]
    curvature = torch.arange(1.0, 1.0 + weight.numel()).view(weight.shape)
    for _ in range(6):
        optimizer.step(lambda: (curvature * weight**2).sum() / weight.numel())
    inverse = 1 / optimizer.state[weight]["H"]
    assert inverse.max() > 2 * inverse.min()
    spectrum = {"eigenvalues": inverse, "weights": gradient**2 * inverse}
    sizes = {key: value.flatten().tolist() for key, value in spectrum.items()}
    return card("hessian_scaled", norm2=1, **sizes), gradient * inverse


def given_momentum(optimizer: ZerothOrder, problem: Problem) -> tuple[Card, Tensor]:
    """Halfway through a horizon of 4 steps: alpha = 1/2, beta1 = (1 + cos(pi/20))/2.

    The momentum's part (1 - beta1) m is small on its own; it is enlarged to be seen.
    """
    for _ in range(2):
        optimizer.step(problem.loss)
    momentum, gradient = optimizer.state[problem.weights[0]]["m"], problem.gradient[0]
    momentum *= 60
    beta1 = (1 + math.cos(math.pi / 20)) / 2
    mu, sigma2 = (1 - beta1) * momentum, (beta1**2 + (1 - beta1) ** 2) / 2
    slope = float((gradient * mu).sum())
    sizes = {"sigma2": sigma2, "mu2": float(mu.square().sum()), "slope2": slope**2}
    found = card("momentum_centred", m=problem.m, n=problem.n, **sizes)
    return found, gradient + slope * mu / sigma2


WIDE, TALL, LARGE = (4, 6), (6, 4), (6, 8)
CASES = (
    Case("mezo", over_everything, shape=WIDE),
    Case("rademacher", over_everything, shape=TALL),
    Case("sphere", over_everything),
    Case("q_spsa", over_everything, {"queries": 3}, shape=TALL),
    Case("one_sided", over_everything),
    Case("one_sided", over_everything, {"queries": 3}, shape=WIDE),
    Case("one_sided", over_everything, {"queries": 3, "orthonormal": True}, count=500),
    Case("nes", over_everything, {"queries": 4}, shape=WIDE),
    Case("mezo_gv", over_everything, count=500),
    Case("mezo_greedy", over_everything, shape=TALL),
    Case("tezo", over_everything, {"rank": 6}, shape=LARGE, count=1000, wrong=2.0),
    Case("tezo", tezo_rank, shape=LARGE, count=1000, wrong=2.0),
    Case("tezo", given_cp, {"rank": 3}, given=True, wrong=2.0),
    Case("lozo", over_everything, {"rank": 4}, shape=LARGE, count=1000),
    Case("lozo", given_low_rank, {"rank": 2, "interval": 5000}, shape=TALL, given=True),
    Case("subzo", over_everything, {"rank": 2}, shape=WIDE),
    Case("subzo", given_subspace, {"rank": 3, "interval": 5000}, shape=WIDE, given=True),
    Case("svd0", over_everything, {"rank": 3}, shape=WIDE),
    Case(
        "svd0",
        given_subspace,
        {"rank": 2, "interval": 5000, "queries": 3},
        shape=TALL,
        given=True,
        wrong=1.5,
    ),
    Case("s_mezo", small_weights, shape=WIDE),
    Case("s_mezo", small_weights, {"implementation": "copy"}, shape=TALL),
    Case("r_mezo", over_everything, shape=WIDE, count=800),
    Case("r_mezo", drawn_mask, {"seed": 4}, shape=TALL, given=True),
    Case("lezo", over_everything, shape=(2, 3), count=400, tensors=4),
    Case("subzo_gv", over_everything, {"rank": 3}, shape=WIDE),
    Case("subzo_greedy", over_everything, {"rank": 3}, shape=TALL),
    Case("with_guiding_vector", over_everything, count=800, wrong=2.0, arguments=(LowRank(2, 50),)),
    Case(
        "with_greedy",
        over_everything,
        {"candidates": 2},
        shape=LARGE,
        count=800,
        arguments=(CP(6),),
        wrong=2.0,
    ),
    Case("hizoo", given_hessian, {"smoothing": 0.2, "lr": 0.0}),
    Case("zo_adamu", given_momentum, {"horizon": 4}),
)

# Recipes that differ from a compared one in the update alone have its estimate, bit for bit. So
# has ZO-SGD-Cons, but only where the SGD step lowers the loss, as it does on a linear one:
# otherwise the sign depends on the loss and there is no card.
RANK = {"rank": 2}
ALIKE = (
    ("mezo_m", "mezo", {}),
    ("mezo_adam", "mezo", {}),
    ("zo_sgd_sign", "mezo", {}),
    ("zo_sgd_cons", "mezo", {}),
    ("lozo_m", "lozo", RANK),
    ("tezo_m", "tezo", RANK),
    ("tezo_adam", "tezo", {}),
    ("svd0_adam", "svd0", RANK),
)


def z_scores(theory: Card, target: Tensor, problem: Problem, estimates: Tensor) -> dict:
    """Deviations of sample means from the card, in standard errors.

    The relative variance is adjusted for the part along T (a control variate, whose mean the
    card states as well): the part is most of what makes the norm vary.
    """
    target, gradient = target.flatten(), problem.gradient.flatten()
    scale, norm2 = exact(theory.scale), target.square().sum()
    across = problem.across.flatten()
    across = across - (across @ target) / norm2 * target
    along = estimates @ target / norm2 - scale
    excess = (estimates / scale - target).square().sum(1) / norm2
    excess = excess - exact(theory.relative_variance)
    slope = torch.cov(torch.stack((excess, along)))[0, 1] / along.var()
    found = {"along": along, "across": estimates @ across, "variance": excess - slope * along}
    if theory.cos2 is not None:
        square = estimates.square().sum(1)
        cosine = torch.where(square > 0, (estimates @ gradient).square() / square, 0.0)
        found["cos2"] = cosine - exact(theory.cos2)
    # Where ||Z|| is constant nothing but rounding is left, and the comparison is exact.
    return {
        key: float(x.mean() / (x.std() / len(x) ** 0.5).clamp(min=ROUNDING))
        for key, x in found.items()
    }


@pytest.mark.sampled(8)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_recipe_has_the_moments_of_its_card(case: Case) -> None:
    problem = Problem(case.shape, CASES.index(case), case.tensors)
    build = getattr(recipes, case.recipe)
    optimizer = build(problem.named, *case.arguments, **{"seed": 0} | case.options)
    theory, target = case.theory(optimizer, problem)
    estimates = problem.sample(optimizer, case.count, given=case.given)
    found = z_scores(theory, target, problem, estimates)
    assert all(abs(z) < THRESHOLD for z in found.values()), found

    inflated = replace(theory, relative_variance=case.wrong * theory.relative_variance)
    assert z_scores(inflated, target, problem, estimates)["variance"] < -THRESHOLD
    scaled = replace(theory, scale=case.wrong * theory.scale)
    wrong = z_scores(scaled, target, problem, estimates)
    assert max(map(abs, wrong.values())) > THRESHOLD, wrong


@pytest.mark.parametrize(("name", "other", "options"), ALIKE, ids=lambda x: str(x))
def test_update_leaves_the_estimate_alone(name: str, other: str, options: dict) -> None:
    problem = Problem(WIDE, 7)
    first, second = (
        getattr(recipes, x)(problem.named, lr=1e-3, seed=0, **options) for x in (name, other)
    )
    assert torch.equal(
        problem.sample(first, 20, given=False), problem.sample(second, 20, given=False)
    )


def test_every_recipe_is_compared() -> None:
    names = {
        name
        for name, function in inspect.getmembers(recipes, inspect.isfunction)
        if function.__module__ == recipes.__name__ and not name.startswith("_")
    }
    compared = {case.recipe for case in CASES}
    assert {other for _, other, _ in ALIKE} <= compared
    assert names == compared | {name for name, _, _ in ALIKE}
