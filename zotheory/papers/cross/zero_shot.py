"""LLaMA-7B before any training."""

from __future__ import annotations

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.papers import cited_table
from zotheory.papers.cross.agreement import agree, spread
from zotheory.vocabulary import Claim, Kind, Setting, Statement

TEZO5, SMEZO1 = cited_table("tezo", 5), cited_table("smezo", 1)
TASKS = ("SST-2", "RTE", "WIC")
SPREAD = {task: sp.Symbol(f"spread of zero-shot, {task}", real=True) for task in TASKS}
SPREADS = {
    SPREAD[task]: spread([TEZO5["zero-shot", task], SMEZO1["Zero-Shot", task]]) for task in TASKS
}

CLAIMS = (
    Claim(
        id="cross.zero_shot_llama7b",
        where="TeZO Table 5, S-MeZO Table 1",
        statement=Statement(
            "Zero-shot LLaMA-7B agrees within 3 points between the two papers on SST-2, RTE and "
            "WIC.",
            agree(SPREAD),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TEZO5, SMEZO1, derive=lambda _: SPREADS),),
        correction=Statement(
            "It does on RTE and WIC; on SST-2 one prints 59.7 and the other 79.7.",
            agree(SPREAD, but=("SST-2",)),
        ),
        setting=Setting(paper="LLaMA-7B without training"),
    ),
)
