"""The exit statuses of every command."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses; `docs/commands.md` has the same table."""

    DONE = 0
    FAILED = 1
    FELL_SHORT = 2
    STOPPED = 130
    CLOSED_PIPE = 141


ABOUT = {
    Exit.DONE: "Done.",
    Exit.FAILED: "Something went wrong; the last line on stderr says what, and the cure.",
    Exit.FELL_SHORT: "The command line is wrong; or `--strict` was given and something fell short.",
    Exit.STOPPED: "Stopped by a signal, Ctrl-C or `--minutes`; the same command goes on.",
    Exit.CLOSED_PIPE: "What read the output closed it, as `head` does.",
}
"""A sentence for each, as the documentation has it."""
