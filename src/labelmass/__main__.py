"""`python -m labelmass` is the command line."""

from labelmass.cli import main

main()
