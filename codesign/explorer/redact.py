"""URLs of storages without their passwords. Loads nothing heavy."""

from __future__ import annotations

import re
from urllib.parse import unquote

_LOGIN = re.compile(r"://([^/:@]*):(.*)@")
_TAIL = re.compile(r"(?=[@/:](.+))")
_SECRET = re.compile(r"([?&][^=&]*(?:pass|pwd|token|secret|key)[^=&]*=)([^&]*)", re.IGNORECASE)


def redacted(url: str) -> str:
    """A URL without its passwords, wherever they stand and whatever is in them."""
    return _SECRET.sub(r"\1***", _LOGIN.sub(r"://\1:***@", url))


def without_secrets(text: str, url: str) -> str:
    """A text in which no password of a URL stands."""
    secrets = [found[2] for pattern in (_LOGIN, _SECRET) for found in pattern.finditer(url)]
    # Others may end a password at its first "@", "/" or ":" and take the rest for the host.
    parts = [text for secret in secrets for text in _TAIL.findall(secret)]
    for secret in sorted({*secrets, *parts, *map(unquote, secrets)} - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return redacted(text)
