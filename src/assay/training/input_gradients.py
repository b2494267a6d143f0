"""The learned part of the inputs, embeddings and scale, with its gradients.

Comes in: encoded rows. Goes out: what the first layer multiplies, and later the gradients
of embeddings and scale.
"""

import torch
from torch import Tensor

from assay.nn.network import Encoded, Network
from assay.training.room import Room

_LEAST = 1e-30  # is lost in any scale but 0, whose gradient it makes 0


class InputLayer:
    """What a network does before its first layer, forward and backward.

    The first layer multiplies a = c s x, with a scale s and its gain c, by its weights W.
    The gradient of W, dW = a' g, holds the one of the scale: the sum of W dW over units is
    s times it. That spares the product of g and W, and two passes over its result.

    Args:
        network: On its device.

    Attributes:
        factor: Of the first layer's product: its gain, or 1 where the scale takes it in.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._first = network.body.linears()[0]
        self._is_embedded = network.categorical.n_embedded > 0
        self._is_scaled = network.input_scale.requires_grad
        self.factor = 1.0 if self._is_scaled else self._first.gain
        self._n_features = network.n_inputs
        if self._is_embedded:
            self._n_features -= network.categorical.n_embedded * network.embedding.shape[2]
            self._embedding_grad = torch.zeros_like(network.embedding)
        if self._is_scaled:
            self._scale_grad = torch.zeros_like(network.input_scale)
            self._summed = torch.zeros_like(self._first.weight)
        self._factors = torch.empty(0)  # of the inputs, c s, shape (K, 1, F)
        self._found = (torch.empty(0), torch.empty(0))  # see Network.find
        self._room = Room(self._first.weight, width=network.n_inputs)

    def forward(self, inputs: Encoded) -> Tensor:
        """Return the inputs of the first layer, shape (K, B, F)."""
        if not self._is_scaled and not self._is_embedded:
            return inputs.features
        network, n_samples = self._network, inputs.features.shape[1]
        x = self._room.of(n_samples)
        if self._is_scaled:
            self._factors = (network.input_scale * self._first.gain).unsqueeze(1)
        self._fill(x, slice(self._n_features), inputs.features)
        if self._is_embedded:
            self._found = network.find(inputs.rows)
            vectors = network.vectors(*self._found).view(network.n_members, n_samples, -1)
            self._fill(x, slice(self._n_features, None), vectors)
        return x

    def _fill(self, x: Tensor, columns: slice, values: Tensor) -> None:
        if self._is_scaled:
            torch.mul(values, self._factors[:, :, columns], out=x[:, :, columns])
        else:
            x[:, :, columns] = values

    def backward(self, gradient: Tensor, weight_gradient: Tensor) -> None:
        """Set the gradients of scale and embeddings.

        Args:
            gradient: By the sums of the first layer's units, shape (K, B, D).
            weight_gradient: By the first layer's weights, shape (K, F, D).
        """
        network, weight = self._network, self._first.weight
        if self._is_scaled:
            torch.mul(weight, weight_gradient, out=self._summed)
            torch.sum(self._summed, dim=2, out=self._scale_grad)
            self._scale_grad.div_(network.input_scale + _LEAST)
            network.input_scale.grad = self._scale_grad
        if self._is_embedded:
            columns = slice(self._n_features, None)
            vectors = torch.bmm(gradient, weight[:, columns].transpose(1, 2))
            vectors.mul_(self._factors[:, :, columns] if self._is_scaled else self.factor)
            places, is_known = self._found
            width = network.embedding.shape[2]
            table = self._embedding_grad.zero_().view(-1, width)
            table.index_add_(0, places, vectors.view(-1, width).mul_(is_known))
            network.embedding.grad = self._embedding_grad
