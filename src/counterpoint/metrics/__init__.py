"""What is measured: judges look at one picture each, metrics count what they say; one idea, one file."""
