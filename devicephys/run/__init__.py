"""A simulation in a folder of its own: claimed, logged, resumed, drawn, reported.

>>> from devicephys import PulseTrain, Settings, load_device, run
>>> request = run.Request(
...     load_device("tin-taox-hfox-tin"), PulseTrain(count=20), Settings.preset("quick")
... )
>>> outcome = run.start("runs/train", request)  # doctest: +SKIP
>>> run.table(outcome.dataset).rows  # doctest: +SKIP

The folder holds the record, its pictures, a report, the request and a log; `resume` goes on with
a run that was stopped or killed, `redraw` makes the pictures again.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
