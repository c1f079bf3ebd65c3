"""`python -m zotheory`."""

from zotheory.cli import main

main()
