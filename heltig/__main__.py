"""`python -m heltig`."""

from heltig.cli import main

main()
