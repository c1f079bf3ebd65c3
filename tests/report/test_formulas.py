"""Formulas as MathML: they mean what SymPy meant, whole quantities are readable, nothing leaks."""

import math
import re
from html import unescape
from xml.etree import ElementTree

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from zotheory.papers import declared
from zotheory.report.formulas import GREEK, relations
from zotheory.vocabulary import Kind, written

GIVEN = {"m": 3.0, "n": 1.7, "rho": 0.6, "eta_1": 2.3}
SYMBOLS = sp.symbols(" ".join(GIVEN), positive=True)
SPOKEN = {GREEK.get(name, name): value for name, value in GIVEN.items()} | {"η": GIVEN["eta_1"]}


def tree(ml):
    return ElementTree.fromstring(f"<math>{unescape_entities(ml)}</math>")


def unescape_entities(ml):
    """Character references that XML lacks, as characters; those that guard markup stay."""
    return re.sub(r"&#\d+;", lambda found: unescape(found[0]), ml)


def value(element):
    """What a MathML element means: a reader of its layout that knows nothing of the writer."""
    if element.tag == "mn":
        return float(element.text)
    if element.tag == "mi":
        return SPOKEN[element.text]
    if element.tag == "msub":
        return value(element[0])
    if element.tag == "mfrac":
        return value(element[0]) / value(element[1])
    if element.tag == "msup":
        return value(element[0]) ** value(element[1])
    if element.tag == "msqrt":
        return math.sqrt(row(list(element)))
    assert element.tag in ("mrow", "math"), element.tag
    return row(list(element))


def row(elements):
    """Sums of products: minus and plus bind less than times, times may be invisible."""
    total, sign, product = 0.0, 1.0, None
    for element in elements:
        if element.tag == "mspace" or (element.tag == "mo" and element.text in "()\u2062·"):
            continue
        if element.tag == "mo":
            assert element.text in "+−"
            if product is not None:
                total += sign * product
            sign, product = -1.0 if element.text == "−" else 1.0, None
        else:
            product = (1.0 if product is None else product) * value(element)
    return total + sign * product


