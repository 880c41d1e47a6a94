"""What captures add up to: figures, minutes, inventory."""
