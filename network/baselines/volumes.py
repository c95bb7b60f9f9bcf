"""Networks on three axes: C3D on clips, VoxNet on voxels."""

from __future__ import annotations

from typing import Any

from network.baselines.pytorch import nn
from network.counting.architectures import c3d, c3d_plan, voxnet

__all__ = ["C3D", "VoxNet"]


class C3D(nn.Module):
    """C3D (Tran et al., ICCV 2015); see `network.counting.architectures.c3d`.

    The weights start normal with variance 2 / inputs (He et al., ICCV 2015).

    Parameters
    ----------
    frames : int, default 16
        Frames of a clip.
    size : int, default 112
        Edge of a frame.
    width : int, default 64
        Channels of the first convolution.
    dense : int, default 4096
        Width of the two dense layers.
    channels : int, default 3
        Number of channels of the clip.
    classes : int, default 10
        Number of outputs.
    dropout : float, default 0.5
        Dropout after each dense layer but the last.
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
    """VoxNet (Maturana and Scherer, IROS 2015); see `network.counting.architectures.voxnet`.

    Parameters
    ----------
    size : int, default 32
        Edge of the grid of voxels.
    channels : int, default 32
        Channels of both convolutions.
    dense : int, default 128
        Width of the dense layer.
    classes : int, default 10
        Number of outputs.
    dropout : float, default 0.0
        Dropout before the last layer; the original has 0.2 to 0.5 in three places.
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
