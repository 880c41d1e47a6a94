"""Stored or sample deliveries sent to an app."""
