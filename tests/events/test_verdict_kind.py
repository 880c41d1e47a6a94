from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.events.verdict_kind import VERDICT_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_filter_offers_every_kind(
    vmon_run: Callable[..., tuple[int, str, str]],
) -> None:
    assert VERDICT_KINDS == ("valid", "invalid", "unsigned", "stale", "unchecked")
    code, out, _ = vmon_run("filter", "--help", COLUMNS="200")
    assert code == 0
    assert f"--verdict [{'|'.join(VERDICT_KINDS)}]" in out


def test_the_kinds_cost_no_import_of_msgspec(
    imports_of: Callable[..., set[str]],
) -> None:
    loaded = imports_of("filter", "--help")
    assert "vmon.events.verdict_kind" in loaded
    assert not loaded & {"msgspec", "vmon.events.verdict"}
