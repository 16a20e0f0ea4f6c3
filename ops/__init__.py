"""The operator's commands, against Azure and the local cloud alike."""
