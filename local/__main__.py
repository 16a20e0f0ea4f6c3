"""`python -m local`: the commands of the local cloud."""

import sys

if __name__ == "__main__":
    from local.cli.output import end_quietly

    try:
        try:
            from local.cli.main import main

            code = main()
        finally:
            sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:
        sys.exit(end_quietly())
    except KeyboardInterrupt:
        sys.exit(130)
