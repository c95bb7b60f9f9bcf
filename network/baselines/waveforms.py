"""Sample-level CNN on waveforms (Kim, Lee, Nam, ICASSP 2018), in the article's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from network.baselines.pytorch import nn
from network.counting.architectures import sample_cnn

__all__ = ["SampleCNN"]


class SampleCNN(nn.Module):
    """Convolutions of 3 on the samples; see `network.counting.architectures.sample_cnn`.

    Parameters
    ----------
    samples : int, default 1600
        Length of the waveform.
    classes : int, default 10
        Number of outputs.
    channels : sequence of int, default (128, 128, 128, 256, 256)
        Channels of the convolutions.
    hidden : int, default 512
        Width of the dense layer before the last.
    dropout : float, default 0.0
        Dropout before the last layer.
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
