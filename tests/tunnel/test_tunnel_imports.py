import subprocess
import sys
from pathlib import Path

import vmon.tunnel

MODULES = sorted(path.stem for path in Path(vmon.tunnel.__path__[0]).glob("*.py"))


def test_importing_every_tunnel_fetches_no_engine_and_no_front_end() -> None:
    imports = "\n".join(f"import vmon.tunnel.{name}" for name in MODULES if name != "__init__")
    heavy = "('pyngrok', 'yaml', 'aiohttp', 'rich', 'click', 'asyncssh')"
    program = f"import sys\n{imports}\nprint([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"
