"""`python -m starter` is the same as `serienmail`."""

from starter.cli import main

main()
