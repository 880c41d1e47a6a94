"""HTTP in: received, captured, answered, published."""
