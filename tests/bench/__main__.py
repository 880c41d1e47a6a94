"""Measure vmon against what it is compared with: `python -m tests.bench [NAME]…`.

Figures are ratios with their floors (or ceilings); absolute times say more of the machine. Needs
ripgrep and jq for `filter`; what is missing is said and left out. Nothing here is run by CI.
"""

import sys
from importlib import import_module

SUITES = ("startup", "receiver", "filter", "replay", "book", "stats")


def main(names: list[str]) -> int:
    """Run the suites named, or all; 1 when a bound was missed."""
    missed = 0
    for name in names or SUITES:
        print(f"{name}", flush=True)
        for row in import_module(f"tests.bench.{name}").rows():
            missed += not row.holds
            print(f"  {row}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
