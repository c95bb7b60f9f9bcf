"""The DDK layer in PyTorch: a `torch.nn.Module` whose states and gradients come from our kernels.

>>> from network.pytorch import DDKModule
>>> model = torch.nn.Sequential(DDKModule(28, 28), torch.nn.Flatten(), torch.nn.Linear(784, 10))

PyTorch is loaded on first use only (``pip install 'ddk-toolkit[torch]'``).
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
