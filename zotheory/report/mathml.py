"""Formulas as a ledger writes them, in ASCII, to MathML.

A ledger's formula is SymPy's text (``2*m**2/r``) in which whole quantities stand as names a person
reads (``E ||(1/r) <G,Z> Z - G||^2``, ``bytes of TeZO-Adam / bytes of the other``). One small
grammar reads both, so a page can be made of any ledger without the claims it came from.

    formula  = relation {("," | ";") relation}          a comma without a relation belongs to a name
    relation = sum {("=" | "<" | "<=" | ">" | ">=" | "!=" | "->" | "|") sum}
    sum      = ["-"] product {("+" | "-" | "+-") product}
    product  = power {["*" | "/"] power}                side by side means times
    power    = operand [("**" | "^") ["-"] power]
    operand  = number | "..." | words [fence] | name [fence] | prefix power {"/" power} | fence
    prefix   = "E" | "lim" | "sum" | "prod" | "grad"    "E a/b" is E of a/b, "E a / b" is not
    fence    = "(" list ")" | "[" list "]" | "<" list ">" | "||" list "||" | "|" list "|"
"""

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

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<dots>\.\.\.)"
    r"|(?P<word>[^\W\d_]\w*'*(?:-[^\W\d_]\w*)*(?:\.(?=\s))?)"
    r"|_(?P<below>\w+)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|->|\+-|\|\||[-+*/^=<>()\[\]|,;])"
    r"|(?P<end>$))"
)
_SYMBOL = re.compile(r"([^\W\d_])(\d*)('*)")


@dataclass(frozen=True)
class Part:
    """A piece of a relation, at whose ends a line may break: its ASCII source and its MathML."""

    source: str
    mathml: str


class _NotMath(ValueError):
    """A text that the grammar does not read."""


@dataclass(frozen=True)
class _Token:
    kind: str  # number, dots, word (symbol, function or prefix), text (words), below, sign, end
    text: str
    start: int
    end: int


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
    except (_NotMath, RecursionError):
        return ()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotMath(text[at:])
        kind = match.lastgroup or ""
        word, start = match.group(kind), match.start(kind)
        at = match.end()
        if kind == "word":
            parts = word.split("-")
            if len(parts) > 1 and all(_is_math(part) for part in parts):  # W-rho is a difference
                word, at = parts[0], start + len(parts[0])
            kind = "word" if _is_math(word) else "text"
        found.append(_Token(kind, word, start, at))
    return _phrases(found, text)


def _phrases(tokens: list[_Token], text: str) -> list[_Token]:
    """Neighbouring words as one token; "a" between words is a word, too."""
    joined: list[_Token] = []
    for k, token in enumerate(tokens):
        after = tokens[k + 1].kind if k + 1 < len(tokens) else ""
        worded = bool(joined) and joined[-1].kind == "text"
        if token.text == "a" and worded and after == "text":
            token = _Token("text", "a", token.start, token.end)
        if worded and token.kind == "text":
            first = joined.pop()
            token = _Token("text", text[first.start : token.end], first.start, token.end)
        joined.append(token)
    return joined


def _is_math(word: str) -> bool:
    """Whether a word is a symbol, a function or a prefix rather than a word of a sentence."""
    base, _, below = word.partition("_")
    known = base.rstrip("'") in GREEK.keys() | PREFIXES.keys() | FUNCTIONS.keys() | {"sqrt", "Abs"}
    return known or bool(_SYMBOL.fullmatch(base)) or 0 < len(below) <= 2


def _symbol(word: str) -> str:
    """MathML of ``tau_s``, ``m1``, ``W_0``, ``f_plus``."""
    base, _, below = word.partition("_")
    bare = base.rstrip("'")
    primes = len(base) - len(bare)
    if bare in GREEK:
        ml = f"<mi>{GREEK[bare]}</mi>"
    elif bare in PREFIXES:
        ml = f'<mi mathvariant="normal">{PREFIXES[bare]}</mi>'
        ml = f"<mo>{PREFIXES[bare]}</mo>" if bare in ("sum", "prod") else ml
    elif match := _SYMBOL.fullmatch(bare):
        ml, below = f"<mi>{match[1]}</mi>", f"{match[2]}{below}"
    else:
        ml = f"<mi>{escape(bare)}</mi>"
    if primes:
        ml = f"<msup>{ml}<mo>{'′' * primes}</mo></msup>"
    return f"<msub>{ml}{_below(below)}</msub>" if below else ml


