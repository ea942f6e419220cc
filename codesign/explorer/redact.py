"""URLs of storages without their passwords. Loads nothing heavy."""

from __future__ import annotations

import re
from urllib.parse import unquote

_LOGIN = re.compile(r"(://[^/:@]*:)(.*)@")
#: The same where the scheme was forgotten; and a token that stands for both.
_BARE, _TOKEN = re.compile(r"^([^/:@]*:)(.*)@"), re.compile(r"(://)([^/:@]+)@")
_TAIL = re.compile(r"(?=[@/:](.+))")
_SECRET = re.compile(r"([?&;][^=&;]*(?:pass|pwd|token|secret|key)[^=&;]*=)([^&]*)", re.IGNORECASE)
#: Schemes by which a login without a password is a name.
_NAMED = ("postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql")


def redacted(url: str) -> str:
    """A URL without its passwords, wherever they stand and whatever is in them."""
    for pattern in _patterns(url):
        url = pattern.sub(r"\1***" if pattern is _SECRET else r"\1***@", url)
    return url


def _patterns(url: str) -> tuple[re.Pattern[str], ...]:
    """Where secrets of a URL stand: each has what is shown, and then the secret."""
    scheme, _, rest = url.partition("://")
    if not rest:
        return _BARE, _SECRET
    return (_LOGIN, _SECRET) if scheme.partition("+")[0] in _NAMED else (_LOGIN, _TOKEN, _SECRET)


def without_secrets(text: str, url: str) -> str:
    """A text in which no password of a URL stands."""
    secrets = [found[2] for pattern in _patterns(url) for found in pattern.finditer(url)]
    # Others may end a password at its first "@", "/" or ":" and take the rest for the host.
    parts = [text for secret in secrets for text in _TAIL.findall(secret)]
    for secret in sorted({*secrets, *parts, *map(unquote, secrets)} - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _SECRET.sub(r"\1***", _LOGIN.sub(r"\1***@", text))
