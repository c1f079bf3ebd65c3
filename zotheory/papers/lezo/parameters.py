"""Sec. 3.2, 4.1 and 5.1: parameters of blocks, those perturbed, and what leaving some out buys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import sympy as sp

import estimators
from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.architectures import opt_1b3, opt_13b, smollm2_135m
from zotheory.vocabulary import (
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
    conjunction,
)

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class Sizes:
    """Numbers of parameters: of each block that LeZO may leave out, of the embedding, of all."""

    blocks: tuple[int, ...]
    embedding: int
    total: int

    def perturbed(self, dropped: int, *, embedding: bool = False) -> tuple[int, int]:
        """The least and the greatest number perturbed with so many layers left out, over all sets.

        embedding: whether it is a layer that may be left out, too.
        """
        layers = sorted((*self.blocks, self.embedding) if embedding else self.blocks)
        return self.total - sum(layers[len(layers) - dropped :]), self.total - sum(layers[:dropped])


def sizes(model: Module) -> Sizes:
    """Those of a model; its blocks are the layers of `estimators.lezo`, tied tensors count once."""
    slots = estimators.lezo(model, seed=0, counting=True).slots()
    blocks: dict[str, int] = {}
    for slot in slots:
        if slot.layer is not None:
            blocks[slot.layer] = blocks.get(slot.layer, 0) + slot.param.numel()
    embedding = model.get_input_embeddings().weight.numel()
    return Sizes(tuple(blocks.values()), embedding, sum(slot.param.numel() for slot in slots))


OPT_13B, SMOLLM2 = "OPT-13B", "SmolLM2-135M"
BUILD = {OPT_13B: opt_13b, SMOLLM2: smollm2_135m}
DROPPED = {OPT_13B: (30,), SMOLLM2: (22, 23)}  # blocks: 75% of 40 and of 30, up and down


@cache
def sizes_of(name: str) -> Sizes:
    """Those of a model by its name, from its configuration alone."""
    return sizes(BUILD[name]())


def _choices() -> Iterator[tuple[dict[str, object], Sizes, int]]:
    for name, counts in DROPPED.items():
        for dropped in counts:
            found = sizes_of(name)
            at = {"model": name, "blocks left out": f"{dropped} of {len(found.blocks)}"}
            yield at, found, dropped


# Sec. 5.1: OPT-1.3B.


PARAMETERS = sp.Symbol("parameters of OPT-1.3B", integer=True)


def _with_blocks(statement: Statement, _: Context) -> Iterator[Case]:
    blocks = statement.setting["blocks"]
    model = opt_1b3(layers=blocks)
    yield Case({"blocks": blocks}, {PARAMETERS: sum(p.numel() for p in model.parameters())})


def _blocks_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

blocks, width, inner, tokens, positions = {failed.inputs["blocks"]}, 2048, 8192, 50_272, 2_050
attention = 4 * (width**2 + width)
feed_forward = 2 * width * inner + inner + width
norms = 2 * 2 * width
layers = np.full(blocks, attention + feed_forward + norms)
print("claimed", {int(failed.claimed)})
print("actual", layers.sum() + (tokens + positions) * width + 2 * width)
"""


def _blocks(says: str, blocks: int) -> Statement:
    within = conjunction(sp.Ge(PARAMETERS, 1_250_000_000), sp.Le(PARAMETERS, 1_350_000_000))
    return Statement(says, within, setting={"blocks": blocks})


# Sec. 4.1: how many are perturbed.


FEWEST, MOST = (sp.Symbol(f"{word} perturbed", integer=True) for word in ("fewest", "most"))
PERTURBED = sp.Symbol("share of the parameters perturbed")
NEAR = sp.Symbol("about", positive=True)
POINTS = sp.Rational(3, 100)


def _every_choice(statement: Statement, _: Context) -> Iterator[Case]:
    for at, found, dropped in _choices():
        counts = found.perturbed(dropped, embedding=statement.setting["embedding"])
        yield Case(at, dict(zip((FEWEST, MOST), counts, strict=True)), {"of": found.total})


def _shares(statement: Statement, _: Context) -> Iterator[Case]:
    for at, found, dropped in _choices():
        share = sp.Rational(found.perturbed(dropped)[0], found.total)
        near = statement.setting[at["model"]]
        blocks = sum(found.blocks) / found.total
        yield Case(at, {PERTURBED: share, NEAR: near}, {"blocks hold": blocks})


def _share_witness(_: Statement, failed: Counterexample) -> str:
    found = sizes_of(failed.inputs["model"])
    dropped = failed.inputs["blocks left out"].split()[0]
    return f"""import numpy as np

blocks = np.full({len(found.blocks)}, {found.blocks[0]})  # parameters of each
total = {found.total}
print("claimed", {float(failed.claimed)})
print("actual", 1 - blocks[:{dropped}].sum() / total)
"""


def each_model(plan: Callable[[Statement, Context], Iterator[Case]], witness) -> Check:
    """A counted check whose refutation names the models it is of, where it is not of all."""

    def judge(statement: Statement, context: Context) -> Evidence:
        found = counted(plan, witness).judge(statement, context)
        if found.verdict is not Verdict.REFUTED:
            return found

        def fails(name: str) -> bool:
            def alone(s: Statement, c: Context) -> Iterator[Case]:
                return (case for case in plan(s, c) if case.inputs["model"] == name)

            return counted(alone).judge(statement, context).verdict is Verdict.REFUTED

        failing = [name for name in DROPPED if fails(name)]
        if len(failing) == len(DROPPED):
            return found
        return replace(found, reading=f"for {' and '.join(failing)} alone")

    return Check(Kind.COUNTED, judge)


