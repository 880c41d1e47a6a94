"""The verdict on a delivery's signature: security/signature.py gives it, the capture keeps it."""

from msgspec import Struct


class Claims(Struct, frozen=True, omit_defaults=True):
    """What the token says of itself; to be believed only under a verdict of valid or stale.

    `iat` is in Unix seconds. A claim that is absent or of the wrong type is None.
    """

    iat: float | None = None
    jti: str | None = None
    api_key: str | None = None
    application_id: str | None = None


class Verdict(Struct, frozen=True):
    """What is to be thought of a delivery's signature; `why` is one plain sentence.

    valid      signed with one of the secrets, over this very body
    stale      the same, but longer ago than allowed
    invalid    signed wrongly: malformed, another secret, another body, another time
    unsigned   no Bearer token at all
    unchecked  a token that looks right, and no secret to check it with

    `secret` is the label of the secret that matched; `refused` says that the delivery was turned
    away for it. A file may have another kind.
    """

    kind: str
    why: str = ""
    secret: str | None = None
    claims: Claims | None = None
    refused: bool = False
