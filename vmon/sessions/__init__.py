"""The state of sessions, reduced from their events."""
