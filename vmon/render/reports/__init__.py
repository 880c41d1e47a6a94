"""What the commands print that look at stored deliveries or at vmon itself."""
