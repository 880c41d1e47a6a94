"""Verify and sign callbacks: a delivery gets a verdict with its reason.

A signed callback carries `Authorization: Bearer <JWT>`, HS256 with the signature secret of its
callback type, and in its claims the lower-case hex SHA-256 of the raw body. PyJWT is not used:
it would only compute one HMAC, it warns on standard error about secrets under 32 bytes (many
signature secrets are), it does not know `payload_hash`, and its errors are less specific.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from vmon.errors import WrongUse
from vmon.events.verdict import Claims, Verdict
from vmon.events.verdict_kind import VerdictKind

ISSUER = "Vonage"
SKEW_S = 60
"""The tolerance for an `iat` in the future, in seconds: clocks differ."""
MAX_TOKEN_LENGTH = 8192
"""In characters. Vonage's have about 400; servers limit headers to about this length."""
LATEST_IAT = 1e11
"""The year 5138, in Unix seconds. A greater number is in milliseconds or out of range."""


class Secret:
    """A signature secret with a label; its repr hides the value, and it cannot be serialized."""

    # Not a Struct: msgspec could encode its value as JSON.
    __slots__ = ("_value", "label")

    def __init__(self, label: str, value: str) -> None:
        self.label = label
        # A pasted newline is invisible, and makes every signature wrong.
        self._value = value.strip()
        if not self._value:
            raise WrongUse(
                f"the signature secret {_quoted(label)} is empty",
                hint="anyone can sign with an empty secret; copy it from the Vonage dashboard",
            )

    def __repr__(self) -> str:
        return f"Secret({self.label!r}, …)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be serialized")

    def mac(self, data: bytes) -> bytes:
        """Compute the HMAC-SHA256 of data, 32 bytes."""
        # In argv and the environment, bytes that are not UTF-8 are surrogates.
        return hmac.digest(self._value.encode("utf-8", "surrogateescape"), data, "sha256")


class _Invalid(Exception):  # becomes a verdict, never an error
    """A signature is not valid; the message is the verdict's reason."""

    def __init__(self, why: str, kind: VerdictKind = "invalid") -> None:
        super().__init__(why)
        self.kind = kind


class _Token(Struct, frozen=True):
    signed: bytes
    signature: bytes
    payload: dict[str, Any]


def verify(  # noqa: PLR0913  # a delivery and its rules; all others are keyword-only
    headers: Sequence[tuple[str, str]],
    body: bytes,
    secrets: Sequence[Secret],
    *,
    now: float,
    max_age_s: float | None,
    method: str = "POST",
) -> Verdict:
    """Verify the signature of a delivery; received data never makes it raise.

    `body` is as received, still encoded. `now` is in Unix seconds: for a stored delivery, when it
    was received. `max_age_s` is the maximum age of `iat`; None allows any age, which is what
    Vonage's retries for up to 24 h need. The hash of a GET is not of its body: it is not checked.
    """
    claims = label = None
    try:
        token = _read(_bearer(headers))
        claims = _claims(token.payload)
        label = _signer(token, secrets)
        unhashed = _check_hash(token.payload, body, method)
        _check_issuer(token.payload)
        _check_age(token.payload, now, max_age_s)
    except _Invalid as invalid:
        return Verdict(invalid.kind, str(invalid), label, claims)
    return Verdict("valid", f"signed with the secret {_quoted(label)}{unhashed}", label, claims)


