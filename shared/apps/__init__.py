"""What each function app does: a blueprint a module."""
