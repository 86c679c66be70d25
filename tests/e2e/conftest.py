"""Says which languages' clients could not be tried here."""

from __future__ import annotations

import pytest

from tests.e2e.languages import TOOLS, list_languages


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for language in sorted(set(TOOLS) - set(list_languages())):
        terminalreporter.write_line(
            f"the {language} client was not tried: {' or '.join(TOOLS[language])} is missing"
        )
