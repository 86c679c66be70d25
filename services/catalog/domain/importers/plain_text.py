"""Plain text from descriptions with HTML or variables."""

from __future__ import annotations

import html
import re

_TAGS = "a|abbr|b|big|blockquote|br|center|code|details|div|em|font|h[1-6]|hr|i|img|kbd|li|ol|p|pre|s|small|span|strong|sub|summary|sup|table|tbody|td|th|thead|tr|u|ul"
# Only names of HTML tags: `<your domain>` is text that the reader needs.
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LINK = re.compile(
    r"""<a\s[^<>]*href=["']?(https?://[^"'\s<>]+)["']?[^<>]*>(.*?)</a>""", re.IGNORECASE | re.DOTALL
)
# Tags at which browsers begin a line.
_BREAK = re.compile(r"<(?:br|hr)\s*/?>|</(?:p|div|h[1-6]|ul|ol|table|tr|blockquote|pre)>", re.IGNORECASE)
_ITEM = re.compile(r"<li(?:\s[^<>]*)?>", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^{}]*\}")


def strip_markup(text: str) -> str:
    """Return a text without HTML tags and entities; links keep their address, `${NAME}` becomes NAME.

    What is in angle brackets but no tag, such as `<your domain>`, stays.
    """
    if _TAG.search(text):
        text = _LINK.sub(_write_link, text)
        text = _ITEM.sub("\n- ", _BREAK.sub("\n", text))
        text = html.unescape(_TAG.sub("", text))
        text = _TAG.sub("", text)  # unescaped text may contain tags again
        text = re.sub(r"[ \t]*\n[ \t]*", "\n", text)
        text = re.sub(r"\n{3,}", "\n\n", text)
    return _REFERENCE.sub(r"\1", text).strip()


def _write_link(match: re.Match[str]) -> str:
    address, label = match[1], _TAG.sub("", match[2]).strip()
    return address if not label or label == address else f"{label} ({address})"
