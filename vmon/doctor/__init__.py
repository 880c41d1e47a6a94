"""Checks of the machine, the tunnel and the network."""
