"""A card as a notebook shows it: its numbers as MathML, the derivation folded."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import sympy as sp
from sympy.printing.mathml import mathml

if TYPE_CHECKING:
    from proofs_check.cards.card import Card

_LEFT = 'style="text-align: left; white-space: normal; max-width: 38rem"'
_KEPT = "of it from what is drawn once and kept"


def html(card: Card) -> str:
    """A table of the card's properties; what it does not have is left out."""
    rows = {
        "mean": (_math(card.scale) + " · " if card.scale != 1 else "") + escape(card.target),
        "relative variance": _math(card.relative_variance),
        _KEPT: _math(card.basis_variance) if card.basis_variance != 0 else "",
        "E cos²": "" if card.cos2 is None else _math(card.cos2),
        "assumes": escape("; ".join(card.assumptions)),
    }
    lines = "".join(
        f'<tr><th scope="row" {_LEFT}>{name}</th><td {_LEFT}>{value}</td></tr>'
        for name, value in rows.items()
        if value
    )
    steps = "".join(f"<li>{escape(step)}</li>" for step in card.steps)
    return (
        f"<div><b>Card: {escape(card.name)}</b>, one estimate on a linear loss"
        f"<table><tbody>{lines}</tbody></table>"
        f"<details><summary>Derivation</summary><ol>{steps}</ol></details></div>"
    )


def _math(expression: sp.Expr) -> str:
    return f'<math display="inline">{mathml(expression, printer="presentation")}</math>'
