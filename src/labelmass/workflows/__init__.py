"""The work of each command, without a command line."""
