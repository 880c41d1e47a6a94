"""Who may post, which signatures hold, and what must not be shown."""
