"""`python -m vmon` is `vmon`."""

from vmon.cli import main

if __name__ == "__main__":
    main()
