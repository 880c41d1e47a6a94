import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.support.factories import make_entry, make_line
from vmon.capture.codec import read_line, write_line
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.events.verdict import Verdict
from vmon.events.verdict_kind import VERDICT_KINDS
from vmon.search.filter import Filter
from vmon.search.plan import plan_of
from vmon.security.signature import Secret, sign
from vmon.security.verifier import Signer, Verifier, secrets_of

SECRET = Secret("archive", "an-archive-secret-of-more-than-32-bytes")
BODY = b'{"event":"archive"}'
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def signed(body: bytes = BODY, secret: Secret = SECRET) -> Entry:
    value = sign(body, secret, api_key="k", now=NOW.timestamp() - 300, jti="j")
    return make_entry(body, headers=(("Authorization", value),), received_at=NOW)


def test_without_a_secret_and_a_signature_there_is_no_verdict() -> None:
    assert Verifier().verdict(make_entry(BODY).delivery) is None
    basic = make_entry(BODY, headers=(("Authorization", "Basic dXNlcjpwYXNz"),))
    assert Verifier().verdict(basic.delivery) is None


def test_the_kinds_of_verdicts_are_distinguished() -> None:
    entry, trust = signed(), Verifier((SECRET,))
    verdicts = {
        "valid": trust.verdict(entry.delivery),
        "unsigned": trust.verdict(make_entry(BODY).delivery),
        "invalid": Verifier((Secret("x", "y"),)).verdict(entry.delivery),
        "stale": Verifier((SECRET,), max_age_s=299).verdict(entry.delivery),
        "unchecked": Verifier().verdict(entry.delivery),
    }
    assert {kind: verdict and verdict.kind for kind, verdict in verdicts.items()} == {
        kind: kind for kind in VERDICT_KINDS
    }


def test_a_verdict_goes_into_a_line_and_comes_back_without_the_claims() -> None:
    entry = signed()
    entry.verdict = Verdict("invalid", 'a "quoted" \x1b why,"body":', None)
    line = write_line(entry)
    assert line.startswith(
        b'{"vmon":1,"type":"archive","session":null,'
        b'"verdict":{"kind":"invalid","why":"a \\"quoted\\" \\u001b why,\\"body\\":","secret":null}'
        b',"id":'
    )
    assert read_line(line).verdict == entry.verdict
    assert read_line(line).delivery == entry.delivery
    assert write_line(read_line(line)) == line


def test_a_line_without_a_verdict_is_as_it_was() -> None:
    line = make_line(BODY)
    assert b"verdict" not in line
    assert read_line(line).verdict is None


@pytest.mark.parametrize("odd", [b'"invalid"', b"[]", b"7", b'{"kind":null}', b"{}", b"null"])
def test_a_verdict_field_of_another_tool_is_ignored(odd: bytes) -> None:
    line = make_line(BODY).replace(b',"id":', b',"verdict":' + odd + b',"id":', 1)
    assert read_line(line).verdict is None
    assert read_line(line).delivery == make_entry(BODY).delivery


def test_a_filter_by_verdict_reads_the_header_alone() -> None:
    entry = signed()
    entry.verdict = Verdict("invalid")
    stored = read_line(write_line(entry))
    assert Filter(verdict=("invalid",))(stored)
    assert Filter(verdict=("stale", "invalid"))(stored)
    assert not Filter(verdict=("valid",))(stored)
    assert not Filter(verdict=("unsigned",))(make_entry(BODY))
    assert stored._payload is None
    assert str(Filter(verdict=("stale", "invalid"))) == "signature stale or invalid"


def test_a_filter_by_verdict_looks_for_its_bytes_first() -> None:
    plan = plan_of(Filter(verdict=("invalid",)))
    entry = signed()
    entry.verdict = Verdict("invalid", "why")
    (needle,) = plan.needles
    assert needle in write_line(entry)
    assert not plan.exact


def test_a_capture_is_filtered_by_verdict(
    vmon_run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    lines = []
    for kind in (*VERDICT_KINDS, None):
        body = b'{"event":"archive","verdict":{"kind":"stale"}}'
        entry = signed(body)
        entry.verdict = Verdict(kind, "so") if kind else None
        lines.append(write_line(entry).decode())
    (tmp_path / "a.jsonl").write_text("".join(lines))
    for at, kind in enumerate(VERDICT_KINDS):
        assert vmon_run("filter", "--verdict", kind, tmp_path / "a.jsonl") == (0, lines[at], "")
    two = vmon_run("filter", "--verdict", "valid", "--verdict", "stale", tmp_path / "a.jsonl")
    assert two == (0, lines[0] + lines[3], "")
    none = vmon_run("filter", "--verdict", "valid", "--event", "render", tmp_path / "a.jsonl")
    assert none[:2] == (1, "")
    assert "(filter: render, signature valid)\n" in none[2]


def test_secrets_come_one_by_one_and_from_files(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("# the types' own\n\narchive=first \n  bare-one\nstream.x=a=b\nYWJj==\n")
    found = secrets_of(["on the line", "a=b"], [str(file)])
    assert [one.label for one in found] == [
        "#1",
        "#2",
        "archive",
        "secrets:4",
        "stream.x",
        "secrets:6",
    ]
    values = ["on the line", "a=b", "first", "bare-one", "a=b", "YWJj=="]
    for secret, value in zip(found, values, strict=True):
        assert secret.mac(BODY) == hmac.digest(value.encode(), BODY, "sha256")


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "cannot read secrets from .*: No such file"), (b"\xff\xfe", "not a text file"),
     (b"# nothing\n", "no secrets in")],
)  # fmt: skip # one thing a line
def test_a_file_without_secrets_is_an_error(tmp_path: Path, text: bytes | None, why: str) -> None:
    file = tmp_path / "secrets"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(WrongUse, match=why):
        secrets_of([], [str(file)])


@pytest.mark.parametrize("name", list(TYPES))
def test_what_is_signed_is_valid_and_in_the_name_of_its_project(name: str) -> None:
    for sample in (TYPES[name].sample, TYPES[name].sample_unified):
        old = ("authorization", "Bearer old")
        entry = make_entry(msgspec.json.encode(sample), headers=(("X", "y"), old))
        sent = Signer(SECRET)(entry)
        assert [key for key, _ in sent.headers] == ["X", "Authorization"]
        verdict = Verifier((SECRET,), max_age_s=60).verdict(
            msgspec.structs.replace(sent, received_at=datetime.now(UTC))
        )
        assert verdict is not None
        assert (verdict.kind, verdict.secret) == ("valid", "archive")
        assert verdict.claims is not None
        project = entry.event.project_id
        assert verdict.claims.api_key == (project or "")
        unified = project if project and "-" in project else None
        assert verdict.claims.application_id == unified


def test_an_api_key_of_ones_own_is_what_is_claimed() -> None:
    sent = Signer(SECRET, "a1b2c3d4")(make_entry(b"not json"))
    verdict = Verifier((SECRET,)).verdict(sent)
    assert verdict is not None
    assert verdict.claims is not None
    assert verdict.claims.api_key == "a1b2c3d4"
    assert verdict.claims.application_id is None
