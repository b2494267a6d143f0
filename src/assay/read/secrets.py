"""Passwords in database URLs: shown as ***, wherever a URL or a driver's words are shown."""

import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from assay.errors import UserError

_USER_AND_PASSWORD = re.compile(r"(://[^:/@]*):.*@", re.DOTALL)
_OF_USER = re.compile(r"://[^:/@]*:(.*)@", re.DOTALL)
_NAMED = re.compile(
    r"([?&;][^=&;]*(?:pass|pwd|secret|token|key|credential|auth|signature|"
    r"(?<![a-z])sig(?![a-z]))[^=&;]*=)([^&;]*)",
    re.IGNORECASE,
)
_NO_USERS = re.compile(r"^(https?://)[^/@]*@", re.IGNORECASE)  # what stands there is a token


def mask_password(url: str) -> str:
    """Return the URL with *** for a password.

    Example:
        >>> mask_password("postgresql://ann:secret@host/db")
        'postgresql://ann:***@host/db'
    """
    # Up to the last @: a password may itself hold one.
    masked = _USER_AND_PASSWORD.sub(r"\1:***@", url)
    return _NAMED.sub(r"\1***", _NO_USERS.sub(r"\1***@", masked))


def check_password(url: str, where: str) -> None:
    """Refuse a password that a driver would read in pieces, and print some of them.

    Args:
        url: The address.
        where: The same, masked.

    Raises:
        UserError: It holds a character that separates the parts of a URL.
    """
    found = _OF_USER.search(url)
    if found and re.search(r"[@:/?#\s]", found.group(1)):
        raise UserError(
            "the password in the URL holds one of @ : / ? # or a space",
            where=where,
            fix="Write such characters percent-encoded: %40 for @, %3A for :, %2F for /",
        )


def without_secrets(text: str, url: str) -> str:
    """Return a driver's words with *** for each password of the URL, however it is written.

    Args:
        text: What the driver says.
        url: What it was given.

    Example:
        >>> without_secrets("no such user ann:p%40ss", "postgresql://ann:p%40ss@host/db")
        'no such user ann:***'
    """
    found = _OF_USER.search(url)
    secrets = [found.group(1)] if found else []
    secrets += [match.group(2) for match in _NAMED.finditer(url)]
    text = text.replace(url, mask_password(url))
    forms = {form for secret in secrets for form in _forms(secret)} - {""}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _forms(secret: str) -> set[str]:
    plain = {secret, unquote(secret), unquote_plus(secret)}
    return (
        plain
        | {quote(one, safe="") for one in plain}
        | {quote_plus(one) for one in plain}
        | {repr(one)[1:-1] for one in plain}
    )
