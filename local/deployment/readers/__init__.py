"""The kinds of resources that the local cloud has: one reader each, to the last property."""
