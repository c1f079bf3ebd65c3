"""Cards in a notebook: what they state, as mathematics, and nothing unescaped."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from proofs_check.cards import NAMES, card


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_every_card_is_shown_with_its_derivation(name):
    sizes = {"candidates": 4} if name in ("greedy", "guiding_vector") else {}
    found = card(name, **sizes)
    html = found._repr_html_()
    assert html.count("<li>") == len(found.steps)
    assert "math" in Tags(html).found
    assert ("E cos²" in html) == (found.cos2 is not None)
    assert ("drawn once" in html) == (found.basis_variance != 0)


def test_texts_are_escaped():
    harm = "<script>alert(1)</script>"
    found = replace(card("gaussian"), name=harm, target=harm, steps=(harm,), assumptions=(harm,))
    assert "script" not in Tags(found._repr_html_()).found
