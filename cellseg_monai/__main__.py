"""`python -m cellseg_monai`, which works like `cellseg`."""

from cellseg_monai.cli import main

if __name__ == "__main__":  # spawned processes import this file, too
    main()
