"""What a table of alpha and beta can learn: networks with a layer of dynamical memristors.

This package will hold the DDK layer of Shi et al., Nat. Commun. 16, 913 (2025), networks and a
scikit-learn estimator around it, features and data sets, models of the hardware it runs on, and
training. It holds nothing yet.
"""

__all__: list[str] = []
