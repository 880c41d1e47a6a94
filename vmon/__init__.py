"""vmon: see every Vonage Video callback on your own machine."""

__version__ = "0.1.0"
