"""A model whose forward shows its weights as its modules use them, and losses of what is shown.

Noise that is written into the weights and noise that is added inside the forward pass look the
same from here: a closure sees the point at which it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zotheory.checking.result import NotApplicable

Loss = Callable[[Tensor], Tensor]
LAYERS, WIDTH, ROWS, WORDS = 4, 5, 9, 7  # odd rows and columns
LARGE = 1003, 101  # over 100,000 entries, which some write in parts


class Shift(nn.Module):
    """x + b."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(size))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class Scale(nn.Module):
    """s * x, as a norm has it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Block(nn.Module):
    """One of the repeated layers."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, ROWS, bias=False)
        self.shift = Shift(ROWS)


class Toy(nn.Module):
    """Embedding, repeated layers, a convolution, a norm's scale: `forward` returns their weights.

    Each weight is read off its module's output on unit vectors, which is exact in every float type.
    """

    def __init__(self, max_norm: float | None = None, large: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH, max_norm=max_norm)
        self.layers = nn.ModuleList(Block() for _ in range(LAYERS))
        self.conv = nn.Conv1d(4, 3, 2, bias=False)
        self.norm = Scale(11)
        self.table = nn.Embedding(*LARGE) if large else None
        self.register_buffer("ids", torch.arange(WORDS), persistent=False)
        self.register_buffer("unit", torch.eye(WIDTH), persistent=False)
        self.register_buffer("taps", torch.eye(8).view(8, 4, 2), persistent=False)
        self.register_buffer("zeros", torch.zeros(ROWS), persistent=False)
        self.register_buffer("ones", torch.ones(11), persistent=False)
        self.register_buffer("all", torch.arange(LARGE[0]) if large else None, persistent=False)
        self.register_buffer("visits", torch.zeros(3))

    @property
    def blocks(self) -> list[Block]:
        """The repeated layers."""
        return [layer for layer in self.layers if isinstance(layer, Block)]

    def forward(self) -> dict[str, Tensor]:
        seen = {"embed.weight": self.embed(self.ids)}
        for index, layer in enumerate(self.blocks):
            seen[f"layers.{index}.linear.weight"] = layer.linear(self.unit).T
            seen[f"layers.{index}.shift.bias"] = layer.shift(self.zeros)
        seen["conv.weight"] = self.conv(self.taps)[:, :, 0].T.reshape(3, 4, 2)
        seen["norm.weight"] = self.norm(self.ones)
        if self.table is not None:
            seen["table.weight"] = self.table(self.all)
        return seen


class Scene:
    """A model with seeded weights, and its parameters as one vector of float64.

    names, sizes: of the parameters, in the order of the vector. width: the weights' standard
    deviation (those of `norm` are ones).
    """

    def __init__(
        self,
        dtype: torch.dtype = torch.float64,
        *,
        seed: int = 0,
        max_norm: float | None = None,
        large: bool = False,
        change: Callable[[Toy], None] = lambda model: None,
    ) -> None:
        generator = torch.Generator(device="cpu").manual_seed(seed)
        with torch.device("cpu"):
            model = Toy(max_norm, large)
            self.model: nn.Module = model
            for name, parameter in self.model.named_parameters():
                drawn = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
                with torch.no_grad():
                    parameter.copy_(torch.ones_like(drawn) if name == "norm.weight" else drawn / 20)
            self.model.to(dtype)
            change(model)
        self.show: Callable[[], dict[str, Tensor]] = model

    @property
    def toy(self) -> Toy:
        """The small model. Raises NotApplicable if there is another in its place."""
        if not isinstance(self.model, Toy):
            raise NotApplicable("tried on the small model only")
        return self.model

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The parameters by name."""
        return dict(self.model.named_parameters())

    def slices(self) -> dict[str, slice]:
        """Where each parameter is in the vector."""
        places, start = {}, 0
        for name, parameter in self.parameters.items():
            places[name] = slice(start, start + parameter.numel())
            start += parameter.numel()
        return places

    def weights(self) -> Tensor:
        """The parameters now."""
        return _vector(self.parameters.values())

    def seen(self) -> Tensor:
        """The parameters as the modules use them now."""
        with torch.no_grad():
            shown = self.show()
        return _vector(shown[name] for name in self.parameters)

    def linear(self, seed: int = 0, scale: float = 1.0) -> Loss:
        """<g, w - w0> with g of norm `scale` in a random direction, w0 the weights now."""
        start = self.weights()
        generator = torch.Generator(device="cpu").manual_seed(1000 + seed)
        slope = torch.randn(start.shape, dtype=torch.float64, device="cpu", generator=generator)
        slope *= scale / slope.norm()
        return lambda seen: slope @ (seen - start)

    def curved(self, seed: int = 0) -> Loss:
        """A smooth loss that is not linear."""
        plain, start = self.linear(seed), self.weights()
        return lambda seen: 2.0 + plain(seen) + (seen - start + 0.1).square().sum() / 20


def _vector(tensors: Any) -> Tensor:
    return torch.cat([t.detach().to("cpu", torch.float64, copy=True).flatten() for t in tensors])


class Watch:
    """A closure: the loss of a scene, which keeps the points at which it is called.

    before: called with the number of the call (from 0) before the loss is computed.
    """

    def __init__(
        self,
        scene: Scene,
        loss: Loss,
        *,
        before: Callable[[int], Any] = lambda call: None,
        as_float: bool = False,
    ) -> None:
        self.scene, self.loss, self.before, self.as_float = scene, loss, before, as_float
        self.points: list[Tensor] = []
        self.losses: list[float] = []

    def __call__(self, *_: Any, **__: Any) -> Any:  # some pass `backward=False`
        self.before(len(self.points))
        seen = self.scene.seen()
        self.points.append(seen)
        value = self.loss(seen)
        self.losses.append(float(value))
        return float(value) if self.as_float else value
