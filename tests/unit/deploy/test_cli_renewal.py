"""`proximity shell` sends newer tokens while a terminal is open, so that it outlives the one it began with."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, cast

from proximity_cli.failures import CliError
from proximity_cli.session import Session
from proximity_cli.shell import Keyboard, renewing

LIMIT_S = 60.0


class FakePlatform:
    """A platform whose tokens are renewed at every second look, and that does not answer at the first."""

    def __init__(self) -> None:
        self.session = Session("http://127.0.0.1:1", access="token-0", refresh="r")
        self.looks = 0

    def freshen(self, _least_s: float) -> None:
        self.looks += 1
        if self.looks == 1:
            raise CliError("nothing answers")
        if self.looks % 2 == 0:
            self.session = replace(self.session, access=f"token-{self.looks // 2}")


def test_newer_tokens_go_over_the_open_stream_and_no_token_goes_twice() -> None:
    platform, keyboard, sent = FakePlatform(), Keyboard("web-1"), list[str]()

    def read() -> None:
        for message in keyboard:
            if message.token:
                sent.append(message.token)
            if len(sent) == 2:
                return

    reader = threading.Thread(target=read)
    reader.start()
    with renewing(cast("Any", platform), keyboard, every_s=0.01):
        reader.join(LIMIT_S)
    assert sent == ["token-1", "token-2"]
