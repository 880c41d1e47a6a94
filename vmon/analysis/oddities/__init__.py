"""What does not add up in sessions and payloads."""
