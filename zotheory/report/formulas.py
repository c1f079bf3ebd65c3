"""Formulas as a ledger writes them, in ASCII, to MathML.

A ledger's formula is SymPy's text (``2*m**2/r``) in which whole quantities stand as names a person
reads (``E ||(1/r) <G,Z> Z - G||^2``, ``bytes of TeZO-Adam / bytes of the other``). One small
grammar reads both, so a page can be made of any ledger without the claims it came from.

    formula  = relation {("," | ";") relation}          a comma without a relation belongs to a name
    relation = sum {("=" | "<" | "<=" | ">" | ">=" | "!=" | "->" | "|") sum}
    sum      = ["-"] product {("+" | "-" | "+-") product}
    product  = power {["*" | "/" | "kron"] power}       side by side means times
    power    = operand [("**" | "^") ["-"] power]
    operand  = number | "..." | words [fence] | name [fence] | prefix power | "lim" product | fence
    prefix   = "E" | "sum" | "prod" | "grad"
    fence    = "(" list ")" | "[" list "]" | "<" list ">" | "||" list "||" | "|" list "|"

Spaces tell names apart: all that follows the slash of ``bytes of X / bytes of Y`` is its
denominator, and ``E||V||/||W||`` is the expectation of a quotient.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Part:
    """A piece of a relation, at whose ends a line may break: its ASCII source and its MathML."""

    source: str
    mathml: str


@dataclass(frozen=True)
class _Node:
    """MathML of a subexpression; `bare` is the same without its outer brackets.

    `words` is text, which wants more room; `fraction` a fraction in brackets it can do without.
    """

    ml: str
    bare: str
    words: bool = False
    fraction: bool = False


def relations(text: str) -> tuple[tuple[Part, ...], ...]:
    """The relations of a formula, each in parts: every term with the sign before it.

    A text that is no formula gives an empty tuple, and its reader shows the text instead.
    """
    try:
        return _Parser(text).formula() if text.strip() else ()
    except (NotMath, RecursionError):
        return ()


def _row(*mathml: str) -> str:
    return f"<mrow>{''.join(mathml)}</mrow>"


def _over(above: _Node, below: _Node) -> _Node:
    ml = f"<mfrac>{above.bare}{below.bare}</mfrac>"
    return _Node(ml, ml)


def _fenced(left: str, inner: str, right: str) -> str:
    """A row in brackets, which are tall only round a fraction."""
    tall = "" if "<mfrac" in inner else ' stretchy="false"'
    return _row(
        f'<mo form="prefix"{tall}>{left}</mo>', inner, f'<mo form="postfix"{tall}>{right}</mo>'
    )


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Commas and what follows them joined to the part they stand in."""
    joined: list[Part] = []
    for part in parts:
        if joined and (part.source == "," or joined[-1].source.endswith(",")):
            last = joined.pop()
            space = "" if part.source == "," else " "
            part = Part(last.source + space + part.source, last.mathml + part.mathml)
        joined.append(part)
    return tuple(joined)


