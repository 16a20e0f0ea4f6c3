"""Who is on a connection, and what they may do."""
