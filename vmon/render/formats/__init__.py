"""Output formats of deliveries: lines, tables, commands, documents."""
