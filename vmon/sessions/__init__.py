"""Who is in which session: the state that events add up to."""
