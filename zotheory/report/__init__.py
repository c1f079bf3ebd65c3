"""The ledger for people: one page of HTML, tables in a notebook, one claim in words."""