def _below(text: str) -> str:
    if text in GREEK:
        return f"<mi>{GREEK[text]}</mi>"
    if text.isdigit():
        return f"<mn>{text}</mn>"
    if len(text) <= 2:
        return f"<mrow>{''.join(f'<mi>{escape(letter)}</mi>' for letter in text)}</mrow>"
    return f"<mi>{escape(text.replace('_', ' '))}</mi>"


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


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._closers: list[str] = []

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _spaced(self, token: _Token) -> tuple[bool, bool]:
        """Whether white space stands before and after a token."""
        around = f" {self._text} "[token.start : token.end + 2]
        return around[0].isspace(), around[-1].isspace()

    def formula(self) -> tuple[tuple[Part, ...], ...]:
        found, pending = [], []
        while True:
            parts, related = self._relation()
            pending += parts
            if related or self._next.kind == "end":  # a comma in a name parts no relations
                found.append(_joined(pending))
                pending = []
            if self._next.kind == "end":
                return tuple(found)
            if self._next.text not in (",", ";"):
                raise _NotMath(self._text)
            comma = self._take()
            if pending:
                pending.append(Part(comma.text, f"<mo>{comma.text}</mo>"))

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
                self._take()
                left = _over(left, self._power())
            elif self._next.text == "*":
                self._take()
                dotted = self._next.kind in ("number", "text") or left.words
                left = self._times(left, self._power(whole=True), "<mo>·</mo>" if dotted else "")
            elif self._begins_operand():
                left = self._times(left, self._power(whole=True), "")
            else:
                return left

    def _times(self, left: _Node, right: _Node, sign: str) -> _Node:
        gap = '<mspace width="0.3em"></mspace>' if left.words or right.words else ""
        ml = _row(left.ml, sign or gap or "<mo>&#8290;</mo>", right.ml)
        return _Node(ml, ml, right.words)

    def _begins_operand(self) -> bool:
        token = self._next
        if token.kind in ("number", "dots", "word", "text"):
            return True
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
            ml = f"<msub>{base.ml}{_below(self._take().text)}</msub>"
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
            raise _NotMath(self._text)
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

    def _name(self, token: _Token, called: bool, whole: bool) -> _Node:
        base = token.text.partition("_")[0]
        if called and base in ("sqrt", "Abs"):
            inner = self._fence().bare
            ml = f"<msqrt>{inner}</msqrt>" if base == "sqrt" else _fenced("|", inner, "|")
            return _Node(ml, ml)
        if base in FUNCTIONS and (called or base not in GREEK):
            ml = f'<mi mathvariant="normal">{FUNCTIONS[base]}</mi>'
            ml = _row(ml, self._fence().ml) if called else ml
            return _Node(ml, ml, words=not called)
        if called and token.text.endswith("_"):  # an order statistic
            ml = f"<msub>{_symbol(base)}{self._fence().ml}</msub>"
            return _Node(ml, ml)
        ml = _symbol(token.text)
        if base in PREFIXES and self._begins_operand():
            tight = base == "grad" or self._next.text in ("(", "[")
            gap = "" if tight else '<mspace width="0.15em"></mspace>'
            ml = _row(ml, gap, self._quotient().ml if whole else self._power().ml)
        elif called:
            ml = _row(ml, self._fence().ml)
        return _Node(ml, ml)

    def _quotient(self) -> _Node:
        """What a prefix stands before, with what divides it and is not set off by spaces."""
        left = self._power(whole=True)
        while self._next.text == "/" and not any(self._spaced(self._next)):
            self._take()
            left = _over(left, self._power())
        return left

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
            raise _NotMath(self._text)
        self._take()
        self._closers.pop()
        listed = "<mo>,</mo>".join("".join(part.mathml for part in parts) for parts in inner)
        fenced = _fenced(left, listed, right)
        round_ = opening == "("
        single = listed.count("<mfrac") == 1 and listed.endswith("</mfrac>")
        fraction = round_ and single and listed.startswith("<mfrac")
        return _Node(fenced, _row(listed) if round_ else fenced, fraction=fraction)
