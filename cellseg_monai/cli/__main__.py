"""`python -m cellseg_monai.cli`, where the command `cellseg` is not installed."""

from cellseg_monai.cli import main

main()
