"""Table 10: how many settings were searched for each method, and what the best of so many gains."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import sympy as sp

from proofs_check.cards.order_statistics import minimum
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.grids import Grid, settings
from zotheory.evidence.printed import Computed, mean, printed
from zotheory.papers.svd0.table3 import TABLE3
from zotheory.papers.svd0.tables17_21 import TABLE18
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

GRID = Grid.read(Path(__file__).parent / "grids" / "table10.csv")
SIZES = GRID.sizes()
METHODS = GRID.rows[1:]  # the first is SGD
SETTINGS = {m: sp.Symbol(f"settings of {m}", integer=True, positive=True) for m in METHODS}
A, B = (sp.Symbol(f"mean largest of {m}'s settings", positive=True) for m in ("SVD-0", "MeZO"))
GAIN = sp.Symbol("mean gain of SVD-0 over MeZO", real=True)
S = sp.Symbol("s of SVD-0's seeds", positive=True)


def _settings(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    return {name: settings(SIZES, method) for method, name in SETTINGS.items()}


def _at_most(times: int) -> list[sp.Le]:
    """No method's grid has more than so many times as many settings as another's."""
    return [
        sp.Le(SETTINGS[large], times * SETTINGS[small]) for large, small in permutations(METHODS, 2)
    ]


def mean_largest(count: float) -> float:
    """E max of so many independent standard normals: the integral of t count Phi^(count-1) phi."""
    import math

    import numpy as np

    t = np.linspace(-12, 12, 1537)
    density = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([math.erfc(-x / math.sqrt(2)) / 2 for x in t])
    return float((t * count * below ** (count - 1) * density).sum() * (t[1] - t[0]))


def sample_deviation(*numbers: float) -> float:
    """The standard deviation with the denominator n - 1."""
    import numpy as np

    return float(np.std(numbers, ddof=1))


SEEDS = TABLE18.row("SVD-0")
MEAN_GAIN = mean([TABLE3["SVD-0", task] - TABLE3["MeZO", task] for task in TABLE3.columns])


def _quantities(_: Statement) -> dict[sp.Symbol, sp.Expr | Computed]:
    return {
        GAIN: MEAN_GAIN,
        S: Computed(sample_deviation, *SEEDS),
        A: Computed(mean_largest, settings(SIZES, "SVD-0")),
        B: Computed(mean_largest, settings(SIZES, "MeZO")),
    }


def _enclosed(_: Statement) -> list[Case]:
    """The same with a root in place of a number, and the order statistics' integrals enclosed."""
    numbers = {
        cell: number.value
        for table in (TABLE3, TABLE18, SIZES)
        for cell, number in table.numbers.items()
    }
    squares = sp.Add(*((seed - mean(SEEDS)) ** 2 for seed in SEEDS))
    count = {m: int(settings(SIZES, m).xreplace(numbers)) for m in ("SVD-0", "MeZO")}
    values = {
        GAIN: MEAN_GAIN.xreplace(numbers),
        S: sp.sqrt(squares.xreplace(numbers) / (len(SEEDS) - 1)),
        A: -minimum(count["SVD-0"]).first,
        B: -minimum(count["MeZO"]).first,
    }
    steps = (
        "the largest of n normals is minus the least of n: density n (1 - Phi)^(n-1) phi",
        "its mean, an integral over t, is enclosed by the trapezoidal rule with its error bound",
    )
    return [Case({f"settings of {m}": n for m, n in count.items()}, values, steps=steps)]


CLAIMS = (
    Claim(
        id="svd0.grid_sizes",
        where="App. A.1 (equitable comparison), Table 10",
        statement=Statement(
            "In Table 10 no ZO method's grid (product of the numbers of values listed) has more "
            "than twice as many settings as another's.",
            conjunction(*_at_most(2)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(SIZES, derive=_settings),),
        correction=Statement(
            "It has at most 30 times as many: SVD-0 has 15 times as many as MeZO and 30 times as "
            "many as S-MeZO.",
            conjunction(
                *_at_most(30),
                sp.Eq(SETTINGS["SVD-0"], 15 * SETTINGS["MeZO"]),
                sp.Eq(SETTINGS["SVD-0"], 30 * SETTINGS["S-MeZO"]),
            ),
        ),
        setting=Setting(paper="grids searched for OPT-13B (Table 10)"),
    ),
    Claim(
        id="svd0.grid_sizes.selection",
        where="App. A.1, Tables 3, 10, 18",
        statement=Statement(
            "SVD-0's mean gain over MeZO across the eleven tasks of Table 3 exceeds s (E max of a "
            "- E max of b), with a and b the numbers of settings that Table 10 gives SVD-0 and "
            "MeZO, E max the mean largest of so many independent standard normals, and s the "
            "standard deviation (denominator n - 1) of SVD-0's seeds in Table 18.",
            sp.Gt(GAIN, S * (A - B)),
        ),
        needs=(Kind.EXACT, Kind.PRINTED),
        checks=(enclosed(_enclosed), printed(TABLE3, TABLE18, SIZES, derive=_quantities)),
        correction=Statement(
            "It is between 0.7 and 0.8 of that.",
            conjunction(
                sp.Gt(GAIN, sp.Rational(7, 10) * S * (A - B)),
                sp.Lt(GAIN, sp.Rational(8, 10) * S * (A - B)),
            ),
        ),
        setting=Setting(
            paper="eleven tasks, OPT-13B by Sec. 6.1 (Table 3), the grids of OPT-13B (Table 10), "
            "the seeds of OPT-1.3B on SST-2 (Table 18)"
        ),
    ),
)
