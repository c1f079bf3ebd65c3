"""Steps of zeroth-order methods on the clock, side by side on a real language model."""
