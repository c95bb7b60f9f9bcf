"""A page in headless Chromium, for tests of reports: open, click, type, evaluate, look.

The DevTools protocol over a pipe (``--remote-debugging-pipe``: messages in JSON, each ended by a
null byte), so nothing but Chromium itself is needed and no port is opened.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe"
)
PATIENCE = 60.0  # seconds for one answer, on a busy machine
_KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "End": 35, "Home": 36}
# Chromium reads from handle 3 and writes to handle 4
_START = (
    "import fcntl, os, sys; a, b = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 20) for n in sys.argv[1:3]);"
    "os.dup2(a, 3); os.dup2(b, 4); os.close(a); os.close(b); os.execv(sys.argv[3], sys.argv[3:])"
)


def find_chromium() -> str:
    """Path of the browser; skips the test that asks if there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path")


class Browser:
    """Chromium as long as the context lasts, with a profile of its own."""

    def __init__(self) -> None:
        self._number = 0
        self._buffer = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        path = find_chromium()
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        there, self._write = os.pipe()
        self._read, back = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _START, str(there), str(back), path),
                *(*FLAGS.split(), f"--user-data-dir={self._profile.name}", "about:blank"),
            ],
            pass_fds=(there, back),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(back)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, AssertionError):
            self.send("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Ask for something and return the answer; events that come meanwhile are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._next(end)
            assert answer is not None, f"the browser does not answer {method}"
            if answer.get("id") != self._number:
                self.events.append(answer)
                continue
            assert "error" not in answer, f"{method}: {answer['error']}"
            found: dict[str, Any] = answer["result"]
            return found

    def wait_for(self, event: str, session: str) -> None:
        """Return when an event of that name came in a session."""
        end = time.monotonic() + PATIENCE
        while not any(e["method"] == event and e.get("sessionId") == session for e in self.events):
            told = self._next(end)
            assert told is not None, f"no {event} of the browser"
            self.events.append(told)

    def drain(self) -> None:
        """Keep the events that are there already."""
        while (told := self._next(0.0)) is not None:
            self.events.append(told)

    def _next(self, end: float) -> dict[str, Any] | None:
        """The next message before ``end``, or None."""
        while b"\0" not in self._buffer:
            left = max(end - time.monotonic(), 0.0)
            if not select.select([self._read], [], [], left)[0]:
                return None
            part = os.read(self._read, 1 << 20)
            assert part, "the browser ended"
            self._buffer += part
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, path: Path, width: int = 1280, height: int = 900, script: bool = True) -> Page:
        """Open a file from the disk in a window of ``width`` x ``height``; below 600 a phone."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable", session)
        phone = width < 600
        self.send(
            "Emulation.setDeviceMetricsOverride",
            session,
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        if phone:
            self.send("Emulation.setTouchEmulationEnabled", session, enabled=True)
        if not script:
            self.send("Emulation.setScriptExecutionDisabled", session, value=True)
        page = Page(self, session)
        self.send("Page.navigate", session, url=path.resolve().as_uri())
        self.wait_for("Page.loadEventFired", session)
        return page


class Page:
    """One open page."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.send(method, self.session, **parameters)

    @property
    def errors(self) -> list[str]:
        """What the console said in warning or error, and exceptions nobody caught."""
        found = []
        for event in self._events():
            told = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                found.append(str(details.get("exception", {}).get("description", details["text"])))
            elif event["method"] == "Runtime.consoleAPICalled":
                if told["type"] in ("error", "warning", "assert"):
                    found.append(str([a.get("value", a.get("description")) for a in told["args"]]))
            elif event["method"] == "Log.entryAdded" and told["entry"]["level"] != "verbose":
                found.append(f"{told['entry']['source']}: {told['entry']['text']}")
        return found

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for, without data kept in the page itself."""
        found = [
            str(event["params"]["request"]["url"])
            for event in self._events()
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [address for address in found if not address.startswith("data:")]

    def _events(self) -> list[dict[str, Any]]:
        self.browser.drain()
        return [e for e in self.browser.events if e.get("sessionId") == self.session]

    def evaluate(self, expression: str) -> Any:
        """Value of an expression in JavaScript; a promise is waited for."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent"))

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element in the window, scrolled to its middle."""
        found = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({ block: 'center', behavior: 'instant' });"
            "const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
        )
        left, top, width, height = found
        return left, top, width, height

    def click(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Press and release the mouse at a place in an element, shares of its width and height."""
        self.move(selector, across, down)
        left, top, width, height = self.box(selector)
        place = {"x": left + across * width, "y": top + down * height}
        for kind in ("mousePressed", "mouseReleased"):
            pressed = {"type": kind, "button": "left", "clickCount": 1, **place}
            self.send("Input.dispatchMouseEvent", **pressed)

    def move(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        left, top, width, height = self.box(selector)
        place = {"x": left + across * width, "y": top + down * height}
        self.send("Input.dispatchMouseEvent", type="mouseMoved", **place)

    def tap(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Touch a place in an element with a finger."""
        left, top, width, height = self.box(selector)
        place = {"x": left + across * width, "y": top + down * height}
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[place])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, selector: str, key: str) -> None:
        """Give an element the focus and press a key there."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=_KEYS[key],
            )

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a list, as a user's choice tells the page."""
        self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            f"e.value = {json.dumps(value)}; e.dispatchEvent(new Event('change')); }})()"
        )

    def screenshot(self, path: Path, *, whole: bool = True) -> Path:
        """Write a PNG of the whole page, or of the window."""
        answer = self.send("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        path.write_bytes(base64.b64decode(answer["data"]))
        return path
