"""Figures, one module each: `python -m figures.NAME`."""
