"""Tunnels: how a callback from the internet reaches a receiver on this machine."""
