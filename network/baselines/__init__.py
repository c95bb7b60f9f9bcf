"""The networks that the article compares with, in PyTorch: built, counted and trained.

Layers that are compared with the DDK layer at the same size are in `network.layers.baselines`.

>>> from network import baselines
>>> trained = baselines.train("lenet5", x, y, validation=0.1, seed=0, epochs=10, time_limit=300)
>>> trained.accuracy(x_test, y_test), trained.history, trained.count

PyTorch is loaded on first use only (``pip install 'ddk-toolkit[torch]'``). The same structures are
counted without it in `network.counting.architectures`.

============  =====================================  =====================================
name          network                                sample
============  =====================================  =====================================
samplecnn     sample-level CNN                       waveform (samples,)
lenet5        LeNet-5 with 3 x 3 kernels             image (size, size)
lstm          recurrent CNN on a bidirectional LSTM  text (words, dimension)
transformer   Transformer encoder                    text (words, dimension)
c3d           C3D                                    clip ([channels,] frames, size, size)
voxnet        VoxNet                                 voxels (size, size, size)
============  =====================================  =====================================
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
