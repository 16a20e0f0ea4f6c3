"""A Bicep deployment, read from the snapshot that Bicep makes of it offline."""
