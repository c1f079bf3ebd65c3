"""What tests of evidence share."""

import pytest

from tests.evidence.printed_table import TEXT
from zotheory.evidence.tables import Table


@pytest.fixture
def table(tmp_path):
    (tmp_path / "table7.csv").write_text(TEXT)
    return Table.read(tmp_path / "table7.csv")
