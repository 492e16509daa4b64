"""Pseudonyms: what a student is called behind the door, derived under a key that each authority has for itself."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode

PSEUDONYM_BYTES = 16


def normal_reference(reference: str) -> str:
    """The one spelling of a reference: UUIDs are the same in either case, other identifiers are not ours to change."""
    return reference.lower() if reference.startswith("ss12000:") else reference


class Pseudonyms:
    """Derives pseudonyms and content digests; the same secret gives the same on every replica, without it none can be guessed."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._keys: dict[str, bytes] = {}

    def of(self, authority: str, reference: str) -> str:
        """`p_` and 26 characters: base32 of the first 128 bits of HMAC-SHA-256 under the authority's key."""
        digest = hmac.digest(self._key(authority), reference.encode(), hashlib.sha256)
        return "p_" + b32encode(digest[:PSEUDONYM_BYTES]).decode().rstrip("=").lower()

    def digest(self, authority: str, content: bytes) -> str:
        """A keyed digest of content that may hold a national id: a plain one could be found by trying all of them."""
        return hmac.digest(self._key(authority), content, hashlib.sha256).hex()

    def _key(self, authority: str) -> bytes:
        key = self._keys.get(authority)
        if key is None:
            key = self._keys[authority] = hmac.digest(self._secret, authority.encode(), hashlib.sha256)
        return key
