"""Many pulse trains: a campaign is run on many processes into one zarr store, and taken up again.

>>> from devicephys import campaign
>>> outcome = campaign.run(campaign.Campaign.from_file("fig2b-small"), "fig2b.zarr", workers=2)
>>> table = campaign.open_store("fig2b.zarr")

A script that calls ``run`` needs ``if __name__ == "__main__":``, because every worker process
reads the script again. File format, layout and restarts: ``docs/campaigns.md``.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
