"""The words of a formula in ASCII: what is a symbol, what is a word, and how a symbol is drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

_SMALL = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho"
_SMALL_REST = "sigma tau upsilon phi chi psi omega"
_CAPITAL = "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
GREEK = {
    **dict(zip(_SMALL.split(), "αβγδεζηθικλμνξοπρ", strict=True)),
    **dict(zip(_SMALL_REST.split(), "στυφχψω", strict=True)),
    **dict(zip(_CAPITAL.split(), "ΓΔΘΛΞΠΣΦΨΩ", strict=True)),
    "eps": "ε",
    "oo": "∞",
    "infinity": "∞",
    "EulerGamma": "γ",
}
PREFIXES = {"E": "E", "lim": "lim", "sum": "∑", "prod": "∏", "grad": "∇"}
FUNCTIONS = {"Min": "min", "Max": "max", "gamma": "Γ", "asin": "arcsin", "log": "log", "exp": "exp"}
FENCES = {"(": (")", "(", ")"), "[": ("]", "[", "]"), "<": (">", "⟨", "⟩")}
BARS = {"||": "‖", "|": "|"}
RELATIONS = {"=": "=", "==": "=", "<": "<", "<=": "≤", ">": ">", ">=": "≥", "!=": "≠", "->": "→"}
SIGNS = {"+": "+", "-": "−", "+-": "±"}

_NAMED = GREEK.keys() | PREFIXES.keys() | FUNCTIONS.keys() | {"sqrt", "Abs", "kron"}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<dots>\.\.\.)"
    r"|(?P<word>[^\W\d_]\w*(?:'s\b|'*)(?:-\w+)*(?:\.(?=\s))?)"
    r"|_(?P<below>\w+)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|->|\+-|\|\||[-+*/^=<>()\[\]|,;])"
    r"|(?P<end>$))"
)
_SYMBOL = re.compile(r"(?!that$|what$|chat$)([^\W\d_]|[A-Za-z]+?)(hat)?(\d*)")


class NotMath(ValueError):
    """A text that the grammar does not read."""


@dataclass(frozen=True)
class Token:
    """A piece of a formula and where it stands.

    `kind` is number, dots, word (a symbol, a function or a prefix), text (words of a sentence),
    below (a subscript of brackets), sign or end.
    """

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The pieces of a formula, neighbouring words of a sentence as one.

    Raises:
        NotMath: a character that no formula has.
    """
    found: list[Token] = []
    at = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotMath(text[at:])
        kind = match.lastgroup or ""
        word, start = match.group(kind), match.start(kind)
        at = match.end()
        if kind == "word":
            parts = word.split("-")
            if len(parts) > 1 and all(part.isdigit() or _is_math(part) for part in parts):
                word, at = parts[0], start + len(parts[0])  # W-rho is a difference
            kind = "word" if _is_math(word) else "text"
        found.append(Token(kind, word, start, at))
    return _phrases(found, text)


def _phrases(found: list[Token], text: str) -> list[Token]:
    """Neighbouring words as one token; "a" before a word is a word, too."""
    joined: list[Token] = []
    for k, token in enumerate(found):
        if token.text == "a" and found[k + 1].kind == "text":
            token = Token("text", "a", token.start, token.end)
        if token.kind == "text" and joined and joined[-1].kind == "text":
            first = joined.pop()
            token = Token("text", text[first.start : token.end], first.start, token.end)
        joined.append(token)
    return joined


def _is_math(word: str) -> bool:
    """Whether a word is a symbol, a function or a prefix rather than a word of a sentence."""
    base, _, lower = word.partition("_")
    base = base.rstrip("'")
    if base in PREFIXES and len(lower) > 2 and lower not in GREEK:
        return False
    return base in _NAMED or _letter(base) is not None or 0 < len(lower) <= 2


def _letter(base: str) -> tuple[str, bool, str] | None:
    """A letter, whether it wears a hat, and its number: of ``m1``, ``beta2``, ``Vhat``."""
    match = _SYMBOL.fullmatch(base)
    if match is None:
        return None
    letter = GREEK.get(match[1], match[1])
    return (letter, bool(match[2]), match[3]) if len(letter) == 1 else None


def symbol(word: str) -> str:
    """MathML of ``tau_s``, ``m1``, ``W_0``, ``f_plus``, ``Vhat_t``, ``z'``."""
    base, _, lower = word.partition("_")
    bare = base.rstrip("'")
    letter = _letter(bare)
    if bare in ("sum", "prod"):
        ml = f"<mo>{PREFIXES[bare]}</mo>"
    elif bare in PREFIXES:
        ml = f'<mi mathvariant="normal">{PREFIXES[bare]}</mi>'
    elif letter is None:
        ml = f"<mi>{escape(bare)}</mi>"
    else:
        ml, lower = f"<mi>{letter[0]}</mi>", f"{letter[2]}{lower}"
        ml = f'<mover accent="true">{ml}<mo>^</mo></mover>' if letter[1] else ml
    if len(base) > len(bare):
        ml = f"<msup>{ml}<mo>{'′' * (len(base) - len(bare))}</mo></msup>"
    return f"<msub>{ml}{subscript(lower)}</msub>" if lower else ml


def subscript(text: str) -> str:
    """MathML of what stands below the line."""
    if text in GREEK:
        return f"<mi>{GREEK[text]}</mi>"
    if text.isdigit():
        return f"<mn>{text}</mn>"
    if len(text) <= 2:
        return f"<mrow>{''.join(f'<mi>{escape(letter)}</mi>' for letter in text)}</mrow>"
    return f"<mi>{escape(text.replace('_', ' '))}</mi>"
