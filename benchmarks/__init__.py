"""Benchmarks: what a step costs. Measured numbers, never tests."""
