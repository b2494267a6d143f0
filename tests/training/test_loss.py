"""Losses of a population against PyTorch's own."""

import torch
import torch.nn.functional as F  # noqa: N812

from assay.training.loss import loss_weights, sample_losses

LOGITS = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0]])


def test_softmax_form_equals_cross_entropy():
    for smoothing in (0.0, 0.1):
        losses = sample_losses(LOGITS, Y, label_smoothing=smoothing)
        found = (losses * loss_weights(None, losses.shape)).sum(dim=1)
        for member_idx in range(2):
            expected = F.cross_entropy(LOGITS[member_idx], Y[member_idx], label_smoothing=smoothing)
            torch.testing.assert_close(found[member_idx], expected)


def test_sigmoid_form_equals_softmax_of_two_logits():
    z = LOGITS[:, :, :1]
    y = Y.clamp(max=1)
    both = torch.cat([torch.zeros_like(z), z], dim=2)
    for smoothing in (0.0, 0.2):
        torch.testing.assert_close(
            sample_losses(z, y, label_smoothing=smoothing),
            sample_losses(both, y, label_smoothing=smoothing),
        )


def test_weights_make_a_weighted_mean():
    losses = torch.tensor([[1.0, 2.0, 6.0]])
    for weight, mean in (([1.0, 1.0, 0.0], 1.5), ([0.0, 0.0, 0.0], 0.0), ([2.0, 1.0, 1.0], 2.5)):
        weights = loss_weights(torch.tensor([weight]), (1, 3))
        assert (losses * weights).sum().item() == mean
