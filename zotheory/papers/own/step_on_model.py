"""What falls and step sizes are on a language model: two claims that need many forward passes."""

from __future__ import annotations

import sympy as sp

from zotheory.vocabulary import Claim, Kind, Setting, Statement

FACTOR = sp.Symbol("largest factor between a best rate and the common multiple")
FALLS = sp.Symbol("largest factor between a method's fall per pass and MeZO's")
MODEL = Setting("SmolLM2-135M, reviews in prompts of at most 10 words, batches of 16")

CLAIMS = (
    Claim(
        id="own.step.one_factor",
        where="ours, for the results table",
        setting=MODEL,
        statement=Statement(
            "On SmolLM2-135M and the reviews (prompts of at most 10 words, batches of 16), over at "
            "least eight methods with an SGD update, the rate with the lowest validation loss "
            "after 600 forward passes on a grid of factor sqrt(3) lies within a factor 3 of one "
            "common multiple of E[kappa^2] / E[kappa^2 c] measured at the initial weights (c the "
            "curvature along the method's own direction).",
            sp.Le(FACTOR, 3),
        ),
        needs=(Kind.MODEL,),
        pending="needs fine-tuning runs of eight methods on a grid of rates, hours on two cores",
    ),
    Claim(
        id="own.step.same_fall",
        where="ours, for the papers' promise of fewer steps",
        setting=MODEL,
        statement=Statement(
            "At SmolLM2-135M's initial weights (same setting) the expected fall per forward pass "
            "at the best step, E[kappa^2]^2 / (2 E[kappa^2 c]) per pass, of LOZO, TeZO, SubZO, "
            "LeZO, S-MeZO and signs is within a factor 1.5 of MeZO's.",
            sp.Le(FALLS, sp.Rational(3, 2)),
        ),
        needs=(Kind.MODEL,),
        pending="needs several hundred draws of each method, hours on two cores: the curvature "
        "along a draw varies by as much as its mean from draw to draw",
    ),
)
