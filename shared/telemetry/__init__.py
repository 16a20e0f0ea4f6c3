"""What the apps write to their logs, and how often."""
