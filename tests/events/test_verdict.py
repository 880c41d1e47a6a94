import msgspec
import pytest

from vmon.events.verdict import Claims, Verdict, is_trusted
from vmon.events.verdict_kind import VERDICT_KINDS


@pytest.mark.parametrize("kind", VERDICT_KINDS)
def test_a_verdict_is_read_as_it_was_written(kind: str) -> None:
    one = Verdict(kind, "why", "main", Claims(iat=1.5, jti="a"), refused=True)
    assert msgspec.convert(msgspec.to_builtins(one), Verdict) == one


def test_a_file_may_have_a_kind_that_is_not_known_and_leave_out_the_rest() -> None:
    assert msgspec.convert({"kind": "revoked"}, Verdict) == Verdict("revoked")


def test_claims_that_a_token_does_not_make_are_not_written() -> None:
    assert msgspec.to_builtins(Claims(jti="a")) == {"jti": "a"}


@pytest.mark.parametrize(
    ("kind", "trusted"),
    [
        ("valid", True),
        ("stale", True),
        ("unchecked", True),
        ("invalid", False),
        ("unsigned", False),
    ],
)
def test_names_are_taken_where_no_secret_speaks_against_it(kind: str, *, trusted: bool) -> None:
    assert is_trusted(Verdict(kind)) is trusted
    assert is_trusted(None)
