"""`python -m compile CHECKPOINT -o FOLDER`."""

import sys


def main() -> int:
    """Builds one artifact; says how to install what that needs where it is missing."""
    try:
        from compile.build import main as build
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("compile", "train", "edge_vessel"):
            raise
        sys.stderr.write(f"error: {error.name} is missing: pip install -e '.[train,compile]'\n")
        return 2
    return build()


if __name__ == "__main__":
    sys.exit(main())
