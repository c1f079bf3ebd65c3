"""Updates: what is done with an estimate."""
