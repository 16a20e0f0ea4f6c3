"""The live page: a running local cloud as a picture, and buttons to change it."""
