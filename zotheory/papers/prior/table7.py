"""Table 7: the grids of hyperparameters searched for OPT models."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.grids import Grid, settings
from zotheory.evidence.printed import printed
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE7 = Grid.read(Path(__file__).parent / "grids" / "table7.csv").sizes()
_METHODS = ("MeZO", "SubZero")
SIZE = {
    row: sp.Symbol(f"settings of {row}", integer=True, positive=True)
    for m in _METHODS
    for row in (f"{m} (FT)", f"{m}-GV (FT)")
}
SIZES = {symbol: settings(TABLE7, row) for row, symbol in SIZE.items()}


def _times(factor: int) -> sp.And:
    """GV's grid has `factor` times as many settings as its base's."""
    return conjunction(*(sp.Eq(SIZE[f"{m}-GV (FT)"], factor * SIZE[f"{m} (FT)"]) for m in _METHODS))


CLAIMS = (
    Claim(
        id="prior.grid_sizes",
        where="Table 7",
        statement=Statement(
            "In Table 7 MeZO-GV (FT) and SubZero-GV (FT) are given as many settings (product of "
            "the numbers of values listed) as MeZO (FT) and SubZero (FT). (Read: a comparison at "
            "equal tuning.)",
            _times(1),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE7, derive=lambda _: SIZES),),
        correction=Statement("They are given four times as many: 12 to 3 and 72 to 18.", _times(4)),
        setting=Setting(paper="OPT models, full parameters (Table 7)"),
    ),
)
