"""`python -m loadtest`, which scripts/loadtest runs."""

from loadtest.command import main

main()
