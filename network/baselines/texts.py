"""Networks on the vectors of words: recurrent CNN on an LSTM, and a Transformer encoder.

The embedding is not theirs: all networks of a comparison get the same vectors.
"""

from __future__ import annotations

from typing import Any

from network.baselines.pytorch import Product, nn, torch
from network.counting.architectures import transformer

__all__ = ["Attention", "BiLSTMRCNN", "Transformer"]


class BiLSTMRCNN(nn.Module):
    """Recurrent CNN (Lai et al., AAAI 2015); see `network.counting.architectures.bilstm_rcnn`.

    Parameters
    ----------
    words : int, default 64
        Words of a text; the network takes any number of them.
    dimension : int, default 300
        Length of the vector of a word.
    hidden : int, default 512
        Width of the state of each direction.
    dense : int, default 512
        Width of the layer before the maximum over the words.
    classes : int, default 4
        Number of outputs.
    dropout : float, default 0.0
        Dropout before the last layer.
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


class Attention(nn.Module):
    """Multi-head self-attention.

    Parameters
    ----------
    dimension : int
        Length of the vectors.
    heads : int
        Number of heads that share the dimension.
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
        # products of unit variance in, products of unit variance out: hence the root of the length
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
    """Transformer encoder (Vaswani et al., NeurIPS 2017) with sines for the positions of the words.

    Parameters
    ----------
    words : int, default 64
        Words of a text.
    dimension : int, default 300
        Length of the vector of a word.
    heads : int, default 5
        Number of heads of the attention.
    hidden : int, default 1024
        Width of the feed-forward layer.
    layers : int, default 6
        Number of encoder layers.
    classes : int, default 4
        Number of outputs.
    shared : bool, default False
        Whether all layers use the same weights.
    dropout : float, default 0.1
        Dropout after the attention and after the feed-forward layer.
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
        position = torch.arange(words)[:, None]
        rate = 10000.0 ** (-2.0 * (torch.arange(dimension) // 2) / dimension)
        angle = position * rate
        odd = torch.arange(dimension) % 2 == 1
        self.register_buffer("places", torch.where(odd, torch.cos(angle), torch.sin(angle)))

    def forward(self, x: Any) -> Any:
        """Logits (batch, classes) of texts (batch, words, dimension)."""
        x = x + self.places
        for layer in self.layers:
            x = layer(x)
        return self.classifier(x.flatten(1))
