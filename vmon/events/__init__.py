"""What Vonage sends: deliveries, what they say, and when it comes again."""
