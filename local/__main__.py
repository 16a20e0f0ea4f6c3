"""`python -m local`: the commands of the local cloud."""

import sys

if __name__ == "__main__":
    try:
        from local.cli.main import main

        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
