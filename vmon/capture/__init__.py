"""The capture file: written, rotated, found and read."""
