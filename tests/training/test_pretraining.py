"""The loss of pretraining, and the warning about collapsed features."""

import logging

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.losses import ContrastiveLoss
from torch import nn
from torch.utils.data import DataLoader

from cellseg_monai.errors import BundleError, TrainingError
from cellseg_monai.metrics import FeatureScore, LossPart
from cellseg_monai.networks import pretraining_network, smp_model, unet
from cellseg_monai.networks.pretraining import PretrainingNetwork
from cellseg_monai.scores import same_image_share
from cellseg_monai.training import CollapseWarning, ContrastGuard, PretrainingLoss
from cellseg_monai.transforms import RandHiddenBlocksd

VIEWS = torch.rand((5, 2, 8), generator=torch.Generator().manual_seed(0))


def prediction(inpainted=0.0):
    return {"views": VIEWS, "inpainted": torch.full((5, 1, 4, 4), inpainted)}


def target(mask):
    return torch.cat([torch.ones(5, 1, 4, 4), mask.expand(5, 1, 4, 4)], dim=1)


HALF = torch.tensor([1.0, 1.0, 0.0, 0.0])


def test_the_loss_is_the_weighted_sum_of_its_parts():
    loss = PretrainingLoss(contrast=2.0, inpainting=3.0, temperature=0.5)
    value = loss(prediction(0.25), target(HALF))
    contrast = ContrastiveLoss(temperature=0.5)(VIEWS[:, 0], VIEWS[:, 1])
    torch.testing.assert_close(value, 2 * contrast + 3 * 0.75)
    assert loss.parts.keys() == {"contrast", "inpainting"}
    torch.testing.assert_close(loss.parts["inpainting"], torch.tensor(0.75))


def test_a_single_crop_has_no_contrast_and_does_not_lower_the_mean():
    loss = PretrainingLoss(contrast=2.0, inpainting=3.0)
    alone = {name: value[:1] for name, value in prediction(0.25).items()}
    torch.testing.assert_close(loss(alone, target(HALF)[:1]), torch.tensor(3 * 0.75))
    part = LossPart(loss, "contrast")
    part.reset()
    for value, crops in ((torch.tensor(2.0), 4), (loss.parts.get("contrast"), 1)):
        part.update((value, crops))
    assert part.compute() == 2


def test_visible_pixels_do_not_count():
    loss = PretrainingLoss(contrast=0)
    painted = prediction()
    painted["inpainted"] = torch.where(HALF > 0, 1.0, 99.0).expand(5, 1, 4, 4)
    assert loss(painted, target(HALF)) == 0
    assert loss(prediction(), target(torch.zeros(4))) == 0


@pytest.mark.parametrize("weights", [(0, 0), (-1, 1)])
def test_without_a_task_there_is_no_loss(weights):
    with pytest.raises(ValueError, match="expected weights of at least 0, and one above 0"):
        PretrainingLoss(contrast=weights[0], inpainting=weights[1])


def test_a_network_without_an_encoder_of_smp_is_refused():
    with pytest.raises(BundleError, match="got the network 'unet', whose encoder is not from"):
        pretraining_network(unet(channels=(4, 8)).definition)


def test_the_decoder_sees_only_what_is_not_hidden():
    network = pretraining_network(smp_model("unet", encoder_name="resnet18").definition, contrast=False).eval()
    views = torch.rand(1, 3, 64, 64)
    changed = views.clone()
    changed[:, :2] = 0
    with torch.no_grad():
        assert torch.equal(network(views)["inpainted"], network(changed)["inpainted"])


class TinyEncoder(nn.Module):
    """Three levels, in the manner of segmentation-models-pytorch."""

    out_channels = (1, 8, 16)

    def __init__(self):
        super().__init__()
        self.levels = nn.ModuleList([nn.Conv2d(1, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)])

    def forward(self, image):
        features = [image]
        for level in self.levels:
            features.append(level(features[-1]).relu())
        return features


def test_both_losses_fall_within_a_few_steps():
    torch.manual_seed(0)
    rows, columns = np.mgrid[:32, :32]
    waves = [np.sin(a * rows + b * columns) for a, b in np.random.default_rng(0).uniform(-1, 1, (8, 2))]
    crops = torch.tensor(np.stack(waves), dtype=torch.float32)[:, None] / 2 + 0.5
    hide = RandHiddenBlocksd("image", "hidden", "mask", block_px=4).set_random_state(0)
    items = [hide({"image": crop}) for crop in crops]
    hidden, mask = (torch.stack([item[name] for item in items]) for name in ("hidden", "mask"))
    images, labels = torch.cat([crops.flip(3), 0.7 * crops.flip(2), hidden], dim=1), torch.cat([crops, mask], dim=1)
    tasks = {"contrast": True, "inpainting": True}
    network = PretrainingNetwork(TinyEncoder(), in_channels=1, projected=16, width=16, **tasks)
    optimizer, loss, parts = torch.optim.AdamW(network.parameters(), lr=0.01), PretrainingLoss(), []
    for _ in range(40):
        optimizer.zero_grad()
        loss(network(images), labels).backward()
        optimizer.step()
        parts.append({name: float(value) for name, value in loss.parts.items()})
    for task in tasks:
        assert parts[-1][task] < 0.7 * parts[0][task]


