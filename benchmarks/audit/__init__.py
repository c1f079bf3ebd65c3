"""The field's optimisers, checked from the outside: `python -m benchmarks.audit`."""
