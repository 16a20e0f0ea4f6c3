"""What runs inside the functions."""
