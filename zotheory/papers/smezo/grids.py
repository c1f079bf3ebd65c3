"""Tables 7 and 8: how many learning rates were searched for MeZO and for S-MeZO."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.grids import Grid
from zotheory.evidence.printed import printed
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

GRIDS = {n: Grid.read(Path(__file__).parent / "grids" / f"table{n}.csv") for n in (7, 8)}
RATE = "Learning rate"
SIZES, LARGEST = (
    {n: getattr(grid, told)() for n, grid in GRIDS.items()} for told in ("sizes", "largest")
)


def _times(values: dict, n: int, factor: sp.Rational) -> sp.Eq:
    """S-MeZO's number is so many times MeZO's, in Table n."""
    return sp.Eq(values[n]["S-MeZO", RATE], factor * values[n]["MeZO", RATE])


def _listed(method: str, *counts: int) -> list[sp.Eq]:
    """How many learning rates a method's grids list."""
    return [sp.Eq(SIZES[n][method, RATE], count) for n, count in zip(GRIDS, counts, strict=True)]


CLAIMS = (
    Claim(
        id="smezo.grids",
        where="Tables 7 and 8",
        statement=Statement(
            "MeZO and S-MeZO have the same number of learning rates in their grids and the same "
            "largest one, in Table 7 and in Table 8.",
            conjunction(
                *(_times(values, n, sp.S.One) for values in (SIZES, LARGEST) for n in GRIDS)
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(*SIZES.values(), *LARGEST.values()),),
        correction=Statement(
            "S-MeZO has 5 learning rates and MeZO 3 in Table 7, 8 in Table 8; S-MeZO's largest is "
            "2.5 times MeZO's in both.",
            conjunction(
                *_listed("S-MeZO", 5, 5),
                *_listed("MeZO", 3, 8),
                *(_times(LARGEST, n, sp.Rational(5, 2)) for n in GRIDS),
            ),
        ),
        setting=Setting(paper="grids searched for LLaMA-7B and Mistral-7B (Tables 7, 8)"),
    ),
)
