"""Install the ngrok agent; unlike pyngrok's installer it shows what it does."""

import gzip
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from msgspec import Struct

from vmon.tunnel.model import CannotTunnel
from vmon.tunnel.ngrok.locate import install_path, program

SOCKET_S = 15.0
"""The timeout of a socket operation of the download."""
CHUNK = 64 * 1024
MAX_DOWNLOAD = 200 * 1024 * 1024
MAX_AGENT_SIZE = 500 * 1024 * 1024
BROKEN = (
    OSError,
    HTTPException,
    EOFError,
    RuntimeError,  # of zipfile
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class InstallPlan(Struct, frozen=True):
    """The plan of an installation: source, target, and size in bytes (None if unknown)."""

    url: str
    target: Path
    size: int | None
    replaces: bool


def install_plan(url: str | None = None, target: Path | None = None) -> InstallPlan:
    """Plan an installation; gets the size from the server, which takes up to SOCKET_S."""
    from pyngrok import installer
    from pyngrok.exception import PyngrokError

    try:
        source = url or installer.get_ngrok_cdn_url("3")
    except PyngrokError as error:
        raise _not_installed("https://ngrok.com", str(error)) from None
    path = target or install_path()
    return InstallPlan(source, path, _size(source), path.exists())


def install(plan: InstallPlan, progress: Callable[[int, int | None], None]) -> Path:
    """Download and install the agent; `progress` gets the bytes done and the total, if known.

    CannotTunnel if it fails; then nothing has changed. ngrok publishes no checksum: the
    download is protected by https only.
    """
    try:
        plan.target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".vmon-", dir=plan.target.parent) as private:
            archive, agent = Path(private, "archive"), Path(private, "agent")
            _download(plan.url, archive, progress)
            _extract(archive, agent)
            agent.chmod(0o700)
            agent.replace(plan.target)
    except urllib.error.HTTPError as error:
        error.close()
        raise _not_installed(plan.url, f"{error.code} {error.reason}") from None
    except BROKEN as error:
        raise _not_installed(plan.url, _reason(error)) from error
    return plan.target


def _size(url: str) -> int | None:
    try:
        with _response(url, "HEAD") as response:
            return _size_in(response)
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, HTTPException):
        pass  # optional: the download reports the error
    return None


def _size_in(response: HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length") or ""
    return int(length) if length.isdecimal() else None


@contextmanager
def _response(url: str, method: str) -> Iterator[HTTPResponse]:
    _check_safe(url)
    request = urllib.request.Request(url, method=method)  # noqa: S310 - checked above
    opener = urllib.request.build_opener(_SafeRedirects)
    with opener.open(request, timeout=SOCKET_S) as response:
        yield response


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to safe URLs only."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - urllib's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _check_safe(newurl)
        except CannotTunnel:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise _not_installed(url, "not an https URL")


def _download(url: str, archive: Path, progress: Callable[[int, int | None], None]) -> None:
    done = 0
    with _response(url, "GET") as response, archive.open("xb") as file:
        size = _size_in(response)
        while chunk := response.read(CHUNK):
            done += len(chunk)
            if done > MAX_DOWNLOAD:
                raise _not_installed(url, "download too large")
            file.write(chunk)
            progress(done, size)
    if size is not None and done != size:
        raise _not_installed(url, f"incomplete download ({done} of {size} bytes)")


def _extract(archive: Path, agent: Path) -> None:
    if zipfile.is_zipfile(archive):
        _unzip(archive, agent)
    else:
        _untar(archive, agent)


def _unzip(archive: Path, agent: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        if program() not in packed.namelist():
            raise tarfile.ExtractError("no ngrok in the archive")
        with packed.open(program()) as member:
            _copy(member.read, agent)


def _untar(archive: Path, agent: Path) -> None:
    # Decompressed completely first: the checksum is at the end, and tarfile stops before it.
    unpacked = archive.with_suffix(".tar")
    with gzip.GzipFile(archive) as stream:
        _copy(stream.read, unpacked)
    with tarfile.open(unpacked, "r:") as packed:
        entry = next((entry for entry in packed if entry.name == program()), None)
        if entry is None:
            raise tarfile.ExtractError("no ngrok in the archive")
        member = packed.extractfile(entry) if entry.isreg() else None
        if member is None:
            raise tarfile.ExtractError("ngrok in the archive is not a regular file")
        with member:
            _copy(member.read, agent)


def _copy(read: Callable[[int], bytes], target: Path) -> None:
    done = 0
    with target.open("xb") as file:
        while chunk := read(CHUNK):
            done += len(chunk)
            if done > MAX_AGENT_SIZE:
                raise tarfile.ExtractError("ngrok in the archive is too large")
            file.write(chunk)


def _not_installed(url: str, reason: str) -> CannotTunnel:
    return CannotTunnel(
        f"cannot install the ngrok agent from {url}: {reason}",
        code="INSTALL",
        hint="install it yourself from https://ngrok.com/download",
        fatal=True,
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.URLError):
        error = error.reason if isinstance(error.reason, BaseException) else error
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
