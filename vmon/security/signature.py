"""Verify and sign callbacks: delivery → verdict, and why.

A signed callback carries `Authorization: Bearer <JWT>`, HS256 with the signature secret of its
callback type, and in its claims the lower-case hex SHA-256 of the raw body. PyJWT is not used:
what it would do here is one HMAC, it warns on standard error about secrets under 32 bytes (many
signature secrets are), knows nothing of `payload_hash`, and says less of what is wrong.
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
"""How far ahead of our clock an `iat` may be, in seconds: clocks differ."""
LONGEST_TOKEN = 8192
"""In characters. Vonage's have some 400; servers stop reading a header at about this length."""
LATEST_IAT = 1e11
"""The year 5138. What is beyond it is milliseconds, or a number too big to reckon with."""


class Secret:
    """A signature secret under a label; it never shows itself, and nothing can serialise it."""

    # Not a Struct: msgspec would encode its value into the first JSON it strays into.
    __slots__ = ("_value", "label")

    def __init__(self, label: str, value: str) -> None:
        self.label = label
        # A pasted line end is invisible, and makes every signature wrong.
        self._value = value.strip()
        if not self._value:
            raise WrongUse(
                f"the signature secret {_quoted(label)} is empty",
                hint="anyone can sign with an empty secret; copy it from the Vonage dashboard",
            )

    def __repr__(self) -> str:
        return f"Secret({self.label!r}, …)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written down")

    def mac(self, signed: bytes) -> bytes:
        """Give the HMAC-SHA256 of these bytes, 32 bytes."""
        # From argv and the environment, bytes that are not UTF-8 come as surrogates.
        return hmac.digest(self._value.encode("utf-8", "surrogateescape"), signed, "sha256")


class _Fault(Exception):  # a finding on its way to a verdict, never an error
    """Why a delivery is not valid, in words."""

    def __init__(self, why: str, kind: VerdictKind = "invalid") -> None:
        super().__init__(why)
        self.kind = kind


class _Token(Struct, frozen=True):
    signed: bytes
    signature: bytes
    payload: dict[str, Any]


def verify(  # noqa: PLR0913  # a delivery and the rules for it; all that may vary is named
    headers: Sequence[tuple[str, str]],
    body: bytes,
    secrets: Sequence[Secret],
    *,
    now: float,
    max_age_s: float | None,
    method: str = "POST",
) -> Verdict:
    """Judge the signature of a delivery; never raises on anything received.

    `body` is as it came, still encoded. `now` is in Unix seconds: for a stored delivery, when it
    was received. `max_age_s` is the greatest age of `iat`; None lets any age pass, which is what
    Vonage's retries for up to 24 h ask for. What a GET hashes is not the body: it is not checked.
    """
    claims = label = None
    try:
        token = _read(_bearer(headers))
        claims = _claims(token.payload)
        label = _signer(token, secrets)
        unhashed = _check_hash(token.payload, body, method)
        _check_issuer(token.payload)
        _check_age(token.payload, now, max_age_s)
    except _Fault as fault:
        return Verdict(fault.kind, str(fault), label, claims)
    return Verdict("valid", f"signed with the secret {_quoted(label)}{unhashed}", label, claims)


