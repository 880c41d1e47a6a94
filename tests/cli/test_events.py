import os
import subprocess
import sys


def test_the_command_module_brings_click_and_nothing_heavy() -> None:
    code = "import vmon.cli.events, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    loaded = set(ran.stdout.split())
    assert "vmon.cli.events" in loaded
    assert not loaded & {"msgspec", "rich", "aiohttp", "pyngrok"}
