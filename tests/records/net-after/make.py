import network
from network import datasets

d = datasets.load("digits")
x, y = d.x[:600], d.y[:600]
net = network.ddk_network(
    (8, 8),
    [4],
    10,
    seed=3,
    standardise=False,
    ddk={
        "states": "after",
        "integrator": "explicit",
        "form": "reset",
        "constraint": "clamp",
        "per": "step",
        "banks": 2,
        "readout": 2,
    },
)
h = network.train(net, x, y, validation=0.1, epochs=3, batch_size=64, seed=3)
net.notes = {"task": "digits", "seed": 3, "classes": list(d.classes)}
net.save("net-after/model.npz", overwrite=True)
h.save("net-after/history.nc", overwrite=True)
s = network.ddk_network(
    (8, 8),
    [4],
    10,
    seed=4,
    dtype="float64",
    ddk={"form": "set", "states": "after", "constraint": "stable", "integrator": "exact"},
)
network.train(s, x[:200], y[:200], epochs=2, batch_size=64, seed=4)
s.save("net-after/set.npz", overwrite=True)
