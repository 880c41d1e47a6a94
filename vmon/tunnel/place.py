"""Where the folders of running agents are kept."""

from pathlib import Path


def state_dir() -> Path:
    """The user's state folder for vmon, on Linux ~/.local/state/vmon; it may not exist yet."""
    from platformdirs import user_state_path

    return user_state_path("vmon", appauthor=False)
