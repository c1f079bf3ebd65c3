"""What a card is, and the sizes it speaks of.

On a linear loss with gradient G (m x n) the two-point estimate along Z is <G, Z> Z exactly, for
every eps. A card states three numbers of the estimate g made with one kind of Z, and derives them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape

import sympy as sp
from sympy.printing.mathml import mathml

from proofs_check.matrices import M, N, R

__all__ = ["KEEP", "KEPT", "Card", "M", "N", "Q", "R", "Support", "count", "share"]

Q = sp.Symbol("q", integer=True, positive=True)  # directions of one estimate
KEEP = sp.Symbol("p", positive=True)  # probability that an entry or a layer is on
KEPT = sp.Symbol("kept", nonnegative=True)  # ||P G||^2 / ||G||^2 for a given projection P


@dataclass(frozen=True)
class Support:
    """A random subspace in which Z, given the subspace, is an isotropic Gaussian.

    coordinates: its dimension k, so that <G, Z> Z is, within it, the Gaussian estimate of the
    projection P G in k dimensions. share: E||P G||^2 / ||G||^2.
    """

    coordinates: sp.Expr
    share: sp.Expr


@dataclass(frozen=True)
class Card:
    """Exact properties of one estimate g of the gradient G of a linear loss.

    target: the matrix T that the mean is a multiple of, as text ("G", "mask * G", ...).
    scale: E[g] = scale * T.
    relative_variance: E||g / scale - T||^2 / ||T||^2.
    basis_variance: the part of it that comes from what is drawn once and kept (factors, masks):
        E||E[g | kept] / scale - T||^2 / ||T||^2. Averaging over queries or steps that share the
        kept part does not remove it. 0 if nothing is kept, or if T is conditional on it already.
    cos2: E cos^2(G, g), with cos = 0 where g = 0; None where no exact expression is known.
    steps: the derivation. assumptions: what Z, G and the loss must satisfy.
    support: see `Support`; None where Z is not isotropic Gaussian in a subspace.
    gaussian: whether Z is Gaussian given what is kept.
    """

    name: str
    target: str
    scale: sp.Expr
    relative_variance: sp.Expr
    cos2: sp.Expr | None
    steps: tuple[str, ...]
    assumptions: tuple[str, ...] = ()
    basis_variance: sp.Expr = sp.S.Zero
    support: Support | None = None
    gaussian: bool = True

    def at(self, **sizes: sp.Expr | int) -> Card:
        """The card with sizes (by the names of their symbols) replaced by numbers or expressions.

        Raises ValueError if a size is no symbol of the card.
        """
        symbols = {s.name: s for s in self.symbols()}
        if unknown := set(sizes) - set(symbols):
            raise ValueError(f"{self.name} has no size {sorted(unknown)}; it has {sorted(symbols)}")
        values = {symbols[key]: sp.sympify(value) for key, value in sizes.items()}

        def put(expression: sp.Expr | None) -> sp.Expr | None:
            return None if expression is None else expression.subs(values, simultaneous=True)

        support = self.support and replace(
            self.support,
            coordinates=put(self.support.coordinates),
            share=put(self.support.share),
        )
        return replace(
            self,
            scale=put(self.scale),
            relative_variance=put(self.relative_variance),
            basis_variance=put(self.basis_variance),
            cos2=put(self.cos2),
            support=support,
        )

    def _repr_html_(self) -> str:
        """The card as a notebook shows it."""
        return html(self)

    def symbols(self) -> set[sp.Symbol]:
        """The symbols in any of the card's expressions."""
        parts = [self.scale, self.relative_variance, self.basis_variance]
        parts += [] if self.cos2 is None else [self.cos2]
        if self.support:
            parts += [self.support.coordinates, self.support.share]
        return set().union(*(part.free_symbols for part in parts))


def count(name: str, value: sp.Expr | int, least: int = 1) -> sp.Expr:
    """A size as a SymPy expression; ValueError if it is a number but no integer >= least."""
    value = sp.sympify(value)
    if value.is_number and not (value.is_integer and value >= least):
        raise ValueError(f"{name} must be an integer of at least {least}, not {value}")
    return value


def share(name: str, value: sp.Expr | float) -> sp.Expr:
    """A share as a SymPy expression; ValueError if it is a number outside (0, 1]."""
    value = sp.sympify(value)
    if value.is_number and not (value.is_real and 0 < value <= 1):
        raise ValueError(f"{name} must lie in (0, 1], not {value}")
    return value


# A card as a notebook shows it: its numbers as MathML, the derivation folded.


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
