"""The time of a step over the time of its own forward passes, all contenders in one run.

In every round each contender makes one forward pass F and one step S, one after the other; the
ratio S / kF, k the evaluations of its step, is taken pair by pair, so that a busy machine blurs it
little. The first step of each, which draws factors, is not counted. Medians (min-max). tokens/s is
what a step evaluates, k times the batch, in a second: inference has the same at S / kF = 1. MB is
the peak memory of a later step over that of inference, from a process per contender.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import torch
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import (
    LEADING,
    RECIPES,
    REFERENCE,
    Closure,
    Contender,
    language_model,
    loss_of,
)
from benchmarks.memory import over_inference


def timed(call: Callable[[], object], wait: Callable[[], object]) -> float:
    """Return the seconds that `call` takes until `wait` returns: the device has then done it."""
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start


@torch.no_grad()
def measure(
    contenders: Sequence[Contender], closure: Closure, rounds: int, wait: Callable[[], object]
) -> dict[Contender, list[tuple[float, float]]]:
    """Return the pairs (F, S) of every contender, in seconds."""
    closure()
    for contender in contenders:
        contender.step(closure)
    pairs: dict[Contender, list[tuple[float, float]]] = {c: [] for c in contenders}
    for _ in range(rounds):
        for contender in contenders:
            forward = timed(closure, wait)
            pairs[contender].append((forward, timed(lambda c=contender: c.step(closure), wait)))
    return pairs


def table(
    pairs: dict[Contender, list[tuple[float, float]]],
    batch: int,
    length: int,
    memory: dict[Contender, str],
) -> Table:
    """Return the table of one size."""
    forward, tokens = [f for runs in pairs.values() for f, _ in runs], batch * length
    title = (
        f"{batch} x {length} tokens: F = {_spread(forward)} s, inference {_rate(tokens, forward)}"
    )
    found = Table(title=f"{title} tokens/s", box=SIMPLE)
    for column in ("method", "noise", "k", "S [s]", "S / kF", "tokens/s", "MB"):
        found.add_column(
            column, justify="left" if column in ("method", "noise") else "right", no_wrap=True
        )
    for contender, runs in pairs.items():
        k = contender.evaluations
        found.add_row(
            contender.name,
            contender.apply,
            str(k),
            _spread([s for _, s in runs]),
            _spread([s / (k * f) for f, s in runs]),
            _rate(k * tokens, [s for _, s in runs]),
            memory.get(contender, "-"),
        )
    return found


def _spread(values: Sequence[float]) -> str:
    middle = statistics.median(values)
    return f"{middle:.2f} ({min(values):.2f}-{max(values):.2f})"


def _rate(tokens: int, seconds: Sequence[float]) -> str:
    return f"{tokens / statistics.median(seconds):.0f}"


def main(
    lengths: Annotated[list[int], typer.Option("--length", help="tokens in a row")] = [8, 32, 128],  # noqa: B006
    batch: Annotated[int, typer.Option(min=1)] = 16,
    recipes: Annotated[str, typer.Option(help='names with commas, or "all"')] = ",".join(LEADING),
    apply: Annotated[
        str, typer.Option(help="inplace, forward or both, commas")
    ] = "inplace,forward",
    rank: Annotated[int, typer.Option(help="of low-rank noise", min=1)] = 64,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    memory: Annotated[bool, typer.Option(help="measure peak memory, a process each")] = True,
) -> None:
    """Time the recipes on SmolLM2-135M in float32."""
    if device not in ("cpu", "cuda"):
        raise typer.BadParameter(f"device must be cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("PyTorch finds no CUDA device here; use --device cpu")
    wait = torch.cuda.synchronize if device == "cuda" else torch.cpu.synchronize
    names = RECIPES if recipes == "all" else tuple(recipes.split(","))
    unknown = sorted(set(names) - set(RECIPES)) + sorted(
        set(apply.split(",")) - {"inplace", "forward"}
    )
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}")
    console = Console(width=max(100, Console().width))
    name, model = language_model()
    model = model.to(device)
    where = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    console.print(f"{name}, float32, {where}, rank {rank}")
    contenders = [
        Contender(n, a, rank, model)
        for n in names
        for a in (("inplace",) if n == REFERENCE else apply.split(","))
    ]
    for length in lengths:
        pairs = measure(contenders, loss_of(model, batch, length), rounds, wait)
        peaks = {
            c: over_inference(c.name, c.apply, rank, batch, length, device)
            for c in contenders
            if memory
        }
        console.print(table(pairs, batch, length, peaks))


if __name__ == "__main__":
    typer.run(main)
