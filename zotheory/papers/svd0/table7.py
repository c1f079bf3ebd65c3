"""Table 7: RoBERTa-large on four tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE7 = Table.read(Path(__file__).parent / "tables" / "table7.csv")


def _against_all(relation: Callable[..., sp.Basic], *tasks: str) -> list[sp.Basic]:
    others = [method for method in TABLE7.rows if method != "SVD-0"]
    return [relation(TABLE7["SVD-0", t], TABLE7[other, t]) for t in tasks for other in others]


CLAIMS = (
    Claim(
        id="svd0.table7.best",
        where="Sec. 6.3, Table 7",
        statement=Statement(
            "In Table 7 SVD-0's mean is strictly above that of every other method on all four "
            "tasks.",
            conjunction(*_against_all(sp.Gt, *TABLE7.columns)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE7),),
        correction=Statement(
            "It is strictly above every other on SST-2 and SST-5, and on SNLI and MNLI equal to "
            "LOZO's, with which it is above the rest.",
            conjunction(
                *_against_all(sp.Gt, "SST-2", "SST-5"),
                *_against_all(sp.Ge, "SNLI", "MNLI"),
                *(sp.Eq(TABLE7["SVD-0", t], TABLE7["LOZO", t]) for t in ("SNLI", "MNLI")),
            ),
        ),
        setting=Setting(
            paper="RoBERTa-large, 512 examples a class, means and deviations over five seeds "
            "(Table 7)"
        ),
    ),
)