def sign(  # noqa: PLR0913  # one argument per claim
    body: bytes,
    secret: Secret,
    *,
    api_key: str,
    application_id: str | None = None,
    now: float,
    jti: str,
) -> str:
    """Make the value of the `Authorization` header that Vonage would send with this body.

    `now` is in Unix seconds.
    """
    claims = {
        "iat": int(now),
        "jti": jti,
        "iss": ISSUER,
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "api_key": api_key,
    }
    if application_id is not None:
        claims["application_id"] = application_id
    parts = (msgspec.json.encode(part) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
    signed = b".".join(map(_to_base64, parts))
    return f"Bearer {(signed + b'.' + _to_base64(secret.mac(signed))).decode()}"


def claims_of(headers: Sequence[tuple[str, str]]) -> Claims | None:
    """The claims of a token that was verified before, as in a capture; None without a token."""
    try:
        return _claims(_read(_bearer(headers)).payload)
    except _Invalid:
        return None


def _bearer(headers: Sequence[tuple[str, str]]) -> str:
    values = [value.strip() for name, value in headers if name.lower() == "authorization"]
    if not values:
        raise _Invalid("no Authorization header", "unsigned")
    if len(values) > 1:
        raise _Invalid(f"{len(values)} Authorization headers, expected one")
    scheme, _, token = values[0].partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    # A single word may be a credential: it is not repeated in the message.
    named = f" but {_quoted(scheme)}" if token else ""
    raise _Invalid(f"Authorization is not Bearer{named}", "unsigned")


def _read(token: str) -> _Token:
    if not token:
        raise _Invalid("the Bearer token is empty")
    if len(token) > MAX_TOKEN_LENGTH:
        raise _Invalid(f"malformed token: {len(token)} characters, the limit is {MAX_TOKEN_LENGTH}")
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, payload, signature
        raise _Invalid(f"malformed token: {_count(len(parts), 'part')}, expected 3")
    header, payload, signature = parts
    _check_algorithm(_json("header", header))
    claims = _json("payload", payload)
    # Both are base64, and so ASCII, at this point.
    return _Token(f"{header}.{payload}".encode(), _from_base64("signature", signature), claims)


def _from_base64(name: str, text: str) -> bytes:
    try:
        data = urlsafe_b64decode(text + "==")
    except ValueError:
        data = b""
    # Python skips unknown characters; only one encoding of these bytes is accepted.
    if _to_base64(data).decode() != text:
        raise _Invalid(f"malformed token: its {name} is not URL-safe base64 without padding")
    return data


def _to_base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _json(name: str, text: str) -> dict[str, Any]:
    data = _from_base64(name, text)
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _Invalid(f"malformed token: its {name} is not JSON") from None
    if not isinstance(value, dict):
        raise _Invalid(f"malformed token: its {name} is not a JSON object")
    return value


def _check_algorithm(header: dict[str, Any]) -> None:
    match header.get("alg"):
        case "HS256":
            pass
        case None:
            raise _Invalid("no algorithm in the token: only HS256 is accepted")
        case str() as algorithm:
            raise _Invalid(f"algorithm {_quoted(algorithm)} is not allowed: only HS256 is accepted")
        case _:
            raise _Invalid("the token's algorithm is not a string: only HS256 is accepted")
    if "crit" in header:
        raise _Invalid("the token requires unsupported extensions (crit)")


def _claims(payload: dict[str, Any]) -> Claims:
    def text(name: str) -> str | None:
        value = payload.get(name)
        return value if isinstance(value, str) else None

    return Claims(
        _instant(payload.get("iat")), text("jti"), text("api_key"), text("application_id")
    )


def _instant(value: object) -> float | None:
    # True is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < LATEST_IAT else None


def _signer(token: _Token, secrets: Sequence[Secret]) -> str:
    if not secrets:
        raise _Invalid("signed, but no secret to verify it", "unchecked")
    # Every secret is tried, also after a match: the time taken reveals nothing.
    matches = [hmac.compare_digest(secret.mac(token.signed), token.signature) for secret in secrets]
    for secret, matched in zip(secrets, matches, strict=True):
        if matched:
            return secret.label
    raise _Invalid(_mismatch(secrets, _claims(token.payload).api_key))


def _mismatch(secrets: Sequence[Secret], api_key: str | None) -> str:
    which = (
        f"does not match the secret {_quoted(secrets[0].label)}"
        if len(secrets) == 1
        else f"matches none of the {len(secrets)} secrets"
    )
    signer = f" (signed for API key {_quoted(api_key)})" if api_key else ""
    return f"the signature {which}{signer}"


def _check_hash(payload: dict[str, Any], body: bytes, method: str) -> str:
    """Compare payload_hash with the body; returns a note if it was not checked, else ""."""
    claim = payload.get("payload_hash")
    if not body and method.upper() in ("GET", "HEAD"):
        return f"; payload_hash not checked: a {method.upper()} has no body"
    if claim is None:
        raise _Invalid("payload_hash is missing: the body is not signed")
    if not isinstance(claim, str):
        raise _Invalid("payload_hash is not a string")
    actual = hashlib.sha256(body).hexdigest()
    if hmac.compare_digest(claim.encode(), actual.encode()):
        return ""
    if claim.lower() == actual:
        raise _Invalid("payload_hash is in upper case; Vonage uses lower-case hex")
    raise _Invalid(_mismatched_hash(claim, body))


def _mismatched_hash(claim: str, body: bytes) -> str:
    if not body:
        return "payload_hash differs from that of an empty body: was it lost in transit?"
    if claim == hashlib.sha256(body.strip()).hexdigest():
        return "payload_hash matches the body without surrounding whitespace"
    return "payload_hash differs from the body's: did a proxy re-encode it?"


def _check_issuer(payload: dict[str, Any]) -> None:
    match payload.get("iss"):
        case "Vonage":
            pass
        case str() as issuer:
            raise _Invalid(f"the issuer (iss) is {_quoted(issuer)}, not {ISSUER}")
        case None:
            raise _Invalid(f"the issuer (iss) is missing; it should be {ISSUER}")
        case _:
            raise _Invalid(f"the issuer (iss) is not a string; it should be {ISSUER}")


def _check_age(payload: dict[str, Any], now: float, max_age_s: float | None) -> None:
    if "iat" not in payload:
        raise _Invalid("iat is missing: signing time unknown")
    issued = _instant(payload["iat"])
    if issued is None:
        raise _Invalid("iat is not a time in Unix seconds")
    age_s = now - issued
    if age_s < -SKEW_S:
        raise _Invalid(f"iat is {_duration(-age_s)} in the future: check this machine's clock")
    if max_age_s is not None and age_s > max_age_s:
        why = f"iat is {_duration(age_s)} old, the limit is {_duration(max_age_s)}"
        raise _Invalid(why, "stale")


def _duration(seconds: float) -> str:
    for start, size, unit in ((172800, 86400, "d"), (7200, 3600, "h"), (600, 60, "min")):
        if seconds >= start:
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _quoted(text: str) -> str:
    """Quote received text safely: as ASCII, and short."""
    shown = ascii(text[:40])[1:-1]
    return f'"{shown}…"' if len(text) > 40 else f'"{shown}"'  # noqa: PLR2004  # as above
