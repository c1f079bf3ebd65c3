"""Our own conjectures and warnings."""

TITLE = "Ours: conjectures and warnings"
SOURCE = "the authors of this toolkit"
