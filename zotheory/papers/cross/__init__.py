"""What the papers print of the same thing.

Claims that no single paper makes: their tables, side by side.
"""

TITLE = "Across the papers: the same rows in their tables"
SOURCE = "arithmetic on the tables of all five"
