"""Why a sending came to nothing: what aiohttp raised, in a sentence for whose app it is."""

from __future__ import annotations

import asyncio
import errno
import ssl
from typing import TYPE_CHECKING, Literal

import aiohttp
from yarl import URL

from vmon.humanize import duration
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from vmon.forward.targets import Target

Kind = Literal["answered", "unreachable", "broken", "late", "unsendable", "error"]
"""How a sending ended: with a status, without a connection, cut off, too late, not begun, or in an
error of vmon's own."""

_MAX_TEXT = 200
_HANDSHAKE_S = 0.5
"""How long an app that answers no HTTP may take to answer a TLS handshake."""


def kind_of(error: Exception, *, answered: bool) -> Kind:
    """How a sending ended that raised this, before or after the head of an answer."""
    match error:
        case TimeoutError():
            return "late"
        case aiohttp.ClientConnectorError() | aiohttp.ClientSSLError():
            return "unreachable"
        case ValueError() if not answered:
            return "unsendable"
        case aiohttp.ClientError() | OSError():
            return "broken"
        case _:
            return "error"


def problem_of(error: Exception, kind: Kind, target: Target) -> str:
    """What went wrong, in a sentence for the developer whose app it is."""
    where = target.name
    if kind == "late":
        return f"no response within {duration(target.timeout_s)}"
    if kind == "error":
        text = disarm(f"{type(error).__name__}: {error}")
        return f"{where}: {text} (a bug in vmon, please report it)"
    return _broken(error, where, target)


def _broken(error: Exception, where: str, target: Target) -> str:
    number = getattr(getattr(error, "os_error", error), "errno", None)
    if number == errno.ECONNREFUSED:
        return f"connection refused: nothing is listening on {where}"
    if number in {errno.ECONNRESET, errno.EPIPE}:
        return f"{where} closed the connection without a response"
    match error:
        case aiohttp.ClientConnectorDNSError():
            problem = f"cannot resolve host {URL(target.url).host}"
        case aiohttp.ClientConnectorCertificateError(certificate_error=why):
            problem = f"certificate of {where} not trusted{_why(why)} (--insecure skips the check)"
        case aiohttp.ClientSSLError():
            problem = _no_tls(error, where)
        case aiohttp.ServerDisconnectedError():
            problem = f"{where} closed the connection without a response"
        case aiohttp.ClientResponseError(message=message):
            what = disarm(message.partition("\n")[0].removesuffix(":")[:_MAX_TEXT])
            problem = f"{where} sent an invalid HTTP response: {what}"
        case _:
            problem = f"{where}: {disarm(str(error) or type(error).__name__)}"
    return problem


def _why(error: Exception) -> str:
    """Why a certificate is not trusted, in OpenSSL's words: `: self-signed certificate`."""
    reason = getattr(error, "verify_message", "")
    return f": {disarm(reason)}" if reason else ""


_PLAIN = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}
)
"""What OpenSSL calls bytes that are no TLS."""


def _no_tls(error: aiohttp.ClientSSLError, where: str) -> str:
    """A TLS handshake that failed: with an app that speaks plain HTTP, or for another reason."""
    reason = getattr(error.os_error, "reason", None) or str(error.os_error)
    if reason in _PLAIN:
        return f"{where} does not speak TLS: use http://{where}"
    return f"TLS handshake with {where} failed: {disarm(reason.replace('_', ' ').lower())}"


async def expects_tls(target: Target) -> bool:
    """Whether an app that closed a plain connection answers a TLS handshake."""
    url = URL(target.url)
    if url.scheme != "http" or not url.host:
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_HANDSHAKE_S):
            _, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


def tls_expected(target: Target) -> str:
    """The problem of plain HTTP sent to an app that wants TLS."""
    return f"{target.name} expects TLS: use https://{target.name}"
