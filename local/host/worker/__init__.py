"""The worker of a host: a separate process that indexes function_app.py and calls functions."""
