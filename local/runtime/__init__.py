"""A deployment as running services and processes."""
