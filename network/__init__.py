"""What a table of alpha and beta can learn: networks with a layer of dynamical memristors.

The DDK layer of Shi et al., Nat. Commun. 16, 913 (2025), in networks that train on real data.

>>> import network
>>> net = network.ddk_network((28, 28), [48], 10, seed=0)
>>> history = network.train(net, x, y, validation=0.1, epochs=30, batch_size=128)
>>> network.DDKClassifier(hidden=(16,)).fit(X, y).score(X, y)

Everything here is loaded on first use: the package needs no finite-element stack and no PyTorch,
and its import takes no time. The commands of ``ddk-network`` are in `ddk.cli`, since some of them
need simulations, too.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
