"""Deliveries on their way to apps."""
