"""LeNet-5 on images (LeCun et al., Proc. IEEE 86, 2278 (1998))."""

from __future__ import annotations

from typing import Any

from network.baselines.pytorch import nn
from network.counting.architectures import lenet5

__all__ = ["LeNet5"]


class LeNet5(nn.Module):
    """Two convolutions and three dense layers, with relu and the largest of 2 x 2.

    Parameters
    ----------
    size : int, default 28
        Edge of the image.
    kernel : int, default 3
        Edge of both kernels.
    classes : int, default 10
        Number of outputs.
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
