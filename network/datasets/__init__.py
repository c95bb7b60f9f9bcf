"""Data sets of the field, by name or by folder.

>>> from network import datasets
>>> digits = datasets.load("digits")                       # needs no file
>>> news = datasets.load("ag_news", root="data")           # or set DDK_DATA
>>> mine = datasets.load("recordings/by_species")          # any folder with one folder a class
>>> table = datasets.load("plants.csv", label="species")   # series: .ts, .arff, tables; archives
>>> part = datasets.split(mine, seed=1)                    # recordings stay whole

===============  ====================================================  ===============
name             samples                                               fold
===============  ====================================================  ===============
digits           8 x 8 pixels; comes with scikit-learn                 none
voices           synthetic speakers, computed                          none
speakers         LibriSpeech or Speakers in the Wild, utterances       none
speaker_vectors  128 values by position, from the article's authors    the authors'
spoken_digits    32 bands x 48 frames, ten digits by six speakers      official
mnist            28 x 28 pixels (also "fashion")                       official
ag_news          64 words x 300                                        official
actions          16 frames of 60 x 80 pixels, Weizmann or UCF-101      UCF's official
voxels           ModelNet10, 32 x 32 x 32                              official
whales           8 utterances x 100                                    the two sources
===============  ====================================================  ===============

Nothing is fetched from anywhere. A file that is missing or damaged is a `StorageError` of one line
that names it and says where to get the data.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
