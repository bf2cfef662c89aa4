"""Run a Python module until it ends, or until the process that started it is gone.

    python -m helpers.tied_process MODULE [ARGUMENT...]

Standard input is a pipe that the starting process holds open. However that process ends, the pipe
is closed then, and the module with all its children is ended too.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
import threading
import time

GRACE = 10.0
"""Seconds between the request to end and the kill."""


def end_with_parent() -> None:
    """End this process group when standard input is closed; the process must be its leader."""
    assert os.getpgrp() == os.getpid()

    def wait() -> None:
        with contextlib.suppress(OSError):
            # Not through sys.stdin: a forked child would inherit the lock of its buffer.
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
