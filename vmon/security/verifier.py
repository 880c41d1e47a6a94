"""Verifying and signing deliveries with the secrets that a user gives."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
from msgspec import Struct

from vmon.errors import WrongUse
from vmon.events.delivery import header
from vmon.security.signature import Secret, sign, verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry
    from vmon.events.verdict import Verdict

_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_*.-]{0,39})=(.*[^=].*)")
"""`name=secret`; a secret that ends in the padding of base64 has no name."""


class Verifier(Struct, frozen=True):
    """Verifies signatures; with `required` deliveries that are not valid are rejected."""

    secrets: tuple[Secret, ...] = ()
    max_age_s: float | None = None
    required: bool = False

    def verdict(self, delivery: Delivery) -> Verdict | None:
        """Verify a delivery; None if there is neither a signature nor a secret."""
        if not self.secrets and not header(delivery, "authorization"):
            return None
        verdict = verify(
            delivery.headers,
            delivery.body,
            self.secrets,
            now=delivery.received_at.timestamp(),
            max_age_s=self.max_age_s,
            method=delivery.method,
        )
        if verdict.kind == "unsigned" and not self.secrets:
            return None
        if self.required and verdict.kind != "valid":
            return msgspec.structs.replace(verdict, refused=True)
        return verdict


def secrets_of(values: Iterable[str], files: Iterable[str]) -> tuple[Secret, ...]:
    """Parse secrets: the values, then the lines of the files; each is `name=secret` or a secret."""
    secrets = [Secret(f"#{number}", value) for number, value in enumerate(values, 1)]
    return (*secrets, *(secret for name in files for secret in _read_file(Path(name))))


def _read_file(path: Path) -> list[Secret]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text file"
        raise WrongUse(f"cannot read secrets from {path}: {why}") from None
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    secrets = [
        _parse_line(path, number, line)
        for number, line in numbered
        if line and not line.startswith("#")
    ]
    if not secrets:
        raise WrongUse(f"no secrets in {path}", hint="write one per line: NAME=SECRET or SECRET")
    return secrets


def _parse_line(path: Path, number: int, line: str) -> Secret:
    if named := _NAMED.fullmatch(line):
        return Secret(named[1], named[2])
    return Secret(f"{path.name}:{number}", line)


class Signer(Struct, frozen=True):
    """Signs deliveries as Vonage does; without `api_key`, for their project."""

    secret: Secret
    api_key: str | None = None

    def __call__(self, entry: Entry) -> Delivery:
        """Sign the delivery of an entry; an existing signature is replaced."""
        delivery, project = entry.delivery, entry.event.project_id
        value = sign(
            delivery.body,
            self.secret,
            api_key=self.api_key or project or "",
            application_id=project if project and "-" in project else None,
            now=time.time(),
            jti=str(uuid4()),
        )
        kept = (pair for pair in delivery.headers if pair[0].lower() != "authorization")
        return msgspec.structs.replace(delivery, headers=(*kept, ("Authorization", value)))
