"""The commands: one module each, thin; what is heavy is imported when a command runs."""
