"""From what vmon knows to what is drawn: lines, details, tables, summaries."""
