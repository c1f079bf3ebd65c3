"""Tables 13 and 14: how similar the singular vectors of ZO and true gradients are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE13, TABLE14 = (
    Table.read(Path(__file__).parent / "tables" / f"table{n}.csv") for n in (13, 14)
)
OURS = "After SVD"
REDUCTIONS = ("PCA", "NMF", "Factor Analysis", "Random Proj", "t-SNE")
PRESTUDY = "OPT-1.3B on RTE, a subset of the parameters"


def _relative(method: str) -> sp.Expr:
    """The deviation in units of the mean."""
    return TABLE14[method, "Std"] / sp.Abs(TABLE14[method, "Mean"])


CLAIMS = (
    Claim(
        id="svd0.table13.rank_trend",
        where="App. B, Table 13",
        statement=Statement(
            "In Table 13, at every batch size, the similarity at a smaller rank is at most that at "
            "a larger rank. (Read: reducing the rank leads to a minor decrease.)",
            conjunction(
                *(
                    sp.Le(TABLE13[small, batch], TABLE13[large, batch])
                    for small, large in pairwise(TABLE13.rows)
                    for batch in TABLE13.columns
                )
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE13),),
        correction=Statement(
            "In Table 13, at every batch size, the similarity at rank 8 is above that at ranks 24 "
            "and 48, which are equal.",
            conjunction(
                *(sp.Gt(TABLE13["8", b], TABLE13["24", b]) for b in TABLE13.columns),
                *(sp.Eq(TABLE13["24", b], TABLE13["48", b]) for b in TABLE13.columns),
            ),
        ),
        setting=Setting(paper=f"{PRESTUDY}, by rank and batch size (Table 13)"),
    ),
    Claim(
        id="svd0.table14.lower_std",
        where="App. B, Table 14",
        statement=Statement(
            "The standard deviation that Table 14 prints for After SVD is below that of each of "
            "the five other reductions (PCA, NMF, Factor Analysis, Random Proj, t-SNE).",
            conjunction(*(sp.Lt(TABLE14[OURS, "Std"], TABLE14[m, "Std"]) for m in REDUCTIONS)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE14),),
        correction=Statement(
            "It is below NMF's alone; in units of the mean's size it is below each of the five.",
            conjunction(
                sp.Lt(TABLE14[OURS, "Std"], TABLE14["NMF", "Std"]),
                *(sp.Gt(TABLE14[OURS, "Std"], TABLE14[m, "Std"]) for m in REDUCTIONS if m != "NMF"),
                *(sp.Lt(_relative(OURS), _relative(m)) for m in REDUCTIONS),
            ),
        ),
        setting=Setting(paper=f"{PRESTUDY}, six reductions (Table 14)"),
    ),
    Claim(
        id="svd0.tables13_14.agree",
        where="Tables 13, 14",
        statement=Statement(
            "Table 13's entry at rank 24 and batch size 16 lies between the least and the largest "
            "value that Table 14 prints for After SVD (both read as the setting of Sec. 3: rank "
            "24, batch size 16).",
            conjunction(
                sp.Ge(TABLE13["24", "16"], TABLE14[OURS, "Min"]),
                sp.Le(TABLE13["24", "16"], TABLE14[OURS, "Max"]),
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE13, TABLE14),),
        correction=Statement(
            "Table 13's entry at rank 24 and batch size 16 is above the largest value that Table "
            "14 prints for After SVD, as is every entry of its row but the one at batch size 4.",
            conjunction(
                *(
                    sp.Gt(TABLE13["24", batch], TABLE14[OURS, "Max"])
                    for batch in TABLE13.columns
                    if batch != "4"
                )
            ),
        ),
        setting=Setting(
            paper=f"{PRESTUDY}, rank 24, batch size 16 (Tables 13, 14); that both do is read, "
            "not said"
        ),
    ),
)
