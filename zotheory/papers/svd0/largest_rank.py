"""Table 2 against U and V: the printed memory above MeZO's, and what the projections can take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import sympy as sp

from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.printed import printed
from zotheory.papers.svd0.tables1_2 import MEMORY, TABLE2
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction


@dataclass(frozen=True)
class Shape:
    """Layers of four square and two feed-forward matrices; the largest rank of the model's grid."""

    layers: int
    hidden: int
    feed_forward: int
    rank: int

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Of one layer."""
        h, f = self.hidden, self.feed_forward
        return [(h, h)] * 4 + [(f, h), (h, f)]


SHAPES = {
    "RoBERTa-large": Shape(24, 1024, 4096, rank=24),
    "OPT-1.3B": Shape(24, 2048, 8192, rank=48),
    "OPT-13B": Shape(40, 5120, 20480, rank=128),
}
GB, FLOAT32 = 10**9, 4
FRAMES = {m: sp.Symbol(f"bytes of U and V of {m}", positive=True) for m in SHAPES}
MORE = {m: sp.Symbol(f"printed bytes above MeZO's of {m}", real=True) for m in SHAPES}


def _printed() -> dict[sp.Symbol, sp.Expr]:
    return {more: GB * (TABLE2["SVD-0", m] - TABLE2["MeZO", m]) for m, more in MORE.items()}


def _arithmetic(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    """U is m x r and V n x r for every m x n matrix."""
    frames = {
        FRAMES[model]: sp.Integer(
            FLOAT32 * shape.layers * shape.rank * sum(m + n for m, n in shape.matrices)
        )
        for model, shape in SHAPES.items()
    }
    return {**_printed(), **frames}


def _counted(_: Statement, __: Context) -> Iterator[Case]:
    """What the estimator keeps between two steps, on matrices without contents."""
    numbers = {cell: number.value for cell, number in TABLE2.numbers.items()}
    more = {name: expression.xreplace(numbers) for name, expression in _printed().items()}
    held = {FRAMES[model]: _held(shape) for model, shape in SHAPES.items()}
    ranks = {f"rank of {model}": shape.rank for model, shape in SHAPES.items()}
    yield Case(ranks, {**more, **held})


@cache
def _held(shape: Shape) -> int:
    from zotheory.evidence.instruments import at_depth

    return at_depth(lambda layers: [_bytes(shape, layers)], shape.layers)[0]


def _bytes(shape: Shape, layers: int) -> int:
    import torch

    import estimators
    from zotheory.evidence.instruments import Passes, state_tensors

    sizes = shape.matrices * layers
    weights = [torch.nn.Parameter(torch.empty(size, device="meta")) for size in sizes]
    optimizer = estimators.svd0(weights, rank=shape.rank, seed=0, counting=True)
    optimizer.step(Passes())
    return sum(tensor.nbytes for tensor in state_tensors(optimizer))


def _at_most(**times: sp.Rational) -> sp.And:
    return conjunction(*(sp.Le(MORE[m], times[m] * FRAMES[m]) for m in SHAPES))


CLAIM = Claim(
    id="svd0.table2.largest_rank",
    where="Table 2, Sec. 4.2",
    statement=Statement(
        "For each model of Table 2 the printed memory above MeZO's is at most twice that of U and "
        "V of all attention and feed-forward matrices in 32 bits at the largest rank of the "
        "model's grid (RoBERTa-large 24, OPT-1.3B 48, OPT-13B 128). Layers x (hidden, "
        "feed-forward): 24 x (1024, 4096), 24 x (2048, 8192), 40 x (5120, 20480), four square and "
        "two feed-forward matrices a layer; 1 GB = 10^9 bytes.",
        _at_most(**{m: sp.Integer(2) for m in SHAPES}),
    ),
    needs=(Kind.COUNTED, Kind.PRINTED),
    checks=(counted(_counted), printed(TABLE2, derive=_arithmetic)),
    correction=Statement(
        "It is at most that of U and V for OPT-1.3B and OPT-13B, and 12 to 12.5 times that for "
        "RoBERTa-large.",
        conjunction(
            _at_most(
                **{
                    "RoBERTa-large": sp.Rational(25, 2),
                    "OPT-1.3B": sp.S.One,
                    "OPT-13B": sp.S.One,
                }
            ),
            sp.Ge(MORE["RoBERTa-large"], 12 * FRAMES["RoBERTa-large"]),
        ),
    ),
    setting=Setting(
        paper=f"{MEMORY}, at ranks that are not told: at most the largest of Tables 10 to 12"
    ),
)