@pytest.mark.parametrize(
    ("crops", "batch_size", "remedy"),
    [(4, 1, "raise --batch_size, or"), (5, 4, "raise --crops_per_image, change --batch_size, or"), (1, 4, "raise")],
    ids=["batches of one", "a rest of one", "one crop"],
)
def test_a_crop_alone_in_its_batch_is_refused_for_contrast(crops, batch_size, remedy):
    def begin(contrast, drop_last=False):
        engine = Engine(lambda *_: None)
        ContrastGuard(contrast).attach(engine)
        engine.run(DataLoader(list(range(crops)), batch_size, drop_last=drop_last), max_epochs=1)

    with pytest.raises(TrainingError, match=f"got a batch of 1 crop, expected at least 2.*{remedy}"):
        begin(0.5)
    begin(0)
    if crops > batch_size > 1:
        begin(0.5, drop_last=True)


@pytest.mark.parametrize("tasks", [(True, True), (True, False), (False, True)], ids=["both", "contrast", "inpainting"])
def test_crops_are_compared_by_features_that_no_change_reaches(tasks):
    torch.manual_seed(0)
    sizes = {"in_channels": 1, "projected": 4, "width": 4}
    network = PretrainingNetwork(TinyEncoder(), contrast=tasks[0], inpainting=tasks[1], **sizes).eval()
    parts = torch.rand(2, 4, 32, 32)
    changed = torch.cat([parts[:, :3].flip(3), parts[:, 3:]], dim=1)
    with torch.no_grad():
        features = network(parts)["features"]
        assert torch.equal(network(changed)["features"], features)
        assert not torch.equal(network(changed.flip(2))["features"], features)
        assert "features" not in network(parts[:, :3])


def scored(score, features, sources):
    metric = FeatureScore(score)
    metric.reset()
    metric.update((torch.as_tensor(features), sources))
    return metric.compute()


def test_features_that_are_the_same_for_all_images_have_collapsed():
    generator = np.random.default_rng(0)
    sources = [f"{number // 4}" for number in range(64)]
    spread = generator.normal(size=(64, 16))
    same = np.ones((64, 16)) + 1e-4 * spread
    line = np.outer(generator.normal(size=64), np.ones(16))
    assert scored("collapse", spread, sources) < 0.7
    assert scored("collapse", same, sources) > 0.99
    assert scored("collapse", line, sources) > 0.9


def test_neighbours_of_random_features_are_chance():
    features = np.random.default_rng(0).normal(size=(400, 8))
    assert same_image_share(features, [f"{number // 4}" for number in range(400)]) < 0.05
    assert np.isnan(same_image_share(features, [str(number) for number in range(400)]))
    assert np.isnan(same_image_share(features, ["one image"] * 400))


@pytest.mark.parametrize(
    ("collapse", "neighbours", "warned"),
    [
        (0.999, [0.2, 0.4, 0.1], True),
        (0.999, [0.2, 0.2, 0.2], True),
        (0.999, [0.1, 0.4, 0.2], False),
        (0.9, [0.2, 0.1, 0.1], False),
        (float("nan"), [0.2, 0.1, 0.1], False),
    ],
    ids=["worse than before training", "as before", "better than before", "not the same", "unknown"],
)
@pytest.mark.parametrize("collapsed_before", [0.5, 0.9995])
def test_a_collapse_is_said_at_the_end(collapse, neighbours, warned, collapsed_before, caplog):
    trainer, evaluator = Engine(lambda *_: None), Engine(lambda *_: None)
    trainer.state.history = [{"epoch": 0, "collapse": collapsed_before, "neighbours": neighbours[0]}]
    warned = warned and collapsed_before < collapse

    def validate(engine):
        evaluator.state.metrics = {"collapse": collapse, "neighbours": neighbours[engine.state.epoch]}
        assert not caplog.text

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    CollapseWarning(evaluator).attach(trainer)
    with caplog.at_level(logging.WARNING):
        trainer.run([0], max_epochs=2)
    assert ("the features have collapsed: after epoch 2" in caplog.text) == warned
    assert ("(collapse 0.9990, 0.5000 before training" in caplog.text) == warned


def test_a_finished_run_that_is_resumed_says_nothing(caplog):
    trainer, evaluator = Engine(lambda *_: None), Engine(lambda *_: None)
    trainer.state.history = [{"epoch": 0, "collapse": 1.0, "neighbours": 0.0}]
    CollapseWarning(evaluator).attach(trainer)
    with caplog.at_level(logging.WARNING):
        trainer.run([0], max_epochs=1)
    assert not caplog.text
