"""Table 4: what a step of S-MeZO holds, counted."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

import estimators
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.counted import counted
from zotheory.evidence.instruments import Footprint, at_depth, footprint
from zotheory.papers.shared.architectures import batch, llama_7b, llama_30b
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

RATIO = sp.Symbol("vanilla / MeZO")
MORE = sp.Symbol("S-MeZO-EI - MeZO")
LAYER = sp.Symbol("one layer", positive=True)
VANILLA = (sp.Ge(RATIO, sp.Rational(9, 5)), sp.Le(RATIO, sp.Rational(11, 5)))


DEPTH = 32


def _memory(_: Statement, __: Context) -> Iterator[Case]:
    """LLaMA-7B in 16 bits, one sentence of 8 tokens.

    The embedding is left alone by all three: its noise is looked up row by row, which needs the
    tokens' values. The head has the same shape and is perturbed.
    """
    mezo = _held("mezo", restore="regenerate")
    vanilla = _held("s_mezo", implementation="copy")
    forward = _held("s_mezo", implementation="forward")
    layer = max(p.nbytes for p in llama_7b(layers=1).parameters())
    yield Case(
        {"model": "LLaMA-7B, float16", "batch": "1 x 8 tokens"},
        {RATIO: vanilla.peak / mezo.peak, MORE: forward.peak - mezo.peak, LAYER: layer},
        {
            "weights": mezo.weights,
            "peak of MeZO": mezo.peak,
            "peak of vanilla S-MeZO": vanilla.peak,
            "peak of S-MeZO-EI": forward.peak,
            "layers that S-MeZO-EI holds above the weights": (forward.peak - forward.weights)
            / layer,
        },
    )


def _held(method: str, **options: str) -> Footprint:
    return Footprint(*at_depth(lambda layers: _count(method, options, layers), DEPTH, (2, 3, 4)))


def _count(method: str, options: dict[str, str], layers: int) -> tuple[int, int, int]:
    model = llama_7b(layers=layers)
    model.get_input_embeddings().requires_grad_(False)
    optimizer = getattr(estimators, method)(model, seed=0, counting=True, **options)
    closure = batch(model, 1, 8)
    found = footprint(model, lambda: optimizer.step(closure))
    return found.weights, found.state, found.peak


# LLaMA-30B on one GPU.


BYTES = sp.Symbol("bytes held", positive=True)
A100 = 80 * 10**9


def _one_gpu(statement: Statement, _: Context) -> Iterator[Case]:
    """The weights (with their copy, if one is kept), and noise and mask of the largest matrix."""
    weights, largest, entries = at_depth(_sizes_30b, 60)
    noise, mask = largest, entries
    copies = statement.setting["copies"]
    yield Case(
        {"model": "LLaMA-30B, float16", "copies of the weights": copies},
        {BYTES: copies * weights + noise + mask},
        {"weights": weights, "noise": noise, "mask": mask},
    )


def _sizes_30b(layers: int) -> tuple[int, int, int]:
    """Bytes of all weights; bytes and entries of the largest matrix."""
    parameters = list(llama_30b(layers=layers).parameters())
    largest = max(parameters, key=lambda p: p.numel())
    return sum(p.nbytes for p in parameters), largest.nbytes, largest.numel()


def _fits(says: str, copies: int) -> Statement:
    return Statement(says, sp.Lt(BYTES, A100), setting={"copies": copies})


CLAIMS = (
    Claim(
        id="smezo.table4.memory",
        where="Table 4",
        setting=Setting(
            "LLaMA-7B on SuperGLUE, batch size 1, GPU memory",
            "bytes that the weights and a step's tensors take, without activations",
        ),
        statement=Statement(
            "Vanilla S-MeZO, which stores a copy, holds about twice MeZO's weight memory (within "
            "10%); S-MeZO-EI holds the same as MeZO plus at most one layer.",
            conjunction(*VANILLA, sp.Le(MORE, LAYER)),
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_memory),),
        mutant=Statement(
            "S-MeZO-EI does not require more memory than MeZO (Sec. 4.5), not even one layer.",
            conjunction(*VANILLA, sp.Le(MORE, 0)),
        ),
    ),
    Claim(
        id="smezo.abstract.30b",
        where="abstract, Sec. 5",
        setting=Setting("LLaMA-30B on an A100 of 80 GB"),
        statement=_fits(
            "LLaMA-30B (60 blocks, width 6656, feed-forward 17920, vocabulary 32,000 in and out) "
            "in 16 bits, with a 16-bit noise tensor and a one-byte mask of its largest matrix at "
            "once, is below the 80 GB (8e10 bytes) of an A100, activations not counted.",
            1,
        ),
        needs=(Kind.COUNTED,),
        checks=(counted(_one_gpu),),
        mutant=_fits("It is with a copy of the weights, as vanilla S-MeZO keeps one.", 2),
    ),
)