def _near(says: str, smollm2: sp.Rational) -> Statement:
    formula = conjunction(sp.Ge(PERTURBED, NEAR - POINTS), sp.Le(PERTURBED, NEAR + POINTS))
    return Statement(says, formula, setting={OPT_13B: sp.Rational(1, 4), SMOLLM2: smollm2})


# Sec. 3.2 and 5.2: what that can buy.


SPEED_UP = sp.Symbol("speed-up of a step")
SHARE = sp.Symbol("p", positive=True)  # of perturbing and updating in MeZO's step


def dropped_share() -> sp.Rational:
    """s: the share of OPT-13B's parameters that 30 of its 40 blocks hold."""
    found = sizes_of(OPT_13B)
    (dropped,) = DROPPED[OPT_13B]
    return 1 - sp.Rational(found.perturbed(dropped)[0], found.total)


def _speed_up(_: Statement) -> Mapping[sp.Expr, Derivation]:
    s = dropped_share()
    value = 1 / (1 - s * SHARE)
    if not sp.diff(value, SHARE).subs(SHARE, sp.Rational(1, 2)) > 0:
        raise ArithmeticError("the speed-up does not rise with p")
    steps = (
        f"30 of OPT-13B's 40 blocks hold s = {s} of its parameters, {float(s):.4f}",
        f"of a step 1 - s p is left: the speed-up {value} rises with p, so that of all shares up "
        "to p it is largest at p itself",
        f"were all parameters in the blocks, s = 3/4: {1 / (1 - sp.Rational(3, 4) * SHARE)}",
    )
    return {SPEED_UP: Derivation(value, steps)}


def _speed_up_witness(_: Statement, failed: Counterexample) -> str:
    found = sizes_of(OPT_13B)
    return f"""import numpy as np

{inputs(failed.inputs)}
s = 30 * {found.blocks[0]} / {found.total}  # parameters of a block, and of OPT-13B
shares = np.linspace(0, p, 1001)
print("claimed", {float(failed.claimed)})
print("actual", (1 / (1 - s * shares)).max())
print("a speed-up of 2 needs p of at least", 1 / (2 * s))
"""


def _twofold(says: str, share: sp.Rational) -> Statement:
    return Statement(says, sp.Ge(SPEED_UP, 2), (sp.Eq(SHARE, share),))


CLAIMS = (
    Claim(
        id="lezo.speedup.share",
        where="abstract, Sec. 3.2, 5.2",
        setting=Setting("OPT-13B, 30 of its 40 blocks dropped"),
        statement=_twofold(
            "With 30 of OPT-13B's 40 blocks dropped (all other parameters perturbed), a share of "
            "perturbing and updating of at most 60% of MeZO's step ('over 50%') can give a "
            "computational speed-up of 2, by 1/(1 - s p), s the dropped blocks' share of the "
            "parameters, p that of the time.",
            sp.Rational(60, 100),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_speed_up, _speed_up_witness),),
        correction=_twofold(
            "A share of at most 69% can; the least that does is 1/(2 s).", sp.Rational(69, 100)
        ),
    ),
    Claim(
        id="lezo.sec41.constant_n",
        where="Sec. 4.1",
        setting=Setting("models of the OPT family; SmolLM2-135M beside them"),
        statement=Statement(
            "For OPT-13B and SmolLM2-135M (blocks of one size, all other parameters always "
            "perturbed) the number of perturbed parameters is the same at every step, whichever "
            "blocks are drawn.",
            sp.Eq(MOST, FEWEST),
            setting={"embedding": False},
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_every_choice),),
        mutant=Statement(
            "It is if the embedding is one more layer that may be drawn.",
            sp.Eq(MOST, FEWEST),
            setting={"embedding": True},
        ),
    ),
    Claim(
        id="lezo.sec41.kept_share",
        where="Sec. 4.1, Eq. 3 at 75% of the layers dropped",
        setting=Setting("models of the OPT family; SmolLM2-135M beside them"),
        statement=_near(
            "The perturbed share of the parameters is within 3 points of 25%, for OPT-13B (30 of "
            "40 blocks dropped) and SmolLM2-135M (22 or 23 of 30), by Algorithm 1 with the blocks "
            "as its layers and all other parameters perturbed.",
            sp.Rational(25, 100),
        ),
        needs=(Kind.COUNTED,),
        checks=(each_model(_shares, _share_witness),),
        correction=_near(
            "It is for OPT-13B. For SmolLM2-135M, whose embedding holds a fifth of all parameters, "
            "it is within 3 points of 40%.",
            sp.Rational(40, 100),
        ),
    ),
    Claim(
        id="lezo.sec51.blocks",
        where="Sec. 5.1",
        setting=Setting("OPT-1.3B"),
        statement=_blocks(
            "OPT-1.3B has 32 Transformer blocks: with width 2048, feed-forward 8192, tied "
            "vocabulary of 50,272, 2,050 positions, biases and layer norms, 32 blocks give 1.25 to "
            "1.35 billion parameters.",
            32,
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_with_blocks, _blocks_witness),),
        correction=_blocks(
            "24 blocks do, as OPT's own table has it; 32 is the number of heads.", 24
        ),
    ),
)