expressions = st.recursive(
    st.sampled_from(SYMBOLS) | st.integers(1, 12).map(sp.Integer),
    lambda inner: (
        st.tuples(inner, inner).map(lambda p: p[0] + p[1])
        | st.tuples(inner, inner).map(lambda p: p[0] - p[1])
        | st.tuples(inner, inner).map(lambda p: p[0] * p[1])
        | st.tuples(inner, inner).filter(lambda p: p[1] != 0).map(lambda p: p[0] / p[1])
        | st.tuples(inner, st.sampled_from((-2, 2, 3))).map(lambda p: p[0] ** p[1])
        | inner.map(lambda x: sp.sqrt(x**2 + 1))
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(expressions)
def test_the_mathml_means_what_the_expression_means(expression):
    expected = sp.N(expression.subs(dict(zip(SYMBOLS, GIVEN.values(), strict=True))))
    if not expected.is_finite:  # 1/(m - m)
        return
    ((first, *rest),) = relations(str(expression))
    found = value(tree("".join(part.mathml for part in (first, *rest))))
    assert math.isclose(found, float(expected), rel_tol=1e-9, abs_tol=1e-9)


STATEMENTS = [
    (claim.id, statement)
    for claim in declared()
    for statement in (claim.statement, claim.mutant, claim.correction)
    if statement is not None and statement.formula is not None
]


@pytest.mark.sampled(120)
@pytest.mark.parametrize(("id", "statement"), STATEMENTS)
def test_nothing_of_a_claims_formula_is_lost(id, statement):
    text = statement.written
    found = relations(text)
    told = [" ".join(part.source for part in parts) for parts in found] or [text]
    assert re.sub(r"[\s,;]", "", "".join(told)) == re.sub(r"[\s,;]", "", text)
    for parts in found:
        for part in parts:
            tree(part.mathml)


def test_nearly_every_claim_is_typeset():
    tabled = {c.id for c in declared() if Kind.PRINTED in c.needs}  # their relations are listed
    others = [statement.written for id, statement in STATEMENTS if id not in tabled]
    left = [written for written in others if not relations(written)]
    assert len(left) <= 0.05 * len(others), left


def test_a_relation_per_line_and_a_part_per_term():
    found = relations("E||u||^4 <= a + b, c = 1/2; a = m**2")
    assert [[part.source for part in parts] for parts in found] == [
        ["E||u||^4", "<= a", "+ b"],
        ["c", "= 1/2"],
        ["a", "= m**2"],
    ]


def test_a_comma_in_a_name_parts_no_relations():
    found = relations("moment of kappa tau, expanded = moment of kappa Z")
    assert [part.source for part in found[0]] == [
        "moment of kappa tau, expanded",
        "= moment of kappa Z",
    ]
    assert len(found) == 1


def shown(text):
    return "".join(part.mathml for parts in relations(text) for part in parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tau_s", "<msub><mi>τ</mi><mrow><mi>s</mi></mrow></msub>"),
        ("W_0", "<msub><mi>W</mi><mn>0</mn></msub>"),
        ("m1", "<msub><mi>m</mi><mn>1</mn></msub>"),
        ("f_plus", "<msub><mi>f</mi><mi>plus</mi></msub>"),
        ("linear_part", "<mi>linear part</mi>"),
        ("random numbers", "<mi>random numbers</mi>"),
        ("S-MeZO-EI", "<mi>S-MeZO-EI</mi>"),
        ("cross term at a coordinate", "<mi>cross term at a coordinate</mi>"),
        ("grad f", "<mi mathvariant=\"normal\">∇</mi><mi>f</mi>"),
        ("sum_s", "<msub><mo>∑</mo>"),
        ("<G,Z>", ">⟨</mo><mi>G</mi><mo>,</mo><mi>Z</mi>"),
        ("||G||^2", "<msup><mrow><mo"),
        ("gamma(n)", "Γ</mi>"),
        ("gamma", "<mi>γ</mi>"),
        ("Max(m, n)", "max</mi>"),
        ("r**(-2)", "<mrow><mo form=\"prefix\">−</mo><mn>2</mn></mrow></msup>"),
        ("z'", "<msup><mi>z</mi><mo>′</mo></msup>"),
        ("a +- b", ">±</mo>"),
        ("a <= b", ">≤</mo>"),
        ("a != b", ">≠</mo>"),
        ("E[x | y]", ">|</mo>"),
        ("Y_(1)", "<msub><mi>Y</mi><mrow><mo"),
        ("Abs(x/2)", '<mo form="prefix">|</mo><mrow><mfrac>'),
        ("(a - b)_ij^2", "</mrow><mrow><mi>i</mi><mi>j</mi></mrow></msub><mn>2</mn></msup>"),
        ("erfc(x)", "<mi>erfc</mi><mrow><mo"),
        ("sqrt(log k)", 'log</mi></mrow><mspace'),
        ("V kron U", "<mi>V</mi><mo>⊗</mo><mi>U</mi>"),
        ("beta2", "<msub><mi>β</mi><mn>2</mn></msub>"),
        ("Vhat_T", '<msub><mover accent="true"><mi>V</mi><mo>^</mo></mover>'),
        ("over that at 2", "<mi>over that at</mi>"),
        ("SVD-0", "<mi>SVD-0</mi>"),
        ("d-3", "<mi>d</mi><mo"),
        ("correlates with G's", "<mi>correlates with G&#x27;s</mi>"),
        ("P(a step)", "<mi>a step</mi>"),
        ("sum_at_starts", "<mi>sum at starts</mi>"),
        ("eps-term of Eq. 26", "<mi>eps-term of Eq.</mi><mspace"),
        ("theta_0, ..., theta_T", "<mo>,</mo><mi>…</mi><mo>,</mo>"),
    ],
)  # fmt: skip
def test_notation(text, expected):
    assert expected in shown(text)


@pytest.mark.parametrize("text", ["W-rho Z", "W - rho*Z"])
def test_a_hyphen_between_symbols_is_a_minus(text):
    assert ">−</mo>" in shown(text)


def test_brackets_go_where_a_fraction_bar_or_an_exponent_groups_already():
    assert "(" not in shown("(6*m + 6*n)/r")
    assert "(" not in shown("(1/r) <G,Z>")
    assert "(" in shown("(1/r)**2")
    assert "(" in shown("m*(n + 1)")


@pytest.mark.parametrize(
    ("text", "above", "below"),
    [
        ("bytes of X / bytes of Y", "bytes of</mi>", "bytes of</mi>"),
        ("m + E||V||/||W||", "V", "W"),  # the expectation of a quotient
        ("E||V|| / ||W||", ">E</mi>", "W"),  # a quotient of expectations
        ("E||V||/(2*r)", ">E</mi>", "2"),
        ("E[V]/||W||", ">E</mi>", "W"),
        ("lim E f / E g", ">E</mi>", ">E</mi>"),
        ("(f - g) / (2 rho) as rho -> 0", "f", "ρ"),
    ],
)
def test_what_stands_above_and_below_a_bar(text, above, below):
    whole = tree(shown(text))
    (bar,) = whole.iter("mfrac")
    over, under = (ElementTree.tostring(part, encoding="unicode") for part in bar)
    assert above in over
    assert below in under
    before = "".join(whole.itertext()).partition("".join(bar.itertext()))[0]
    assert ("E" in over) + before.count("E") == text.split("/")[0].count("E")
    assert "lim" not in over
    assert "as" not in under


def test_what_follows_the_last_relation_belongs_to_it():
    ((*parts,),) = relations("x > the same by random U, V")
    assert [part.source for part in parts] == ["x", "> the same by random U, V"]


def test_only_tall_brackets_stretch():
    assert 'stretchy="false"' in shown("(m + rho)*n")
    assert 'stretchy="false"' not in shown("(m/r + 1)*n")


@pytest.mark.parametrize(
    "text",
    ["", "   ", "((", "a + ", "a b )", "||x", "<script>alert(1)</script>", "a & b", "f {x}", "é€"],
)
def test_what_is_no_formula_is_left_to_be_shown_as_text(text):
    assert relations(text) == ()


def test_deep_nesting_is_left_to_be_shown_as_text():
    assert relations("(" * 20_000 + "x" + ")" * 20_000) == ()


def test_names_are_escaped():
    hostile = sp.Eq(sp.Symbol("a <b> c"), sp.Symbol("x\"y's & <i>z</i>"))
    assert relations(written(hostile)) == ()  # a quotation mark and an ampersand are no notation
    for part in relations("norm <b> of it")[0]:
        assert "<b>" not in part.mathml