_COMMA = Part(",", "<mo>,</mo>")


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._closers: list[str] = []

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _spaced(self, token: Token) -> tuple[bool, bool]:
        """Whether white space stands before and after a token."""
        around = f" {self._text} "[token.start : token.end + 2]
        return around[0].isspace(), around[-1].isspace()

    def formula(self) -> tuple[tuple[Part, ...], ...]:
        found, pending = [], []
        while True:
            parts, related = self._relation()
            pending += parts
            if related:  # a comma in a name parts no relations
                found.append(pending)
                pending = []
            if self._next.kind == "end":
                if pending:
                    found[-1:] = [[*found[-1], _COMMA, *pending] if found else pending]
                return tuple(map(_joined, found))
            if self._next.text not in (",", ";"):
                raise NotMath(self._text)
            self._take()
            if pending:
                pending.append(_COMMA)

    def _relation(self) -> tuple[list[Part], bool]:
        """The terms of a relation, each with its sign, and whether it is a relation at all."""
        parts, related = self._terms(), False
        while self._is_relation():
            related = True
            sign = self._take()
            shown = escape(RELATIONS.get(sign.text, sign.text))
            first, *rest = self._terms()
            source = self._text[sign.start : sign.end] + " " + first.source
            first = Part(source, f'<mo form="infix">{shown}</mo>{first.mathml}')
            if sign.text == "->":  # no line breaks before a limit
                last = parts.pop()
                first = Part(f"{last.source} {first.source}", last.mathml + first.mathml)
            parts += [first, *rest]
        return parts, related

    def _terms(self) -> list[Part]:
        """The terms of a sum, each with its sign."""
        terms: list[Part] = []
        while not terms or (self._next.kind == "sign" and self._next.text in SIGNS):
            start, sign = self._next.start, ""
            if self._next.kind == "sign" and self._next.text in SIGNS:
                form = "infix" if terms else "prefix"
                sign = f'<mo form="{form}">{SIGNS[self._take().text]}</mo>'
            ml = sign + self._product().ml
            terms.append(Part(self._text[start : self._tokens[self._at - 1].end], ml))
        return terms

    def _is_relation(self) -> bool:
        token = self._next
        if token.kind != "sign":
            return False
        if token.text in ("<", ">", "|"):
            return all(self._spaced(token))
        return token.text in RELATIONS

    def _product(self) -> _Node:
        left = self._power(whole=True)
        while True:
            if self._next.text == "/":
                spaced = all(self._spaced(self._take()))
                left = _over(left, self._side_by_side() if spaced else self._power())
            elif self._next.text == "kron":
                self._take()
                left = self._times(left, self._power(), "<mo>⊗</mo>")
            elif self._next.text == "*":
                self._take()
                dotted = self._next.kind in ("number", "text") or left.words
                left = self._times(left, self._power(whole=True), "<mo>·</mo>" if dotted else "")
            elif self._begins_operand():
                left = self._times(left, self._power(whole=True), "")
            else:
                return left

    def _side_by_side(self) -> _Node:
        """What a slash between spaces divides by, up to a word that begins a clause."""
        node = self._power(whole=True)
        while self._begins_operand() and self._next.text.split()[0] != "as":
            node = self._times(node, self._power(whole=True), "")
        return node

    def _times(self, left: _Node, right: _Node, sign: str) -> _Node:
        gap = '<mspace width="0.3em"></mspace>' if left.words or right.words else ""
        ml = _row(left.ml, sign or gap or "<mo>&#8290;</mo>", right.ml)
        return _Node(ml, ml, right.words)

    def _begins_operand(self) -> bool:
        token = self._next
        if token.kind in ("number", "dots", "word", "text"):
            return token.text != "kron"
        if token.text in BARS:
            closes = self._closers and self._closers[-1] == token.text
            return not closes and not (token.text == "|" and all(self._spaced(token)))
        if token.text == "<":
            return not self._spaced(token)[1]
        return token.text in FENCES

    def _power(self, whole: bool = False) -> _Node:
        """A power; a prefix that begins a factor (`whole`) takes the quotient after it along."""
        base = self._operand(whole)
        if self._next.kind == "below":  # of brackets; a name carries its own
            ml = f"<msub>{base.ml}{subscript(self._take().text)}</msub>"
            base = _Node(ml, ml)
        if self._next.text not in ("**", "^"):
            return _Node(base.bare, base.bare) if base.fraction else base
        self._take()
        negative = self._next.text == "-" and self._take()
        exponent = self._power().bare
        if negative:
            exponent = _row('<mo form="prefix">−</mo>', exponent)
        ml = f"<msup>{base.ml}{exponent}</msup>"
        return _Node(ml, ml)

    def _operand(self, whole: bool) -> _Node:
        token = self._next
        if token.kind == "end" or not self._begins_operand():
            raise NotMath(self._text)
        if token.kind == "sign":
            return self._fence()
        self._take()
        called = self._next.text in ("(", "[") and self._next.start == token.end
        if token.kind == "word":
            return self._name(token, called, whole)
        if token.kind != "text":
            ml = "<mi>…</mi>" if token.kind == "dots" else f"<mn>{token.text}</mn>"
            return _Node(ml, ml)
        ml = f"<mi>{escape(' '.join(token.text.replace('_', ' ').split()))}</mi>"
        if called:
            ml = _row(ml, self._fence().ml)
        return _Node(ml, ml, words=not called)

    def _name(self, token: Token, called: bool, whole: bool) -> _Node:
        base = token.text.partition("_")[0]
        if called and base in ("sqrt", "Abs"):
            inner = self._fence().bare
            ml = f"<msqrt>{inner}</msqrt>" if base == "sqrt" else _fenced("|", inner, "|")
            return _Node(ml, ml)
        if base in FUNCTIONS and (called or base not in GREEK):
            ml = f'<mspace width="0.15em"></mspace><mi mathvariant="normal">{FUNCTIONS[base]}</mi>'
            ml = _row(ml, self._fence().ml if called else "")
            return _Node(ml, ml, words=not called)
        if called and token.text.endswith("_"):  # an order statistic
            ml = f"<msub>{symbol(base)}{self._fence().ml}</msub>"
            return _Node(ml, ml)
        ml = symbol(token.text)
        if base in PREFIXES and self._begins_operand():
            tight = base == "grad" or self._next.text in ("(", "[")
            gap = "" if tight else '<mspace width="0.15em"></mspace>'
            ml = _row(ml, gap, self._covered(base) if whole else self._power().ml)
        elif called:
            ml = _row(ml, self._fence().ml)
        return _Node(ml, ml)

    def _covered(self, prefix: str) -> str:
        """What a prefix that begins a factor stands before: a limit, before all that follows."""
        if prefix == "lim":
            return self._product().ml
        bracketed = self._next.text in ("(", "[")
        node = self._power(whole=True)
        while not bracketed and self._divides_bars():
            self._take()
            node = _over(node, self._power())
        return node.ml

    def _divides_bars(self) -> bool:
        """Whether a slash without spaces comes next and then a norm."""
        is_slash = self._next.text == "/" and not any(self._spaced(self._next))
        return is_slash and self._tokens[self._at + 1].text in BARS

    def _fence(self) -> _Node:
        opening = self._take().text
        if opening in BARS:
            closing, left, right = opening, BARS[opening], BARS[opening]
        else:
            closing, left, right = FENCES[opening]
        self._closers.append(closing)
        inner = [self._relation()[0]]
        while self._next.text == ",":
            self._take()
            inner.append(self._relation()[0])
        if self._next.text != closing:
            raise NotMath(self._text)
        self._take()
        self._closers.pop()
        listed = "<mo>,</mo>".join("".join(part.mathml for part in parts) for parts in inner)
        fenced = _fenced(left, listed, right)
        round_ = opening == "("
        single = listed.count("<mfrac") == 1 and listed.endswith("</mfrac>")
        fraction = round_ and single and listed.startswith("<mfrac")
        return _Node(fenced, _row(listed) if round_ else fenced, fraction=fraction)


# The words of a formula in ASCII: what is a symbol, what is a word, and how a symbol is drawn.


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
