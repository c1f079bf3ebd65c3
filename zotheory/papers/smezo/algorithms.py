"""Algorithms 2 and 3 as they are printed, and what a mask that is stored takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy as sp
import torch
from torch import Tensor

from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.instruments import Draws
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.architectures import llama_7b
from zotheory.papers.shared.steps import MeZO
from zotheory.papers.smezo.masked import selected
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# Algorithm 2: the noise is drawn for every weight, and multiplied by the mask.


DRAWN = sp.Symbol("numbers that Algorithm 2 draws", integer=True)
MEZO = sp.Symbol("numbers that MeZO draws", integer=True)
MASKED = sp.Symbol("weights in the mask", integer=True)
SPARSITIES = (0.0, 0.5, 0.75, 0.9)
SHAPES = ((8, 15), (40,))
EPS = 1e-3


@torch.no_grad()
def perturb(weights: list[Tensor], eps: float, seed: int, masks: list[Tensor]) -> None:
    """Algorithm 2: reset the seed; for theta_i in theta: z_i ~ N(0, 1), theta_i += m_i eps z_i."""
    source = torch.Generator().manual_seed(seed)
    for w, m in zip(weights, masks, strict=True):
        for i in range(w.numel()):
            z = torch.randn((), dtype=w.dtype, generator=source)
            w.view(-1)[i] += m.view(-1)[i] * eps * z


def _drawn(_: Statement, context: Context) -> Iterator[Case]:
    """Weights of 64 bits; the mask is of the smallest in magnitude."""
    for sparsity in SPARSITIES:
        source = torch.Generator().manual_seed(context.seed)
        weights = [torch.randn(shape, dtype=torch.float64, generator=source) for shape in SHAPES]
        masks = [selected(w, "absolute", 1 - sparsity).view_as(w) for w in weights]
        with Draws() as ours:
            perturb(weights, EPS, context.seed, masks)
        with Draws() as mezo:
            MeZO(weights, EPS, 0.0, economical=True).perturb(1, context.seed)
        yield Case(
            {"sparsity": sparsity},
            {
                DRAWN: ours.drawn,
                MEZO: mezo.drawn,
                MASKED: sum(int(m.sum()) for m in masks),
            },
        )


# Algorithm 3: what its assignments write.


THRESHOLD = sp.Symbol("h", real=True)
THETA = WITHIN, ABOVE = sp.symbols("theta_1 theta_2", real=True)  # two weights of a layer
AFTER = sp.symbols("theta_1_after theta_2_after")
MASK = sp.symbols("m_1 m_2")


def get_mask(assigned: str) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """Algorithm 3 at theta_1 <= h < theta_2: theta after it, and what it returns.

    `assigned` stands on the left of its two assignments: "theta" as printed, or "m". As printed
    nothing is assigned to m: the array that was is taken for the mask.
    """
    arrays = {"theta": list(THETA), "m": []}
    arrays[assigned] = [sp.S.One, sp.S.Zero]
    return arrays["theta"], arrays["m"] or arrays["theta"]


def _assigned(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    name = statement.setting["assigned"]
    after, mask = get_mask(name)
    told = (f"theta_1 <= h: {name}_1 = 1; theta_2 > h: {name}_2 = 0",)
    values = zip((*AFTER, *MASK), (*after, *mask), strict=True)
    return {symbol: Derivation(value, told) for symbol, value in values}


def _assigned_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
before = np.array([theta_1, theta_2], dtype=float)
theta = before.copy()
for j in range(len(theta)):  # Algorithm 3 as printed
    if theta[j] <= h:
        theta[j] = 1
    else:
        theta[j] = 0
shown = {0 if failed.actual == 1 else 1}
print("claimed", before[shown])
print("actual", theta[shown])
"""


def _get_mask(says: str, assigned: str) -> Statement:
    kept = (sp.Eq(after, theta) for after, theta in zip(AFTER, THETA, strict=True))
    formula = conjunction(*kept, sp.Eq(MASK[0], 1), sp.Eq(MASK[1], 0))
    domain = (sp.Le(WITHIN, THRESHOLD), sp.Gt(ABOVE, THRESHOLD))
    return Statement(says, formula, domain, setting={"assigned": assigned})


# Sec. 3.2: a constant mask.


BYTES = sp.Symbol("bytes of the mask", positive=True)
WEIGHTS = sp.Symbol("bytes of the weights", positive=True)


def _stored(_: Statement, __: Context) -> Iterator[Case]:
    """Matrices of LLaMA-7B in 16 bits, the embeddings' and one block's, against a threshold."""
    for dtype in (torch.float16, torch.bfloat16):
        masked = [p.detach() for p in llama_7b(dtype, layers=1).parameters() if p.ndim == 2]
        masks = [w.abs() <= 0.01 for w in masked]
        yield Case(
            {"model": "LLaMA-7B, one block", "weights": str(dtype), "mask": str(masks[0].dtype)},
            {BYTES: sum(m.nbytes for m in masks), WEIGHTS: sum(w.nbytes for w in masked)},
            {"entries of either": sum(m.numel() for m in masks)},
        )


def _stored_witness(*_: object) -> str:
    return """import numpy as np

weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float16)
mask = np.abs(weights) <= 0.5  # one byte an entry, as in PyTorch
print("claimed", 0.9 * weights.nbytes)
print("actual", mask.nbytes)
"""


CLAIMS = (
    Claim(
        id="smezo.sec32.mask_size",
        where="Sec. 3.2 ('a sparse mask, which is as large as the pre-trained model itself')",
        setting=Setting("a mask over a language model's weights of 16 bits"),
        statement=Statement(
            "A constant mask kept as PyTorch bool takes at least 90% of the bytes of the 16-bit "
            "weights that it masks.",
            sp.Ge(BYTES, sp.Rational(9, 10) * WEIGHTS),
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_stored, _stored_witness).refutes("in bytes"),),
        correction=Statement(
            "It has as many entries as they, and takes half of their bytes.",
            sp.Eq(BYTES, WEIGHTS / 2),
        ),
    ),
    Claim(
        id="smezo.alg2.draws",
        where="Algorithm 2",
        setting=Setting("Algorithm 2 as printed, on any weights"),
        statement=Statement(
            "Executed literally, Algorithm 2 draws as many random numbers per perturbation as MeZO "
            "does, at every sparsity.",
            sp.Eq(DRAWN, MEZO),
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_drawn),),
        mutant=Statement(
            "It draws as many as there are weights in the mask, at every sparsity.",
            sp.Eq(DRAWN, MASKED),
        ),
    ),
    Claim(
        id="smezo.alg3.assigns",
        where="Algorithm 3",
        setting=Setting("Algorithm 3 as printed, on any weights"),
        statement=_get_mask(
            "Executed literally, the assignments as printed, GetMask leaves theta as it was and "
            "returns a mask of zeros and ones.",
            "theta",
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_assigned, _assigned_witness),),
        correction=_get_mask(
            "It writes the zeros and ones over theta. With m_ij in place of theta_ij on the left "
            "of both assignments it leaves theta as it was and returns a mask of zeros and ones.",
            "m",
        ),
    ),
)
