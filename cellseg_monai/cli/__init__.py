"""The `cellseg` command line: a table of commands, with help from python-fire.

Commands import heavy modules only when they run, so `cellseg --help` appears instantly.
"""

from __future__ import annotations

import errno
import os
import sys

from cellseg_monai.allocation import keep_freed_memory
from cellseg_monai.cli.bundles import bundle_build, bundle_check, bundle_copy, bundle_encoder, calibrate, compare
from cellseg_monai.cli.data_sets import (
    data_check,
    data_fetch,
    data_list,
    data_prepare,
    data_sample,
    data_select,
    data_show,
    data_split,
)
from cellseg_monai.cli.finetuning import finetune, learning_curve
from cellseg_monai.cli.flags import bound_command
from cellseg_monai.cli.idle_options import idle_options
from cellseg_monai.cli.label_images import evaluate, report
from cellseg_monai.cli.pretraining import pretrain
from cellseg_monai.cli.printing import prepare_streams, print_error
from cellseg_monai.cli.quality import quality
from cellseg_monai.cli.scouting import scout
from cellseg_monai.cli.segmenting import replay, segment
from cellseg_monai.errors import CheckpointError
from cellseg_monai.one_line import message_of

__all__ = ["main"]

COMMANDS = {
    "bundle": {"build": bundle_build, "check": bundle_check, "copy": bundle_copy, "encoder": bundle_encoder},
    "calibrate": calibrate,
    "compare": compare,
    "data": {
        "check": data_check,
        "fetch": data_fetch,
        "list": data_list,
        "prepare": data_prepare,
        "sample": data_sample,
        "select": data_select,
        "show": data_show,
        "split": data_split,
    },
    "evaluate": evaluate,
    "finetune": finetune,
    "learning_curve": learning_curve,
    "pretrain": pretrain,
    "quality": quality,
    "replay": replay,
    "report": report,
    "scout": scout,
    "segment": segment,
}


def main() -> None:
    """Run the command line; errors that the user can correct are printed on one line, without a traceback."""
    os.environ.setdefault("PAGER", "cat")  # otherwise, python-fire opens --help in a pager
    prepare_streams()
    try:
        command = bound_command(sys.argv[1:], COMMANDS)
        if command.func in (replay, segment):
            keep_freed_memory()  # before torch is loaded
        for sentence in idle_options(command.func, command.keywords):
            print_error(f"note: {sentence}")
        command()
    except (ValueError, CheckpointError, OSError, MemoryError) as error:
        # Most errors raised by this package are ValueErrors. CELLSEG_DEBUG shows their traceback.
        if os.environ.get("CELLSEG_DEBUG"):
            raise
        print_error(_message(error))
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        print_error("stopped")
        raise SystemExit(130) from None


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and error.filename:
        text = f"{error.filename}: {error.strerror}; choose another path, or make this one readable and writable"
    elif isinstance(error, MemoryError) and not str(error):  # Python's own MemoryError has no message
        text = "this machine has run out of memory; close other programs, or use smaller images"
    else:
        text = message_of(error)
    return type(text)(f"error: {text}")
