"""Images per second in the training of a bundle, relative to a bare loop: the cost of data and handlers.

    python benchmarks/training_throughput.py [--bundle NAME] [--rounds N] [--KNOB VALUE ...]

The bundle trains as `train.json` says (reading, augmentation, progress bar, TensorBoard, metrics.csv, checkpoints),
without validation. After each epoch, a bare PyTorch loop does the same number of steps with the same network, loss,
optimiser, batch size and dtype, on batches in memory, so that a machine that slows down slows both. The result is the
median of the ratios of all rounds; 1.00 would mean that the network never waits.
"""

from __future__ import annotations

import argparse
import ast
import copy
import itertools
import statistics
import tempfile
import time

import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigWorkflow


def bare_epoch(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_function: torch.nn.Module,
    batches: list,
    steps: int,
    amp: bool,
) -> float:
    """Return the seconds for a number of training steps on batches in memory."""
    network.train()
    began = time.perf_counter()
    for batch in itertools.islice(itertools.cycle(batches), steps):
        optimizer.zero_grad(set_to_none=True)
        image, label = batch["image"], batch["label"]
        with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=amp):
            prediction = network(image)
        loss_function(prediction.float(), label).backward()
        optimizer.step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def measure(bundle: str, rounds: int, overrides: dict) -> tuple[list[float], list[float], int]:
    """Return the seconds of each epoch, those of the bare loop after it, and the number of images in an epoch."""
    with tempfile.TemporaryDirectory() as output_dir:
        workflow = ConfigWorkflow(
            f"bundles/{bundle}/configs/train.json",
            logging_file=False,
            output_dir=output_dir,
            epochs=rounds + 1,
            val_interval=rounds + 2,
            **overrides,
        )
        workflow.initialize()
        parsed = workflow.parser.get_parsed_content
        trainer, loader, device = parsed("train#trainer"), parsed("train#dataloader"), parsed("device")
        batches = [
            {key: value.to(device) for key, value in batch.items()} for batch in itertools.islice(iter(loader), 4)
        ]
        bare_network = copy.deepcopy(parsed("network"))
        optimizer = torch.optim.AdamW(bare_network.parameters(), 1e-4)
        ours, bare, began = [], [], [0.0]

        def start() -> None:
            began[0] = time.perf_counter()

        def compare(engine: Engine) -> None:
            ours.append(time.perf_counter() - began[0])
            steps, amp = engine.state.epoch_length, parsed("amp")
            bare.append(bare_epoch(bare_network, optimizer, parsed("loss"), batches, steps, amp))

        trainer.add_event_handler(Events.EPOCH_STARTED, start)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, compare)
        workflow.run()
        # The first round is a warm-up: it reads the images into the cache and creates the state of the optimisers.
        return ours[1:], bare[1:], len(loader.sampler)


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="unet")
    parser.add_argument("--rounds", type=int, default=3)
    options, knobs = parser.parse_known_args()
    overrides = {}
    for name, value in zip(knobs[::2], knobs[1::2], strict=True):
        try:
            overrides[name.removeprefix("--")] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            overrides[name.removeprefix("--")] = value
    ours, bare, images = measure(options.bundle, options.rounds, overrides)
    ratios = [bare_seconds / seconds for seconds, bare_seconds in zip(ours, bare, strict=True)]
    for seconds, bare_seconds, ratio in zip(ours, bare, ratios, strict=True):
        speeds = f"bundle {images / seconds:7.2f} images/s   bare loop {images / bare_seconds:7.2f} images/s"
        print(f"{speeds}   ratio {ratio:.3f}")
    print(f"ratio (median of {len(ours)} rounds): {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
