"""Choosing among stored deliveries."""
