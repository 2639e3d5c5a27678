"""Entry point of `python -m cellseg_monai`, which is the same as `cellseg`."""

from cellseg_monai.cli import main

if __name__ == "__main__":  # spawned processes import this module too
    main()
