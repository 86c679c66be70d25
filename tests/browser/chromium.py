"""Chromium without a window, by its DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from websockets.sync.client import ClientConnection, connect

LIMIT_S = 300.0


class BrowserError(Exception):
    """The page did not do what it should."""


class Page:
    """A tab of a browser of its own.

    Args:
        profile: an empty directory for the browser.
    """

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            raise BrowserError("neither chromium nor google-chrome is installed")
        options = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1400,1600",
            "--ignore-certificate-errors",  # a local platform made its certificate itself
        )
        self._process = subprocess.Popen(
            [program, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._opened = ExitStack()
        self._socket = self._attach(profile / "DevToolsActivePort")
        self._number = 0

    def _attach(self, file: Path) -> ClientConnection:
        deadline = time.monotonic() + LIMIT_S
        while not (file.exists() and file.read_text().count("\n")):
            if time.monotonic() > deadline:
                raise BrowserError("the browser did not start")
            time.sleep(0.1)
        port = file.read_text().split()[0]
        tabs = requests.get(f"http://127.0.0.1:{port}/json", timeout=LIMIT_S).json()
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        return self._opened.enter_context(connect(address, max_size=None, open_timeout=LIMIT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
        self._process.terminate()
        self._process.wait(LIMIT_S)

    def send(self, method: str, *, limit_s: float = LIMIT_S, **parameters: Any) -> dict[str, Any]:
        """Give a command and return its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=limit_s))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message', answer['error'])}")
                result: dict[str, Any] = answer.get("result", {})
                return result

    def run(self, script: str, *, limit_s: float = LIMIT_S) -> Any:
        """Return what an expression of JavaScript comes to, promises included."""
        done = self.send(
            "Runtime.evaluate", limit_s=limit_s, expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise BrowserError(json.dumps(done["exceptionDetails"])[:500])
        return done["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Return what an expression comes to as soon as that is true."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            found = self.run(script)
            if found:
                return found
            time.sleep(0.1)
        raise BrowserError(f"not true after {LIMIT_S:g} s: {script}")

    def take_picture(self, file: Path) -> None:
        """Write a screenshot."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
