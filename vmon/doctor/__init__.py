"""The checks of `vmon doctor`: machine, tunnels, network."""
