"""What a student is called behind the door, and how references are kept: a pseudonym is random, a reference is a keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
PSEUDONYM_LENGTH = 26
"""130 bits: no two students are ever given the same, on however many replicas."""
HASH_BYTES = 16


def new_pseudonym() -> str:
    """A pseudonym that nobody has, made from nothing: a number that is given to another student revives nobody."""
    return "p_" + "".join(secrets.choice(ALPHABET) for _ in range(PSEUDONYM_LENGTH))


class KeyedHashes:
    """Hashes under an authority's own key: the same on every replica; without the secret none can be guessed."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._keys: dict[str, bytes] = {}

    def of_reference(self, authority: str, space: str, reference: str) -> str:
        """What stands for a reference wherever it is kept: the first 128 bits of HMAC-SHA-256, in hex.

        `space`: where an `id:` reference lives; `civic:` and `ss12000:` are the authority's, whatever the space.
        """
        where = space if in_a_space(reference) else ""
        digest = hmac.digest(self._key(authority), f"{where} {_one_spelling(reference)}".encode(), hashlib.sha256)
        return digest[:HASH_BYTES].hex()

    def of_content(self, authority: str, content: bytes) -> str:
        """A keyed digest of content that may hold a national id: a plain one could be found by trying all of them."""
        return hmac.digest(self._key(authority), content, hashlib.sha256).hex()

    def _key(self, authority: str) -> bytes:
        key = self._keys.get(authority)
        if key is None:
            key = self._keys[authority] = hmac.digest(self._secret, authority.encode(), hashlib.sha256)
        return key


def in_a_space(reference: str) -> bool:
    """Whether two systems may mean two students by it."""
    return reference.startswith("id:")


def _one_spelling(reference: str) -> str:
    """UUIDs are the same in either case; other identifiers are not ours to change."""
    return reference.lower() if reference.startswith("ss12000:") else reference
