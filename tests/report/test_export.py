"""What other programs read: valid by its schema, the ledger's own words, digests of evidence."""

import json
from dataclasses import replace

import jsonschema
import pytest

from zotheory.cli import main
from zotheory.ledger import recorded
from zotheory.report.export import address, export, schema, write_export


@pytest.fixture(scope="module")
def exported():
    return export(recorded())


def test_it_is_what_the_schema_says(exported):
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(exported, schema())


def test_the_schema_refuses_what_it_does_not_know(exported):
    wrong = exported | {"claims": [exported["claims"][0] | {"verdict": "true"}]}
    with pytest.raises(jsonschema.ValidationError, match="'true' is not one of"):
        jsonschema.validate(wrong, schema())


def test_every_claim_is_there_with_its_paper(exported):
    papers = {paper["id"] for paper in exported["papers"]}
    assert [row["id"] for row in exported["claims"]] == [e.id for e in recorded().claims]
    assert {row["paper"] for row in exported["claims"]} == papers
    assert all(paper["title"] and paper["source"] for paper in exported["papers"])


def test_a_digest_is_of_what_was_found(exported):
    ledger = recorded("svd0.alg3.as_printed")
    (entry,) = ledger.claims
    first, *others = entry.evidence
    changed = replace(entry, evidence=(replace(first, numbers={"x": 1.0}), *others))
    before, after = (
        export(replace(ledger, claims=(found,)))["claims"][0]["evidence"]
        for found in (entry, changed)
    )
    assert before == next(r["evidence"] for r in exported["claims"] if r["id"] == entry.id)
    assert before[0]["sha256"] != after[0]["sha256"]
    assert before[1:] == after[1:]


def test_how_long_it_took_changes_nothing(exported):
    ledger = recorded("svd0.alg3.as_printed")
    slower = replace(ledger, claims=(replace(ledger.claims[0], seconds=1e9),))
    assert export(slower) == export(ledger)


def test_the_command_writes_it(tmp_path, exported, capsys):
    out = tmp_path / "claims.json"
    with pytest.raises(SystemExit) as ended:
        main(["export", "--out", str(out)])
    assert not ended.value.code
    assert json.loads(out.read_text()) == exported
    assert capsys.readouterr().out.strip() == str(out)


def test_a_folder_that_is_not_there_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "--out", str(tmp_path / "none" / "claims.json")])
    assert ended.value.code == 2
    assert "cannot write" in capsys.readouterr().err


def test_addresses_are_of_one_page_each(exported):
    assert len({row["address"] for row in exported["claims"]}) == len(exported["claims"])
    assert address("tezo.thm1.mean") == "claims/tezo.thm1.mean/"


def test_numbers_that_json_lacks_are_not_written(tmp_path):
    write_export(recorded("tezo.thm1.mean"), tmp_path / "x.json")
    assert "NaN" not in (tmp_path / "x.json").read_text()
