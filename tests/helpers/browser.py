"""Chromium, driven over a pipe with the DevTools protocol; the standard library is all it takes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 60
"""The longest wait for an answer."""

KEYS = {
    "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37,
    "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Backspace": 8,
}  # fmt: skip


def find() -> str | None:
    """The browser on PATH, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A headless browser with one page.

    errors: what the page logged as an error, threw or was refused, since it was opened.
    """

    def __init__(self, program: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="labelmass-browser-")
        self._pid, self._in, self._out = _spawn(
            {**os.environ, "TMPDIR": self._folder},
            program,
            "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu",
            "--no-first-run", "--disable-extensions", "--disable-background-networking",
            "--disable-dev-shm-usage", f"--user-data-dir={self._folder}", "about:blank",
        )  # fmt: skip
        self._number, self._buffer = 0, b""
        self._session: str | None = None
        self._seen: list[str] = []
        self.errors: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    # -- protocol -------------------------------------------------------------------------------

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command; RuntimeError for an error."""
        self._number += 1
        number, whole = self._number, {"id": self._number, "method": method, "params": params}
        if self._session is not None and not method.startswith("Browser."):
            whole["sessionId"] = self._session
        os.write(self._in, json.dumps(whole).encode() + b"\0")
        for message in self._messages():
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)
        raise AssertionError

    def _messages(self) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + SECONDS
        while True:
            while b"\0" not in self._buffer:
                ready, _, _ = select.select([self._out], [], [], max(end - time.monotonic(), 0))
                part = os.read(self._out, 1 << 16) if ready else b""
                if not part:
                    raise RuntimeError("the browser does not answer")
                self._buffer += part
            one, _, self._buffer = self._buffer.partition(b"\0")
            yield json.loads(one)

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method", ""), message.get("params", {})
        self._seen.append(method)
        if method == "Runtime.exceptionThrown":
            found = params["exceptionDetails"]
            self.errors.append(found.get("exception", {}).get("description", found["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(str([one.get("value") for one in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    # -- what a person does ---------------------------------------------------------------------

    def open(self, path: str | Path) -> None:
        """Load a file and wait until it is there."""
        self.errors, self._seen = [], []
        self.send("Page.navigate", url=Path(path).resolve().as_uri())
        for message in () if "Page.loadEventFired" in self._seen else self._messages():
            self._note(message)
            if message.get("method") == "Page.loadEventFired":
                break

    def evaluate(self, script: str) -> Any:
        """What an expression gives, awaited."""
        found = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["result"].get("description", found["exceptionDetails"]))
        return found["result"].get("value")

    def window(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Width and height in CSS pixels; the system's colours."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def key(self, name: str, *, times: int = 1) -> None:
        """Press a key of `KEYS`."""
        code = "Space" if name == " " else name
        pressed = {"key": name, "code": code, "windowsVirtualKeyCode": KEYS[name]}
        text = {"Enter": "\r", " ": " "}.get(name)
        for _ in range(times):
            down = {**pressed, "text": text} if text else pressed
            self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **down)
            self.send("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def write(self, text: str) -> None:
        """Text into what has the focus, in place of what is selected."""
        self.send("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """The middle of an element, with the mouse."""
        at = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1
            )

    def downloads(self, folder: Path) -> None:
        """Where files are saved from now on."""
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    # -- end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the browser and all that it started."""
        with contextlib.suppress(RuntimeError, OSError):
            self.send("Browser.close")
        for end in (self._in, self._out):
            os.close(end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _spawn(environment: dict[str, str], *command: str) -> tuple[int, int, int]:
    """Start it with its commands on descriptor 3, answers on 4: process id, and the other ends."""
    (commands, to), (answers, back) = (_pipe(), _pipe())
    pid = os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, commands, 3),
            (os.POSIX_SPAWN_DUP2, back, 4),
        ],
        setpgroup=0,
    )
    os.close(commands)
    os.close(back)
    return pid, to, answers


def _pipe() -> tuple[int, int]:
    """Both ends, out of the way of the descriptors that the browser wants."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