def sign(  # noqa: PLR0913  # the claims are what they are
    body: bytes,
    secret: Secret,
    *,
    api_key: str,
    application_id: str | None = None,
    now: float,
    jti: str,
) -> str:
    """Give the value of the `Authorization` header that Vonage would send with this body.

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
    """The claims of a token that was verified before, as it is in a capture; None: no token."""
    try:
        return _claims(_read(_bearer(headers)).payload)
    except _Fault:
        return None


def _bearer(headers: Sequence[tuple[str, str]]) -> str:
    values = [value.strip() for name, value in headers if name.lower() == "authorization"]
    if not values:
        raise _Fault("no Authorization header", "unsigned")
    if len(values) > 1:
        raise _Fault(f"{len(values)} Authorization headers, expected one")
    scheme, _, token = values[0].partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    # A lone word may itself be a credential: it is not repeated.
    named = f" but {_quoted(scheme)}" if token else ""
    raise _Fault(f"Authorization is not Bearer{named}", "unsigned")


def _read(token: str) -> _Token:
    if not token:
        raise _Fault("the Bearer token is empty")
    if len(token) > LONGEST_TOKEN:
        raise _Fault(f"malformed token: {len(token)} characters, the limit is {LONGEST_TOKEN}")
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, payload, signature
        raise _Fault(f"malformed token: {_count(len(parts), 'part')}, expected 3")
    header, payload, signature = parts
    _check_algorithm(_json("header", header))
    claims = _json("payload", payload)
    # Only after both were found to be base64, and so ASCII.
    return _Token(f"{header}.{payload}".encode(), _from_base64("signature", signature), claims)


def _from_base64(name: str, text: str) -> bytes:
    try:
        data = urlsafe_b64decode(text + "==")
    except ValueError:
        data = b""
    # Python skips what it does not know; only one spelling may stand for these bytes.
    if _to_base64(data).decode() != text:
        raise _Fault(f"malformed token: its {name} is not URL-safe base64 without padding")
    return data


def _to_base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _json(name: str, text: str) -> dict[str, Any]:
    data = _from_base64(name, text)
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _Fault(f"malformed token: its {name} is not JSON") from None
    if not isinstance(value, dict):
        raise _Fault(f"malformed token: its {name} is not a JSON object")
    return value


def _check_algorithm(header: dict[str, Any]) -> None:
    match header.get("alg"):
        case "HS256":
            pass
        case None:
            raise _Fault("no algorithm in the token: only HS256 is accepted")
        case str() as algorithm:
            raise _Fault(f"algorithm {_quoted(algorithm)} is not allowed: only HS256 is accepted")
        case _:
            raise _Fault("the token's algorithm is not a string: only HS256 is accepted")
    if "crit" in header:
        raise _Fault("the token requires unsupported extensions (crit)")


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
        raise _Fault("signed, but no secret to verify it", "unchecked")
    # Every secret is tried, whatever the others gave: the time taken tells nothing.
    matches = [hmac.compare_digest(secret.mac(token.signed), token.signature) for secret in secrets]
    for secret, matched in zip(secrets, matches, strict=True):
        if matched:
            return secret.label
    raise _Fault(_mismatch(secrets, _claims(token.payload).api_key))


def _mismatch(secrets: Sequence[Secret], api_key: str | None) -> str:
    which = (
        f"does not match the secret {_quoted(secrets[0].label)}"
        if len(secrets) == 1
        else f"matches none of the {len(secrets)} secrets"
    )
    signer = f" (signed for API key {_quoted(api_key)})" if api_key else ""
    return f"the signature {which}{signer}"


def _check_hash(payload: dict[str, Any], body: bytes, method: str) -> str:
    """Compare payload_hash with the body; what was not checked is given in words."""
    claimed = payload.get("payload_hash")
    if not body and method.upper() in ("GET", "HEAD"):
        return f"; payload_hash not checked: a {method.upper()} has no body"
    if claimed is None:
        raise _Fault("payload_hash is missing: the body is not signed")
    if not isinstance(claimed, str):
        raise _Fault("payload_hash is not a string")
    actual = hashlib.sha256(body).hexdigest()
    if hmac.compare_digest(claimed.encode(), actual.encode()):
        return ""
    if claimed.lower() == actual:
        raise _Fault("payload_hash is in upper case; Vonage uses lower-case hex")
    raise _Fault(_changed(claimed, body))


def _changed(claimed: str, body: bytes) -> str:
    if not body:
        return "payload_hash differs from that of an empty body: was it lost in transit?"
    if claimed == hashlib.sha256(body.strip()).hexdigest():
        return "payload_hash matches the body without surrounding whitespace"
    return "payload_hash differs from the body's: did a proxy re-encode it?"


def _check_issuer(payload: dict[str, Any]) -> None:
    match payload.get("iss"):
        case "Vonage":
            pass
        case str() as issuer:
            raise _Fault(f"the issuer (iss) is {_quoted(issuer)}, not {ISSUER}")
        case None:
            raise _Fault(f"the issuer (iss) is missing; it should be {ISSUER}")
        case _:
            raise _Fault(f"the issuer (iss) is not a string; it should be {ISSUER}")


def _check_age(payload: dict[str, Any], now: float, max_age_s: float | None) -> None:
    if "iat" not in payload:
        raise _Fault("iat is missing: signing time unknown")
    issued = _instant(payload["iat"])
    if issued is None:
        raise _Fault("iat is not a time in Unix seconds")
    age_s = now - issued
    if age_s < -SKEW_S:
        raise _Fault(f"iat is {_lasting(-age_s)} in the future: check this machine's clock")
    if max_age_s is not None and age_s > max_age_s:
        why = f"iat is {_lasting(age_s)} old, the limit is {_lasting(max_age_s)}"
        raise _Fault(why, "stale")


def _lasting(seconds: float) -> str:
    for start, size, unit in ((172800, 86400, "d"), (7200, 3600, "h"), (600, 60, "min")):
        if seconds >= start:
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _quoted(text: str) -> str:
    """Show a stranger's text harmlessly: ASCII, in quotes, short."""
    shown = ascii(text[:40])[1:-1]
    return f'"{shown}…"' if len(text) > 40 else f'"{shown}"'  # noqa: PLR2004  # as above
