"""Objects show themselves by the function that is registered for their class."""

import pytest

from zotheory import views


class Shown:
    """Something that a notebook shows."""


def test_what_is_registered_draws(monkeypatch):
    monkeypatch.setattr(views, "_DRAWN_BY", {})
    views.register(Shown="builtins:repr")
    shown = Shown()
    assert views.as_html(shown) == repr(shown)


def test_a_class_that_nothing_draws_is_told():
    with pytest.raises(LookupError, match="nothing is registered that draws a Shown"):
        views.as_html(Shown())
