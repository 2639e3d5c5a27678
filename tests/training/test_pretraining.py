"""The loss of pretraining, and the warning about collapsed features."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.losses import ContrastiveLoss

from cellseg_monai.errors import BundleError
from cellseg_monai.metrics import FeatureScore
from cellseg_monai.networks import pretraining_network, smp_model, unet
from cellseg_monai.scores import same_image_share
from cellseg_monai.training import CollapseWarning, PretrainingLoss

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
    [(0.999, [0.2, 0.1], True), (0.999, [0.1, 0.2], False), (0.9, [0.2, 0.1], False), (float("nan"), [0, 0], False)],
)
def test_a_collapse_is_said_at_the_end(collapse, neighbours, warned, caplog):
    trainer, evaluator = Engine(lambda *_: None), Engine(lambda *_: None)
    evaluator.state = SimpleNamespace(epoch=0, metrics={})

    def validate(engine):
        epoch = engine.state.epoch
        evaluator.state = SimpleNamespace(
            epoch=epoch, metrics={"collapse": collapse, "neighbours": neighbours[epoch - 1]}
        )

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    CollapseWarning(evaluator).attach(trainer)
    with caplog.at_level(logging.WARNING):
        trainer.run([0], max_epochs=2)
    assert ("the features have collapsed" in caplog.text) == warned
