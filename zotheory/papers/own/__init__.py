"""Our own conjectures and warnings."""

TITLE = "Ours: conjectures and warnings"
