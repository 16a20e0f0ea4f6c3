"""The worker of a host: a process of its own that reads function_app.py and calls functions."""
