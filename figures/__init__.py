"""Figures of the papers and our own, each from the ledger's numbers, one module each.

`zotheory figures [NAME ...]` or `python -m figures.tezo_fig8` draws; each writes a PDF, a PNG and
its caption. A new figure is one module here, named after its paper, with a `PICTURE`. (The ledger's
page is a picture of another kind: `python -m figures.ledger`.)
"""
