"""Program that traces networks, in a separate process because TorchScript and itk together crash Python.

It reads a line of JSON for each network, `{"definition": ..., "side": ..., "script": ...}`, and writes a line of JSON
with the error, or an empty string. One process serves all tests, since importing takes longer than tracing.
"""

import contextlib
import json
import sys
import warnings

import torch

from cellseg_monai.networks import build_network


def compare(definition: dict, side: int, script: bool) -> None:
    torch.manual_seed(0)
    network = build_network(definition).eval()
    image = torch.rand(1, definition["in_channels"], side, side)
    # Optimisation would take longer than everything else, and the checks below cover more than that of `trace`.
    with torch.no_grad(), torch.jit.optimized_execution(False):
        recorded = torch.jit.script(network) if script else torch.jit.trace(network, image, check_trace=False)
        # Another batch size and other values, to show that the network is recorded rather than one output.
        images = torch.rand(2, *image.shape[1:])
        torch.testing.assert_close(recorded(images), network(images))
        if script or not definition["network"].startswith("swin"):
            # Padding is recorded too, so other sizes work unless the network itself has a fixed size.
            odd = torch.rand(1, definition["in_channels"], 33, side + 7)
            torch.testing.assert_close(recorded(odd), network(odd))


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    # MONAI exports bundles with torch.jit, although PyTorch recommends torch.export.
    warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        with warnings.catch_warnings():
            if request["definition"]["network"].startswith(("monai", "swin")):
                # MONAI's networks compare sizes and arrange the windows of transformers in Python.
                warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
                warnings.filterwarnings("ignore", "__array_wrap__", DeprecationWarning)
            try:
                with contextlib.redirect_stdout(sys.stderr):  # some networks print when they are built
                    compare(**request)
                fault = ""
            except Exception as error:  # noqa: BLE001 - the calling test reports it
                fault = f"{type(error).__name__}: {error}"
        print(json.dumps(fault), flush=True)
