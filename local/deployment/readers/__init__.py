"""A reader for each kind of resource that the local cloud supports, to the last property."""
