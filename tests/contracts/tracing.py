"""Traces networks in a process of its own: TorchScript and itk, which other tests load, crash Python together.

A line of JSON comes in for each network, `{"definition": ..., "side": ..., "script": ...}`, and a line goes out with
what went wrong, or an empty one. One process serves all tests, since importing takes longer than tracing.
"""

import json
import sys
import warnings

import torch

from cellseg_monai.networks import build_network


def compare(definition: dict, side: int, script: bool) -> None:
    torch.manual_seed(0)
    network = build_network(definition).eval()
    image = torch.rand(1, definition["in_channels"], side, side)
    # Neither optimised, which takes longer than all the rest, nor checked by trace: what follows checks more.
    with torch.no_grad(), torch.jit.optimized_execution(False):
        recorded = torch.jit.script(network) if script else torch.jit.trace(network, image, check_trace=False)
        # Another batch and other values: what is recorded is the network, not its answer.
        images = torch.rand(2, *image.shape[1:])
        torch.testing.assert_close(recorded(images), network(images))
        if script or not definition["network"].startswith("swin"):
            # Padding is recorded, too: other sizes work where the network itself does not fix its size.
            odd = torch.rand(1, definition["in_channels"], 33, side + 7)
            torch.testing.assert_close(recorded(odd), network(odd))


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    # The recommended torch.export is not what MONAI's bundles are exported with.
    warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        with warnings.catch_warnings():
            if request["definition"]["network"].startswith(("monai", "swin")):
                # MONAI's networks compare sizes in Python, and lay out the windows of transformers there.
                warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
                warnings.filterwarnings("ignore", "__array_wrap__", DeprecationWarning)
            try:
                compare(**request)
                fault = ""
            except Exception as error:  # noqa: BLE001 - the test that asked reports it
                fault = f"{type(error).__name__}: {error}"
        print(json.dumps(fault), flush=True)
