"""Listening and serving on this machine alone, and the folder of a running cloud."""
