"""Forms of output for deliveries: lines, tables, commands, documents."""
