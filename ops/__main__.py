"""`python -m ops`: list, replay and drop rejected messages; prove who may do what."""

import gc
import sys

if __name__ == "__main__":
    from local.cli.output import end_quietly

    try:
        try:
            from ops.cli import main

            code = main()
        finally:
            sys.stdout.flush()
            # Ending would search all modules for garbage, a fifth of a short command's time.
            gc.freeze()
        sys.exit(code)
    except BrokenPipeError:
        sys.exit(end_quietly())
    except KeyboardInterrupt:
        sys.exit(1)
