import pytest

from vmon.errors import WrongUse
from vmon.tunnel.fixed_url import PublicUrl
from vmon.tunnel.model import State


async def test_the_url_is_given_back_and_the_only_change_is_the_close() -> None:
    tunnel = PublicUrl("https://hooks.example.com/base/")
    assert await tunnel.start() == "https://hooks.example.com/base"
    await tunnel.close()
    await tunnel.close()
    assert [change.state async for change in tunnel.changes()] == [State.CLOSED]


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example.com", "ftp://x", "https://", "https://x?a=1", "http://[x", "http://x:y"],
)
def test_what_is_no_base_url_is_wrong_use(url: str) -> None:
    with pytest.raises(WrongUse, match="invalid public URL"):
        PublicUrl(url)
