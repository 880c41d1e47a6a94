import base64
import copy
import hashlib
import json
import pickle
import traceback
import warnings
from collections.abc import Callable
from typing import Any, get_args

import jwt
import msgspec
import pytest
import vonage_jwt  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given, settings
from hypothesis import strategies as st

from vmon.errors import WrongUse
from vmon.events.verdict import Verdict
from vmon.events.verdict_kind import VerdictKind
from vmon.security.signature import MAX_TOKEN_LENGTH, Secret, sign, verify

CALM = settings(deadline=None)  # a busy machine is no failure
NOW = 1_764_000_000.0
BODY = b'{"sessionId":"1_MX4x","event":"archive","name":"caf\xc3\xa9"}'
SECRET_VALUE = "an-archive-secret-of-more-than-32-bytes"
SECRET = Secret("archive", SECRET_VALUE)
OTHER = Secret("session", "another-secret-of-more-than-32-bytes!")
CHANGED = "payload_hash differs from the body's: did a proxy re-encode it?"
HS256 = b'{"alg":"HS256"}'


def claims(**changes: Any) -> dict[str, Any]:
    """Give what Vonage would claim for BODY at NOW; a change to `...` leaves that claim out."""
    genuine = {
        "iat": int(NOW),
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(BODY).hexdigest(),
        "api_key": "a1b2c3d4",
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    }
    return {name: value for name, value in (genuine | changes).items() if value is not ...}


