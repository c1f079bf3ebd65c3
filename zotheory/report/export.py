"""The ledger for other programs: `claims.json`, versioned, with a schema (`claims.schema.json`).

For tools that audit papers by the thousand: a row a claim, with its verdict, what it was judged
of, digests of what the verdict rests on, and the command that judges it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

from zotheory.arguments import as_path
from zotheory.files import write_atomically
from zotheory.ledger import Control, Entry, Ledger
from zotheory.papers import source, title
from zotheory.vocabulary import Evidence

VERSION = 1  # goes up where a reader of the one before would misread this


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `export` returns."""
    path = Path(__file__).with_name("claims.schema.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write_export(ledger: Ledger, path: str | PathLike[str]) -> None:
    """Write what `export` returns, whole or not at all."""
    text = json.dumps(export(ledger), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(as_path("the file of claims", path), f"{text}\n")


def export(ledger: Ledger) -> dict[str, Any]:
    """The ledger's claims as plain data, in its order.

        >>> from zotheory.ledger import recorded
        >>> claims = export(recorded("svd0.alg3.as_printed"))["claims"]
        >>> claims[0]["verdict"], claims[0]["command"]
        ('refuted', 'zotheory verify svd0.alg3.as_printed --budget standard --seed 0')

    A digest is the SHA-256 of evidence as canonical JSON (keys sorted, no spaces): two ledgers
    found the same if and only if they have the same digests.
    """
    papers = dict.fromkeys(entry.paper for entry in ledger.claims)
    return {
        "schema": VERSION,
        "seed": ledger.seed,
        "budget": ledger.budget,
        "versions": dict(ledger.versions),
        "papers": [{"id": p, "title": title(p), "source": source(p)} for p in papers],
        "claims": [_row(entry, ledger) for entry in ledger.claims],
    }


def address(claim_id: str) -> str:
    """Where a claim's page lies on the site, from its root: it stays the same.

    >>> address("tezo.thm1.mean")
    'claims/tezo.thm1.mean/'
    """
    return f"claims/{claim_id}/"


def _row(entry: Entry, ledger: Ledger) -> dict[str, Any]:
    setting = entry.setting
    return {
        "id": entry.id,
        "paper": entry.paper,
        "where": entry.where,
        "says": entry.says,
        "formula": entry.formula,
        "setting": {"paper": setting.paper, "judged": setting.judged} if setting else None,
        "verdict": entry.verdict.value,
        "in_words": entry.told,
        "in_another_setting": entry.elsewhere,
        "evidence": [_digested(evidence) for evidence in entry.evidence],
        "correction": _control(entry.correction),
        "mutant": _control(entry.mutant),
        "reason": entry.reason,
        "address": address(entry.id),
        "command": f"zotheory verify {entry.id} --budget {ledger.budget} --seed {ledger.seed}",
    }


def _digested(evidence: Evidence) -> dict[str, Any]:
    found = {"kind": evidence.kind.value, "verdict": evidence.verdict.value}
    rests = {**found, "summary": evidence.summary, "numbers": evidence.numbers}
    return {**found, "summary": evidence.summary, "sha256": _digest(rests)}


def _control(found: Control | None) -> dict[str, Any] | None:
    return None if found is None else {"says": found.says, "verdict": found.verdict.value}


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()
