from pathlib import Path

import pytest

from vmon.capture.folder import captures_in, sources_of
from vmon.errors import WrongUse


def test_what_is_there_plain_and_compressed_is_read_once(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.gz", "b.jsonl.gz", "c.txt", "b.jsonl.gz.part"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(one).name for one in captures_in(str(tmp_path))] == [
        "a.jsonl", "b.jsonl.gz",
    ]  # fmt: skip # one thing a line


def test_a_folder_without_captures_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no captures in"):
        sources_of((str(tmp_path),))
