"""What each command does: a module per command, with its name."""
