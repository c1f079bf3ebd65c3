"""Claims and ledgers in a notebook: tables that hold what matters and nothing unescaped."""

import re
from dataclasses import replace
from html import escape

import pytest
import sympy as sp

from tests.report.pages import HARM, OURS, PAPERS, Page, badges, hostile, worded
from zotheory.ledger import recorded
from zotheory.papers import declared
from zotheory.vocabulary import Check, Claim, Kind, Setting, Statement


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
        assert f'<th scope="row">{claim.id}</th>' in html
    refuted = next(claim for claim in ledger.claims if claim.correction)
    assert escape(refuted.correction.says, quote=False) in html.replace("&#34;", '"').replace(
        "&#39;", "'"
    )


def test_a_ledger_escapes_what_its_claims_say():
    alone = hostile()
    several = replace(alone, claims=alone.claims * 2)
    for shown in (alone, several):
        assert not {"script", "img"} & set(tags(shown._repr_html_()))


def test_verdicts_are_worded_by_their_reading_and_setting():
    table = Page(worded()._repr_html_()).text
    for entry in worded().claims:
        assert entry.brief in table
    assert f"judged: {OURS}; the paper's: {PAPERS}" in " ".join(table.split())
    for entry in worded().claims:
        alone = " ".join(Page(worded().of(entry.id)._repr_html_()).text.split())
        assert entry.told[1:] in alone
        if entry.told != entry.verdict.word:  # a bare word would say too much
            found = badges(worded()[entry.id]._repr_html_())
            assert entry.brief in found
            assert entry.verdict.word not in found


def test_an_entry_shows_itself_as_a_ledger_of_it_alone():
    assert (
        recorded()["tezo.lemma1.norm4"]._repr_html_() == recorded("tezo.lemma1.norm4")._repr_html_()
    )


def test_a_claim_shows_its_setting():
    setting = Setting(PAPERS, OURS)
    claim = Claim("my.a", "here", Statement("so"), (Kind.MODEL,), pending="later", setting=setting)
    assert str(setting) in Page(claim._repr_html_()).text


@pytest.mark.sampled(40)
@pytest.mark.parametrize("claim", recorded().claims, ids=lambda claim: claim.id)
def test_one_claim_alone_is_shown_with_all_that_is_known_of_it(claim):
    html = recorded(claim.id)._repr_html_()
    assert not re.search(r"</summary>\s*</details>", html)  # nothing is folded that is empty
    page = Page(html)
    said = [claim.says, *(evidence.summary for evidence in claim.evidence)]
    said += [claim.correction.says] if claim.correction else []
    for text in said:
        assert " ".join(text.split()) in " ".join(page.text.split())
    certificate = claim.certificate
    assert ("pre" in [tag for tag, _ in page.tags]) == ("snippet" in certificate)
    assert [tag for tag, _ in page.tags].count("li") == len(certificate.get("steps", ()))
    assert page.outside == []
    assert "Judged in" not in page.text  # seconds differ from run to run
