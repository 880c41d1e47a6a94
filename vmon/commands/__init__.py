"""What each command does; a module has the name of its command."""
