"""`python -m local`: the commands of the local cloud."""

import gc
import sys

if __name__ == "__main__":
    from local.cli.output import end_quietly
    from local.cli.platforms import unsupported

    if problem := unsupported():
        sys.exit(f"error: {problem}")
    try:
        try:
            from local.cli.main import main

            code = main()
        finally:
            sys.stdout.flush()
            # Ending would search all modules for garbage, a fifth of a short command's time.
            gc.freeze()
        sys.exit(code)
    except BrokenPipeError:
        sys.exit(end_quietly())
    except KeyboardInterrupt:
        sys.exit(130)
