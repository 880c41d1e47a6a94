"""The verdict on a signature: security/signature.py produces it, the capture stores it."""

from msgspec import Struct


class Claims(Struct, frozen=True, omit_defaults=True):
    """The claims of a token; to be trusted only with a verdict of valid or stale.

    `iat` is in Unix seconds. A claim that is absent or of the wrong type is None.
    """

    iat: float | None = None
    jti: str | None = None
    api_key: str | None = None
    application_id: str | None = None


class Verdict(Struct, frozen=True):
    """The result of verifying a delivery's signature; `why` is one plain sentence.

    valid      signed with one of the secrets, over exactly this body
    stale      the same, but longer ago than allowed
    invalid    the token is malformed, or for another secret, body or time
    unsigned   no Bearer token
    unchecked  a well-formed token, but no secret to verify it with

    `secret` is the label of the secret that matched; `refused` means that the delivery was
    rejected for its verdict. A file may have another kind.
    """

    kind: str
    why: str = ""
    secret: str | None = None
    claims: Claims | None = None
    refused: bool = False


def is_trusted(verdict: Verdict | None) -> bool:
    """Whether names may be taken from a delivery: not where a secret was there and did not fit."""
    return verdict is None or verdict.kind not in {"invalid", "unsigned"}
