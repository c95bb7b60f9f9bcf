"""The networks that the article compares with, as classes of PyTorch.

On images LeNet-5 (LeCun et al., Proc. IEEE 86, 2278 (1998)); on waveforms the sample-level CNN
(Kim, Lee, Nam, ICASSP 2018), in the article's size; on three axes C3D for clips and VoxNet for
voxels; on the vectors of words a recurrent CNN on an LSTM and a Transformer encoder. The embedding
is not theirs: all networks of a comparison get the same vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from network.baselines.pytorch import Product, nn, torch
from network.counting.architectures import c3d, c3d_plan, lenet5, sample_cnn, transformer, voxnet


class C3D(nn.Module):
    """C3D (Tran et al., ICCV 2015).

    Arguments of `network.counting.architectures.c3d`, and ``dropout`` after each dense layer
    but the last. The weights start normal with variance 2 / inputs (He et al., ICCV 2015).
    """

    def __init__(
        self,
        *,
        frames: int = 16,
        size: int = 112,
        width: int = 64,
        dense: int = 4096,
        channels: int = 3,
        classes: int = 10,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        # Refuses clips that are too small.
        c3d(frames=frames, size=size, width=width, dense=dense, channels=channels)
        self.channels = channels
        layers: list[Any] = []
        before, depth, edge = channels, frames, size
        plan = c3d_plan(width)
        for stage, (outputs, number) in enumerate(plan):
            for _ in range(number):
                layers += [nn.Conv3d(before, outputs, 3, padding=1), nn.ReLU()]
                before = outputs
            margin = int(stage == len(plan) - 1)
            pool = 1 if stage == 0 else 2
            layers.append(nn.MaxPool3d((pool, 2, 2), (pool, 2, 2), padding=(0, margin, margin)))
            depth, edge = depth // pool, (edge + 2 * margin) // 2
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(before * depth * edge**2, dense),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense, dense),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense, classes),
        )
        # Eight layers without a norm between them: PyTorch's own start lets the signal die out.
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, x: Any) -> Any:
        """Logits (batch, classes) of clips (batch, [channels,] frames, size, size)."""
        return self.classifier(self.features(x.reshape(len(x), self.channels, *x.shape[-3:])))


class VoxNet(nn.Module):
    """VoxNet (Maturana and Scherer, IROS 2015).

    Arguments of `network.counting.architectures.voxnet`, and ``dropout`` before the last layer; the
    original has 0.2 to 0.5 in three places.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        channels: int = 32,
        dense: int = 128,
        classes: int = 10,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        voxnet(size=size, channels=channels, dense=dense)  # refuses grids that are too small
        edge = ((size - 5) // 2 - 1) // 2
        self.features = nn.Sequential(
            nn.Conv3d(1, channels, 5, stride=2),
            nn.LeakyReLU(0.1),
            nn.Conv3d(channels, channels, 3),
            nn.LeakyReLU(0.1),
            nn.MaxPool3d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * edge**3, dense),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense, classes),
        )

    def forward(self, x: Any) -> Any:
        """Logits (batch, classes) of voxels (batch, [1,] size, size, size)."""
        return self.classifier(self.features(x.reshape(len(x), 1, *x.shape[-3:])))


class SampleCNN(nn.Module):
    """Convolutions of 3 on the samples.

    Arguments of `network.counting.architectures.sample_cnn`, and ``dropout`` before the last layer.
    """

    def __init__(
        self,
        *,
        samples: int = 1600,
        classes: int = 10,
        channels: Sequence[int] = (128, 128, 128, 256, 256),
        hidden: int = 512,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # Refuses waveforms that are too short.
        sample_cnn(samples=samples, classes=classes, channels=channels, hidden=hidden)
        layers, before, length = [], 1, (samples - 1) // 3 + 1
        for stage, after in enumerate(channels):
            layers += [
                nn.Conv1d(before, after, 3, stride=1 if stage else 3, padding=1, bias=False),
                nn.BatchNorm1d(after),
                nn.ReLU(),
                nn.MaxPool1d(3),
            ]
            before, length = after, length // 3
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(before * length, hidden, bias=False),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes, bias=False),
        )

    def forward(self, x: Any) -> Any:
        """Logits (batch, classes) of waveforms (batch, [1,] samples)."""
        return self.classifier(self.features(x.reshape(len(x), 1, -1)))


class LeNet5(nn.Module):
    """Two convolutions and three dense layers, with relu and the largest of 2 x 2.

    Arguments of `network.counting.architectures.lenet5`.
    """

    def __init__(self, *, size: int = 28, kernel: int = 3, classes: int = 10) -> None:
        super().__init__()
        lenet5(size=size, kernel=kernel, classes=classes)  # refuses images that are too small
        edge = ((size - kernel + 1) // 2 - kernel + 1) // 2
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, kernel),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * edge**2, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, classes),
        )

    def forward(self, x: Any) -> Any:
        """Logits (batch, classes) of images (batch, [1,] size, size)."""
        return self.classifier(self.features(x.reshape(len(x), 1, *x.shape[-2:])))


class BiLSTMRCNN(nn.Module):
    """Recurrent CNN (Lai et al., AAAI 2015).

    Arguments of `network.counting.architectures.bilstm_rcnn`, and ``dropout`` before the last
    layer; the network takes any number of ``words``.
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
    """Multi-head self-attention on vectors of length ``dimension``, which ``heads`` share."""

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

    Arguments of `network.counting.architectures.transformer`, and ``dropout`` after the attention
    and after the feed-forward layer.
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
