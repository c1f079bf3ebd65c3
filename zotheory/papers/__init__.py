"""The papers, one room each: a claim's id names its paper, then its place there."""
