"""`python -m ops`: list, replay and drop rejected messages; prove who may do what."""

import sys

if __name__ == "__main__":
    from local.cli.output import end_quietly

    try:
        try:
            from ops.cli import main

            code = main()
        finally:
            sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:
        sys.exit(end_quietly())
    except KeyboardInterrupt:
        sys.exit(1)
