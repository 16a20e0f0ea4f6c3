"""The environment of an app, read once and validated."""
