"""Claims and ledgers in a notebook: tables that hold what matters and nothing unescaped."""

from html import escape

import sympy as sp
from pages import HARM, Page, hostile

from zotheory.claims import declared
from zotheory.ledger import recorded
from zotheory.vocabulary import Check, Claim, Kind, Statement


def tags(html):
    return [tag for tag, _ in Page(html).tags]


def test_a_claim_shows_its_statement_formula_and_controls():
    claim = next(claim for claim in declared() if claim.id == "tezo.thm1.variance")
    html = claim._repr_html_()
    assert type(html) is str
    assert "math" in tags(html)
    for said in (claim.id, claim.where, claim.statement.says, claim.mutant.says, "exact, measured"):
        assert escape(said) in html
    assert "if not, confirm" not in html  # it has no correction


def test_a_claim_without_a_formula_or_checks_says_so():
    html = Claim("my.a", "here", Statement("so"), (Kind.MODEL,), pending="later")._repr_html_()
    assert "none yet" in html
    assert "later" in html
    assert "math" not in tags(html)


def test_a_claim_escapes_what_it_says():
    formula = sp.Eq(sp.Symbol(HARM), 1)
    check = Check(Kind.EXACT, lambda statement, context: None)
    claim = Claim("my.a", HARM, Statement(HARM, formula), (Kind.EXACT,), (check,))
    assert not {"script", "img"} & set(tags(claim._repr_html_()))


def test_a_ledger_shows_its_tally_and_every_verdict():
    ledger = recorded()
    html = ledger._repr_html_()
    assert type(html) is str
    assert html.count('<span class="badge') == len(ledger.claims)
    for claim in ledger.claims:
        assert f'<th scope="row">{claim["id"]}</th>' in html
    refuted = next(claim for claim in ledger.claims if claim["correction"])
    assert escape(refuted["correction"]["says"], quote=False) in html.replace("&#34;", '"').replace(
        "&#39;", "'"
    )


def test_a_ledger_escapes_what_its_claims_say():
    assert not {"script", "img"} & set(tags(hostile()._repr_html_()))
