"""Instruments: random numbers drawn, bytes held, passes made, weights moved."""
