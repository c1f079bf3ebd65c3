"""Small models and closures that the tests of the estimators share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import estimators

LOW_RANK = ["lozo", "lozo_m", "subzo", "subzo_gv", "subzo_greedy", "tezo", "tezo_m", "tezo_adam"]
LOW_RANK += ["svd0", "svd0_adam"]
DENSE = ["mezo", "mezo_m", "mezo_adam", "zo_sgd_sign", "zo_sgd_cons", "zo_adamu", "hizoo"]
DENSE += ["s_mezo", "r_mezo", "lezo", "mezo_gv", "mezo_greedy", "nes", "q_spsa", "one_sided"]
DENSE += ["rademacher", "sphere"]
RECIPES = DENSE + LOW_RANK


class Table(nn.Module):
    """Bare parameters of one, two and three dimensions, in repeated layers."""

    def __init__(self, dtype: torch.dtype = torch.float64, width: int = 7) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)

        def make(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator).to(dtype))

        self.embed = make(11, width)
        self.layers = nn.ModuleList(
            nn.ParameterDict({"w": make(5, width), "b": make(width), "k": make(4, 3, 2)})
            for _ in range(4)
        )

    def vector(self) -> Tensor:
        return torch.cat([p.flatten().double() for p in self.parameters()])


class Recorder:
    """A closure: a smooth loss of all weights, which remembers where it was called."""

    def __init__(self, model: Table) -> None:
        self.model = model
        size = model.vector().numel()
        generator = torch.Generator().manual_seed(5)
        self.slope = torch.randn(size, dtype=torch.float64, generator=generator)
        self.curve = torch.rand(size, dtype=torch.float64, generator=generator)
        self.points: list[Tensor] = []
        self.losses: list[float] = []

    def __call__(self) -> Tensor:
        w = self.model.vector()
        loss = self.slope @ w / 10 + (self.curve * w.square()).sum() / 20
        self.points.append(w)
        self.losses.append(float(loss))
        return loss


class Net(nn.Module):
    """Embedding, Linear, norm, Conv1d and a tied head: the modules of small transformers."""

    def __init__(self, width: int = 17, vocabulary: int = 30) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width)) for _ in range(3)
        )
        self.conv = nn.Conv1d(width, 5, 3)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embed(tokens)
        for layer in self.layers:
            hidden = hidden + layer(hidden)
        return self.head(hidden + self.conv(hidden.transpose(1, 2)).mean())


def net_problem(dtype: torch.dtype = torch.float32) -> tuple[Net, Callable[[], Tensor]]:
    """Return a network and the closure of its loss on one batch."""
    torch.manual_seed(0)
    model = Net().to(dtype)
    tokens = torch.randint(0, 30, (4, 9))

    def closure() -> Tensor:
        return nn.functional.cross_entropy(model(tokens).double().flatten(0, 1), tokens.flatten())

    return model, closure


def build(name: str, params: Any, **options: Any) -> estimators.ZerothOrder:
    """Build a recipe with a rank and an interval that suit small tensors."""
    if name in LOW_RANK:
        options.setdefault("rank", 2)
        if not name.startswith("tezo"):
            options.setdefault("interval", 2)
    if name == "zo_adamu":
        options.setdefault("horizon", 20)
    if name == "hizoo":
        options.setdefault("smoothing", 1e-3)
    if name == "one_sided":
        options.setdefault("queries", 3)
    if name == "s_mezo" and options.get("apply") == "forward":
        options["implementation"] = "forward"
    return getattr(estimators, name)(params, **options)


def weights(model: nn.Module) -> list[Tensor]:
    """Return copies of the weights."""
    return [p.detach().clone() for p in model.parameters()]


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    """Whether two lists of tensors are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
