"""A card as a notebook shows it: its numbers as MathML, the derivation folded."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import sympy as sp
from sympy.printing.mathml import mathml

if TYPE_CHECKING:
    from proofs_check.cards.card import Card

_TABLE = 'style="width: auto; margin: .3rem 0; font-size: inherit"'
_CELL = 'style="text-align: left; white-space: normal; max-width: 32rem; vertical-align: middle"'
_KEPT = "from what is drawn once and kept"


def html(card: Card) -> str:
    """A table of the card's properties; what it does not have is left out."""
    rows = {
        "mean": _multiple(card.scale) + escape(card.target),
        "relative variance": _math(card.relative_variance),
        _KEPT: _math(card.basis_variance) if card.basis_variance != 0 else "",
        "E cos²": "" if card.cos2 is None else _math(card.cos2),
        "assumes": escape("; ".join(card.assumptions)),
    }
    lines = "".join(
        f'<tr><th scope="row" {_CELL}>{name}</th><td {_CELL}>{value}</td></tr>'
        for name, value in rows.items()
        if value
    )
    steps = "".join(f"<li>{escape(step)}</li>" for step in card.steps)
    return (
        f"<div><b>Card: {escape(card.name)}</b>, one estimate on a linear loss"
        f"<table {_TABLE}><tbody>{lines}</tbody></table>"
        f"<details><summary>Derivation</summary><ol>{steps}</ol></details></div>"
    )


def _multiple(scale: sp.Expr) -> str:
    if scale == 1:
        return ""
    return f"({_math(scale)}) · " if scale.is_Add else f"{_math(scale)} · "


def _math(expression: sp.Expr) -> str:
    drawn = mathml(expression, printer="presentation")
    return f'<math display="inline" displaystyle="true">{drawn}</math>'
