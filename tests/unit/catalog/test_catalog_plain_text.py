"""Texts of collections as people see them: no markup, no raw variables."""

from __future__ import annotations

import pytest

from services.catalog.domain.importers.plain_text import strip_markup


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Plain & simple <your domain>, 1 < 2", "Plain & simple <your domain>, 1 < 2"),
        ("<p>One</p><p>Two &amp; three</p>", "One\nTwo & three"),
        ("See <a href='https://example.com/x' target=_blank>the <b>manual</b></a>.", "See the manual (https://example.com/x)."),
        ("<ul><li>a</li><li class='x'>b</li></ul>", "- a\n- b"),
        ("line<br/>break<br>again", "line\nbreak\nagain"),
        ("Put files in ${ROOT_FOLDER_HOST}/media or ${DIR:-/x}", "Put files in ROOT_FOLDER_HOST/media or DIR"),
        ("<i>&lt;b&gt;twice&lt;/b&gt;</i>", "twice"),
    ],
)  # fmt: skip
def test_markup_and_variables_become_plain_text(given: str, shown: str) -> None:
    assert strip_markup(given) == shown
