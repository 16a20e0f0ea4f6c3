"""Calls that concurrent users share."""
