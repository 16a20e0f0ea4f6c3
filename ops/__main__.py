"""`python -m ops`: list, replay and drop rejected messages; prove who may do what."""

import sys

if __name__ == "__main__":
    try:
        from ops.cli import main

        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
