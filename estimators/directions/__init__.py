"""Directions: what is done with draws of Z."""
