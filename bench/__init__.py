"""Figures: what is fast, measured beside something in the same run."""
