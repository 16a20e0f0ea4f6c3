"""What `make check` and `make infra` run beside the ordinary tools."""
