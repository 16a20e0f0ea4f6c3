"""What only a subscription can show: `python -m tests.azure`, or `make azure`."""

from __future__ import annotations

from tests.azure.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
