"""Networks on the vectors of words: recurrent CNN on an LSTM, and a Transformer encoder.

The embedding is not theirs: all networks of a comparison get the same vectors.
"""

from __future__ import annotations

from typing import Any

from network.baselines.pytorch import nn, torch
from network.counting.architectures import transformer

__all__ = ["Attention", "BiLSTMRCNN", "Product", "Transformer"]


class BiLSTMRCNN(nn.Module):
    """Recurrent CNN (Lai et al., AAAI 2015); see `network.counting.architectures.bilstm_rcnn`.

    Parameters
    ----------
    words, dimension : of a text and of the vector of a word; the network takes any number of words.
    hidden : state of each direction.
    dense : width of the layer before the maximum over the words.
    classes : outputs.
    dropout : before the last layer.
    """

    def __init__(
        self,
        *,
        words: int = 64,
        dimension: int = 300,
        hidden: int = 512,
        dense: int = 512,
        classes: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimension, hidden, batch_first=True, bidirectional=True)
        self.join = nn.Linear(2 * hidden + dimension, dense)
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(dense, classes)

    def forward(self, x: Any) -> Any:
        """Logits (batch, classes) of texts (batch, words, dimension)."""
        states, _ = self.lstm(x)
        joined = torch.tanh(self.join(torch.cat((states, x), dim=-1)))
        return self.classifier(self.drop(joined.amax(dim=1)))


class Product(nn.Module):
    """A product of two batches of matrices; a layer of its own so that it is counted."""

    def forward(self, left: Any, right: Any) -> Any:
        """left @ right."""
        return left @ right


class Attention(nn.Module):
    """Multi-head self-attention.

    Parameters
    ----------
    dimension : of the vectors.
    heads : that share it.
    """

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dimension, dimension)
        self.key = nn.Linear(dimension, dimension)
        self.value = nn.Linear(dimension, dimension)
        self.output = nn.Linear(dimension, dimension)
        self.scores, self.mixture = Product(), Product()

    def forward(self, x: Any) -> Any:
        """(batch, words, dimension) to the same."""
        batch, words, dimension = x.shape
        query, key, value = (
            layer(x).reshape(batch, words, self.heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = self.scores(query, key.transpose(2, 3)) / (dimension / self.heads) ** 0.5
        mixed = self.mixture(torch.softmax(scores, dim=-1), value)
        return self.output(mixed.transpose(1, 2).reshape(batch, words, dimension))


class _Encoder(nn.Module):
    def __init__(self, dimension: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(dimension, heads)
        self.forward_layers = nn.Sequential(
            nn.Linear(dimension, hidden), nn.ReLU(), nn.Linear(hidden, dimension)
        )
        self.norms = nn.ModuleList([nn.LayerNorm(dimension), nn.LayerNorm(dimension)])
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Any) -> Any:
        x = self.norms[0](x + self.drop(self.attention(x)))
        return self.norms[1](x + self.drop(self.forward_layers(x)))


class Transformer(nn.Module):
    """Transformer encoder (Vaswani et al., NeurIPS 2017) with sines for the places of the words.

    Parameters
    ----------
    words, dimension : of a text and of the vector of a word.
    heads : of the attention.
    hidden : width of the feed-forward layer.
    layers : encoder layers.
    classes : outputs.
    shared : whether all layers use the same weights.
    dropout : after attention and feed-forward layer.
    """

    def __init__(
        self,
        *,
        words: int = 64,
        dimension: int = 300,
        heads: int = 5,
        hidden: int = 1024,
        layers: int = 6,
        classes: int = 4,
        shared: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        transformer(words=words, dimension=dimension, heads=heads)  # refuses odd heads
        distinct = [
            _Encoder(dimension, heads, hidden, dropout) for _ in range(1 if shared else layers)
        ]
        self.layers = nn.ModuleList(distinct * layers if shared else distinct)
        self.classifier = nn.Linear(words * dimension, classes)
        place = torch.arange(words)[:, None]
        rate = 10000.0 ** (-2.0 * (torch.arange(dimension) // 2) / dimension)
        angle = place * rate
        odd = torch.arange(dimension) % 2 == 1
        self.register_buffer("places", torch.where(odd, torch.cos(angle), torch.sin(angle)))

    def forward(self, x: Any) -> Any:
        """Logits (batch, classes) of texts (batch, words, dimension)."""
        x = x + self.places
        for layer in self.layers:
            x = layer(x)
        return self.classifier(x.flatten(1))