def token(secret: str = SECRET_VALUE, **changes: Any) -> str:
    """Sign as somebody else would: with PyJWT."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of short secrets, and Vonage's are short
        return jwt.encode(claims(**changes), secret, "HS256")


def to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def by_hand(header: bytes, payload: bytes) -> str:
    """Sign what PyJWT would refuse to."""
    signed = f"{to_base64(header)}.{to_base64(payload)}"
    return f"{signed}.{to_base64(SECRET.mac(signed.encode()))}"


def judge(
    token: str,
    body: bytes = BODY,
    *secrets: Secret,
    max_age_s: float | None = None,
    method: str = "POST",
) -> Verdict:
    headers = [("Host", "x"), ("AUTHORIZATION", f"Bearer {token}")]
    return verify(headers, body, secrets or (SECRET,), now=NOW, max_age_s=max_age_s, method=method)


class TestWhatIsGenuine:
    def test_a_token_from_another_signer_is_valid_and_has_its_claims(self) -> None:
        verdict = judge(token())
        assert (verdict.kind, verdict.why) == ("valid", 'signed with the secret "archive"')
        assert verdict.secret == "archive"
        assert msgspec.to_builtins(verdict.claims) == {
            name: claims()[name] for name in ("iat", "jti", "api_key", "application_id")
        }

    def test_a_fixed_vector_is_valid(self) -> None:
        # Made once with PyJWT 2.15; it stands here so that no library can move it.
        fixed = (
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjQwMDAwMDAsImp0aSI6ImoiLCJ"
            "pc3MiOiJWb25hZ2UiLCJwYXlsb2FkX2hhc2giOiI0NDEzNmZhMzU1YjM2NzhhMTE0NmFkMTZmN2U4"
            "NjQ5ZTk0ZmI0ZmMyMWZlNzdlODMxMGMwNjBmNjFjYWFmZjhhIiwiYXBpX2tleSI6ImsifQ.svcA9t"
            "3A5XyTk_vtg_JmhZHq-am-RXkTq5LpPKeUu6M"
        )
        assert judge(fixed, b"{}", Secret("s", "short")).kind == "valid"

    def test_the_secret_that_matched_is_named_in_any_position(self) -> None:
        for secrets in ((SECRET, OTHER), (OTHER, SECRET)):
            assert judge(token(), BODY, *secrets).secret == "archive"

    def test_every_secret_is_tried_even_after_one_matched(self) -> None:
        tried = []

        class Spy(Secret):
            def mac(self, signed: bytes) -> bytes:
                tried.append(self.label)
                return super().mac(signed)

        spies = [Spy("one", SECRET_VALUE), Spy("two", "2"), Spy("three", SECRET_VALUE)]
        assert judge(token(), BODY, *spies).secret == "one"
        assert tried == ["one", "two", "three"]

    def test_a_short_secret_causes_no_warning(self) -> None:
        assert judge(token("abc"), BODY, Secret("short", "abc")).kind == "valid"

    def test_a_secret_pasted_with_its_line_end_still_matches(self) -> None:
        assert judge(token(), BODY, Secret("pasted", f" {SECRET_VALUE}\n")).kind == "valid"

    def test_a_secret_with_bytes_that_are_not_utf_8_can_be_used(self) -> None:
        raw = Secret("raw", b"caf\xe9".decode("utf-8", "surrogateescape"))
        value = sign(BODY, raw, api_key="k", now=NOW, jti="j")
        assert judge(value.removeprefix("Bearer "), BODY, raw).kind == "valid"

    def test_unicode_in_claims_and_secrets_is_no_trouble(self) -> None:
        verdict = judge(token("gehéim🔑", jti="jötī\n"), BODY, Secret("clé", "gehéim🔑"))
        assert verdict.why == 'signed with the secret "cl\\xe9"'
        assert verdict.claims is not None
        assert verdict.claims.jti == "jötī\n"

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "  Bearer  "])
    def test_the_scheme_is_read_in_any_spelling(self, scheme: str) -> None:
        headers = (("authorization", f"{scheme} {token()} "),)
        assert verify(headers, BODY, [SECRET], now=NOW, max_age_s=None).kind == "valid"


class TestWhatIsNotThere:
    @pytest.mark.parametrize(
        ("headers", "why"),
        [
            ([], "no Authorization header"),
            ([("X-Authorization", "Bearer a.b.c")], "no Authorization header"),
            ([("Authorization", "")], "Authorization is not Bearer"),
            ([("Authorization", "hunter2")], "Authorization is not Bearer"),
            ([("Authorization", "Basic aHVudGVyMg==")], 'Authorization is not Bearer but "Basic"'),
            ([("Authorization", "\x1b[2J x")], 'Authorization is not Bearer but "\\x1b[2J"'),
        ],
    )
    def test_a_delivery_without_a_bearer_token_is_unsigned(
        self, headers: list[tuple[str, str]], why: str
    ) -> None:
        for secrets in ([], [SECRET]):
            verdict = verify(headers, BODY, secrets, now=NOW, max_age_s=None)
            assert verdict == Verdict("unsigned", why)

    def test_without_secrets_a_signed_delivery_is_unchecked_and_still_has_its_claims(
        self,
    ) -> None:
        headers = [("Authorization", f"Bearer {token()}")]
        verdict = verify(headers, BODY, [], now=NOW, max_age_s=None)
        assert (verdict.kind, verdict.secret) == ("unchecked", None)
        assert verdict.why == "signed, but no secret to verify it"
        assert verdict.claims is not None
        assert verdict.claims.api_key == "a1b2c3d4"

    def test_without_secrets_what_cannot_be_a_token_is_invalid(self) -> None:
        verdict = verify([("Authorization", "Bearer x")], BODY, [], now=NOW, max_age_s=None)
        assert verdict.kind == "invalid"


class TestWhatIsMalformed:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "the Bearer token is empty"),
            ("abc", "malformed token: 1 part, expected 3"),
            ("a.b.c.d", "malformed token: 4 parts, expected 3"),
            ("é.b.c", "malformed token: its header is not URL-safe base64 without padding"),
            ("a.b.c", "malformed token: its header is not URL-safe base64 without padding"),
            ("e30=.b.c", "malformed token: its header is not URL-safe base64 without padding"),
            ("e!30.b.c", "malformed token: its header is not URL-safe base64 without padding"),
            ("..", "malformed token: its header is not JSON"),
            ("ew.b.c", "malformed token: its header is not JSON"),
            ("W10.b.c", "malformed token: its header is not a JSON object"),
            ("bnVsbA.b.c", "malformed token: its header is not a JSON object"),
            ("x" * 9000, "malformed token: 9000 characters, the limit is 8192"),
        ],
    )
    def test_a_malformed_token_says_what_is_wrong_with_it(self, text: str, why: str) -> None:
        assert judge(text) == Verdict("invalid", why)

    @pytest.mark.parametrize(
        ("payload", "why"),
        [
            (b"[1]", "malformed token: its payload is not a JSON object"),
            (b"{", "malformed token: its payload is not JSON"),
            (b"", "malformed token: its payload is not JSON"),
            (b'{"a":"\xff"}', "malformed token: its payload is not JSON"),
            (b'{"a":"\\ud800"}', "malformed token: its payload is not JSON"),
            (b'{"iat":1e999}', "malformed token: its payload is not JSON"),
            (b"[" * 5000, "malformed token: its payload is not JSON"),
        ],
    )
    def test_a_well_signed_payload_that_is_no_object_is_malformed(
        self, payload: bytes, why: str
    ) -> None:
        assert judge(by_hand(HS256, payload)) == Verdict("invalid", why)

    def test_a_token_cut_at_any_byte_is_never_valid(self) -> None:
        whole = token()
        assert {judge(whole[:end]).kind for end in range(len(whole))} == {"invalid"}

    def test_a_token_with_any_character_changed_is_never_valid(self) -> None:
        whole = token()
        for at, character in enumerate(whole):
            for other in set("AB-.=é") - {character}:
                verdict = judge(whole[:at] + other + whole[at + 1 :])
                assert verdict.kind == "invalid", (at, other)

    @pytest.mark.parametrize(
        "extra", [".", "..", ".x", "=", "A", " x", "x ", "\x00", "\n.", "é", "\udcff"]
    )
    def test_a_token_with_anything_added_is_never_valid(self, extra: str) -> None:
        assert judge(f"{token()}{extra}x").kind == "invalid"
        assert judge(f"x{extra}{token()}").kind == "invalid"

    def test_a_second_spelling_of_the_same_signature_is_refused(self) -> None:
        # The last of 43 characters carries two bits that count for nothing.
        whole = token()
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        twin = whole[:-1] + alphabet[alphabet.index(whole[-1]) + 1]
        assert base64.urlsafe_b64decode(twin[-43:] + "=") == base64.urlsafe_b64decode(
            whole[-43:] + "="
        )
        assert judge(twin).why.startswith("malformed token: its signature is not")

    def test_two_authorization_headers_are_refused_even_when_equal(self) -> None:
        header = ("Authorization", f"Bearer {token()}")
        for second in (header, ("authorization", "Basic x")):
            verdict = verify([header, second], BODY, [SECRET], now=NOW, max_age_s=None)
            assert verdict.kind == "invalid"
            assert verdict.why == "2 Authorization headers, expected one"

    def test_a_huge_token_is_rejected_before_it_is_read(self) -> None:
        assert judge(token(jti="x" * MAX_TOKEN_LENGTH)).kind == "invalid"
        assert judge(token(jti="x" * (MAX_TOKEN_LENGTH // 2))).kind == "valid"


class TestAlgorithms:
    @pytest.mark.parametrize(
        ("header", "why"),
        [
            (b'{"alg":"none"}', 'algorithm "none" is not allowed: only HS256 is accepted'),
            (b'{"alg":"hs256"}', 'algorithm "hs256" is not allowed: only HS256 is accepted'),
            (b'{"alg":"RS256"}', 'algorithm "RS256" is not allowed: only HS256 is accepted'),
            (
                b'{"alg":"\\u001b[31m\\u202e"}',
                'algorithm "\\x1b[31m\\u202e" is not allowed: only HS256 is accepted',
            ),
            (b"{}", "no algorithm in the token: only HS256 is accepted"),
            (b'{"alg":null}', "no algorithm in the token: only HS256 is accepted"),
            (b'{"alg":["HS256"]}', "the token's algorithm is not a string: only HS256 is accepted"),
            (
                b'{"alg":"HS256","crit":["exp"]}',
                "the token requires unsupported extensions (crit)",
            ),
        ],
    )
    def test_every_algorithm_but_hs256_is_refused_however_well_signed(
        self, header: bytes, why: str
    ) -> None:
        payload = json.dumps(claims()).encode()
        assert judge(by_hand(header, payload)) == Verdict("invalid", why)

    def test_an_unsigned_jwt_of_another_library_is_refused(self) -> None:
        unsigned = jwt.encode(claims(), "", "none")
        assert judge(unsigned).why == 'algorithm "none" is not allowed: only HS256 is accepted'

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    def test_a_stronger_hash_with_the_right_secret_is_refused_too(self, algorithm: str) -> None:
        strong = jwt.encode(claims(), SECRET_VALUE * 2, algorithm)
        assert judge(strong, BODY, Secret("s", SECRET_VALUE * 2)).kind == "invalid"


class TestSignatures:
    def test_a_wrong_secret_says_whose_key_the_token_names(self) -> None:
        verdict = judge(token(), BODY, OTHER)
        assert (verdict.kind, verdict.secret) == ("invalid", None)
        assert verdict.why == (
            'the signature does not match the secret "session" (signed for API key "a1b2c3d4")'
        )

    def test_with_several_secrets_the_message_has_their_number(self) -> None:
        verdict = judge(token(api_key=...), BODY, OTHER, OTHER)
        assert verdict.why == "the signature matches none of the 2 secrets"

    @pytest.mark.parametrize("name", claims())
    def test_a_claim_changed_after_signing_breaks_the_signature(self, name: str) -> None:
        header, _, signature = token().split(".")
        forged = to_base64(json.dumps(claims(**{name: "forged"})).encode())
        assert judge(f"{header}.{forged}.{signature}").why.startswith("the signature does not")

    def test_a_header_changed_after_signing_breaks_the_signature(self) -> None:
        _, payload, signature = token().split(".")
        forged = to_base64(b'{"alg":"HS256","kid":"1"}')
        assert judge(f"{forged}.{payload}.{signature}").why.startswith("the signature does not")

    def test_an_empty_signature_is_no_signature(self) -> None:
        assert judge(token().rpartition(".")[0] + ".").why.startswith("the signature does not")


class TestTheBody:
    def test_any_single_bit_of_the_body_counts(self) -> None:
        signed = token()
        for at in range(len(BODY) * 8):
            body = bytearray(BODY)
            body[at // 8] ^= 1 << at % 8
            assert judge(signed, bytes(body)).kind == "invalid"

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (
                json.dumps(json.loads(BODY)).encode(),
                CHANGED,
            ),
            (b"", "payload_hash differs from that of an empty body: was it lost in transit?"),
            (BODY + b"\n", "payload_hash matches the body without surrounding whitespace"),
        ],
    )
    def test_a_body_changed_in_transit_is_explained_where_possible(
        self, body: bytes, why: str
    ) -> None:
        verdict = judge(token(), body)
        assert (verdict.kind, verdict.why, verdict.secret) == ("invalid", why, "archive")

    @pytest.mark.parametrize(
        ("claimed", "why"),
        [
            (..., "payload_hash is missing: the body is not signed"),
            (None, "payload_hash is missing: the body is not signed"),
            (7, "payload_hash is not a string"),
            (
                hashlib.sha256(BODY).hexdigest().upper(),
                "payload_hash is in upper case; Vonage uses lower-case hex",
            ),
        ],
    )
    def test_a_hash_not_as_vonage_writes_it_says_so(self, claimed: object, why: str) -> None:
        verdict = judge(token(payload_hash=claimed))
        assert (verdict.kind, verdict.why) == ("invalid", why)

    @pytest.mark.parametrize("claimed", ["", "é", "0" * 64, "x" * 3000])
    def test_a_hash_of_something_else_differs(self, claimed: str) -> None:
        assert judge(token(payload_hash=claimed)).why.startswith("payload_hash differs")

    @pytest.mark.parametrize("claimed", [..., "0" * 64])
    def test_the_hash_of_a_get_is_not_checked_and_that_is_noted(self, claimed: object) -> None:
        verdict = judge(token(payload_hash=claimed), b"", method="get")
        assert (verdict.kind, verdict.why) == (
            "valid",
            'signed with the secret "archive"; payload_hash not checked: a GET has no body',
        )

    def test_a_get_that_does_have_a_body_is_checked(self) -> None:
        assert judge(token(), BODY, method="GET").kind == "valid"
        assert judge(token(), b"other", method="GET").kind == "invalid"

    def test_an_empty_post_is_checked_like_any_other(self) -> None:
        assert judge(token(payload_hash=hashlib.sha256(b"").hexdigest()), b"").kind == "valid"
        assert judge(token(payload_hash=...), b"").kind == "invalid"


class TestIssuerAndTime:
    @pytest.mark.parametrize(
        ("issuer", "why"),
        [
            ("vonage", 'the issuer (iss) is "vonage", not Vonage'),
            ("\x1b[2J" + "x" * 99, f'the issuer (iss) is "\\x1b[2J{"x" * 36}…", not Vonage'),
            (["Vonage"], "the issuer (iss) is not a string; it should be Vonage"),
            (..., "the issuer (iss) is missing; it should be Vonage"),
        ],
    )
    def test_another_issuer_is_refused(self, issuer: object, why: str) -> None:
        verdict = judge(by_hand(HS256, json.dumps(claims(iss=issuer)).encode()))
        assert (verdict.kind, verdict.why) == ("invalid", why)

    @pytest.mark.parametrize(
        ("age_s", "max_age_s", "kind", "why"),
        [
            (0, 300, "valid", 'signed with the secret "archive"'),
            (300, 300, "valid", 'signed with the secret "archive"'),
            (10**9, None, "valid", 'signed with the secret "archive"'),
            (-60, 300, "valid", 'signed with the secret "archive"'),
            (-95, 300, "invalid", "iat is 95 s in the future: check this machine's clock"),
            (-95, None, "invalid", "iat is 95 s in the future: check this machine's clock"),
            (301, 300, "stale", "iat is 301 s old, the limit is 300 s"),
            (3 * 3600, 300, "stale", "iat is 3 h old, the limit is 300 s"),
            (90_000, 86_400, "stale", "iat is 25 h old, the limit is 24 h"),
            (9_000, 7_200, "stale", "iat is 2.5 h old, the limit is 2 h"),
            (10**9, 1, "stale", "iat is 11,574.1 d old, the limit is 1 s"),
        ],
    )
    def test_the_age_of_a_token_is_shown_in_plain_units(
        self, age_s: int, max_age_s: float | None, kind: VerdictKind, why: str
    ) -> None:
        verdict = judge(token(iat=int(NOW) - age_s), max_age_s=max_age_s)
        assert (verdict.kind, verdict.why, verdict.secret) == (kind, why, "archive")

    def test_a_fraction_of_a_second_is_a_time_like_any_other(self) -> None:
        assert judge(token(iat=NOW - 0.5), max_age_s=1).kind == "valid"

    def test_no_time_at_all_is_refused(self) -> None:
        assert judge(token(iat=...)).why == "iat is missing: signing time unknown"

    @pytest.mark.parametrize(
        "iat",
        [b"null", b"true", b'"1764000000"', b"[]", b"1764000000000", b"1e300", b"-1" + b"0" * 400],
    )
    def test_a_time_that_cannot_be_one_is_refused(self, iat: bytes) -> None:
        payload = json.dumps(claims(iat="@")).encode().replace(b'"@"', iat)
        verdict = judge(by_hand(HS256, payload), max_age_s=10)
        assert (verdict.kind, verdict.why) == ("invalid", "iat is not a time in Unix seconds")
        assert verdict.claims is not None
        assert verdict.claims.iat is None

    def test_claims_absent_or_of_the_wrong_type_are_left_out(self) -> None:
        payload = json.dumps(claims(jti=1, api_key=None, application_id=...)).encode()
        verdict = judge(by_hand(HS256, payload))
        assert verdict.kind == "valid"
        assert msgspec.to_builtins(verdict.claims) == {"iat": int(NOW)}


class TestSigning:
    def test_what_is_signed_is_what_vonage_claims(self) -> None:
        value = sign(
            BODY, SECRET, api_key="a1b2c3d4", application_id="app", now=NOW + 0.9, jti="id-1"
        )
        scheme, signed = value.split(" ")
        assert scheme == "Bearer"
        assert jwt.get_unverified_header(signed) == {"typ": "JWT", "alg": "HS256"}
        decoded = jwt.decode(signed, SECRET_VALUE, ["HS256"], options={"verify_iat": False})
        assert decoded == claims(application_id="app", jti="id-1")

    def test_without_an_application_none_is_claimed(self) -> None:
        signed = sign(BODY, SECRET, api_key="k", now=0, jti="j").removeprefix("Bearer ")
        assert "application_id" not in jwt.decode(signed, SECRET_VALUE, ["HS256"])

    def test_vonages_own_library_accepts_what_is_signed(self) -> None:
        signed = sign(BODY, SECRET, api_key="k", now=0, jti="j").removeprefix("Bearer ")
        assert vonage_jwt.verify_signature(signed, SECRET_VALUE) is True
        assert vonage_jwt.verify_signature(signed, SECRET_VALUE + "x") is False

    @CALM
    @given(body=st.binary(), value=st.text(), api_key=st.text(), jti=st.text())
    def test_what_is_signed_is_valid_over_that_body_alone(
        self, body: bytes, value: str, api_key: str, jti: str
    ) -> None:
        secret = Secret("s", "x" + value)
        signed = sign(body, secret, api_key=api_key, now=NOW, jti=jti).removeprefix("Bearer ")
        assert judge(signed, body, secret, max_age_s=1).kind == "valid"
        assert judge(signed, body + b"x", secret).kind == "invalid"


class TestSecrets:
    @pytest.mark.parametrize(
        "show",
        [repr, str, "{}".format, lambda secret: f"{[secret]!r:>40}"],
    )
    def test_a_secret_shows_its_label_alone(self, show: Callable[[Secret], str]) -> None:
        assert "Secret('archive', …)" in show(SECRET)
        assert SECRET_VALUE not in show(SECRET)

    @pytest.mark.parametrize(
        "write", [msgspec.json.encode, msgspec.to_builtins, json.dumps, pickle.dumps, copy.copy]
    )
    def test_a_secret_cannot_be_serialised(self, write: Callable[[object], object]) -> None:
        with pytest.raises(TypeError):
            write(SECRET)

    def test_a_secret_does_not_show_in_a_traceback_with_its_locals(self) -> None:
        headers: Any = [("Authorization", f"Bearer {token()}"), None]
        with pytest.raises(TypeError) as caught:
            verify(headers, BODY, [SECRET], now=NOW, max_age_s=None)
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = "".join(shown.format())
        assert "Secret('archive', …)" in frames
        assert SECRET_VALUE not in frames

    @pytest.mark.parametrize("value", ["", " \n"])
    def test_an_empty_secret_is_refused_for_anyone_could_sign_with_it(self, value: str) -> None:
        with pytest.raises(WrongUse, match='the signature secret "archive" is empty') as caught:
            Secret("archive", value)
        assert caught.value.hint is not None

    def test_a_verdict_never_holds_a_secret(self) -> None:
        for verdict in (judge(token()), judge(token(), BODY, OTHER), judge("x")):
            assert SECRET_VALUE.encode() not in msgspec.json.encode(verdict)


TOKEN_PARTS = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=40).map(to_base64),
    st.sampled_from(token().split(".")),
)
HEADERS = st.tuples(
    st.sampled_from(["Authorization", "authorization", "X"]) | st.text(),
    st.text(st.characters())
    | st.lists(TOKEN_PARTS, max_size=4).map(lambda parts: "Bearer " + ".".join(parts)),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


class TestNothingReceivedRaises:
    @CALM
    @given(headers=st.lists(HEADERS, max_size=3), body=st.binary())
    def test_whatever_the_headers_there_is_a_verdict(
        self, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        for secrets in ([], [SECRET, OTHER]):
            verdict = verify(headers, body, secrets, now=NOW, max_age_s=300)
            assert verdict.kind in set(get_args(VerdictKind)) - {"valid"}
            assert verdict.why.isprintable()
            assert msgspec.json.encode(verdict)

    @CALM
    @given(payload=st.dictionaries(st.sampled_from(list(claims())), JSON_VALUES))
    def test_whatever_is_claimed_and_well_signed_there_is_a_verdict(
        self, payload: dict[str, Any]
    ) -> None:
        verdict = judge(by_hand(HS256, json.dumps(claims() | payload).encode()), max_age_s=300)
        assert verdict.kind in get_args(VerdictKind)
        assert verdict.why.isprintable()
        assert msgspec.json.encode(verdict)
