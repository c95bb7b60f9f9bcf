"""The classifier of `hardware.py` in IBM aihwkit; run by a Python that has it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np


def main(path: str) -> None:
    import aihwkit
    import torch
    from aihwkit.nn.conversion import convert_to_analog
    from aihwkit.optim import AnalogSGD
    from aihwkit.simulator.configs import InferenceRPUConfig
    from aihwkit.simulator.configs.utils import WeightModifierType, WeightNoiseType

    torch.set_num_threads(1)
    d = np.load(path, allow_pickle=False)
    f, y, ft, yt = (torch.tensor(d[k]) for k in ("f", "y", "ft", "yt"))
    w1, b1, w2, b2 = (torch.tensor(d[k]) for k in ("w1", "b1", "w2", "b2"))
    sigma, bits = float(d["sigma"]), int(d["bits"])

    def config() -> Any:
        found = InferenceRPUConfig()
        found.forward.inp_res = found.forward.out_res = 1 / (2**bits - 2)
        found.forward.out_noise = found.forward.inp_noise = 0.0
        found.forward.w_noise_type = WeightNoiseType.NONE
        found.modifier.type = WeightModifierType.ADD_NORMAL
        found.modifier.std_dev = sigma
        found.modifier.rel_to_actual_wmax = True
        return found

    def network() -> Any:
        made = torch.nn.Sequential(
            torch.nn.Linear(*w1.shape), torch.nn.Sigmoid(), torch.nn.Linear(*w2.shape)
        )
        with torch.no_grad():
            for layer, weight, bias in ((made[0], w1, b1), (made[2], w2, b2)):
                layer.weight.copy_(weight.T)
                layer.bias.copy_(bias)
        return convert_to_analog(made, config())

    def score(made: Any) -> float:
        right = []
        for seed in range(int(d["chips"])):
            torch.manual_seed(seed)
            chip = network()
            for k in (0, 2):
                weight, bias = made[k].get_weights()
                error = sigma * weight.abs().max() * torch.randn(weight.shape)
                chip[k].set_weights(weight + error, bias)
            chip.eval()
            with torch.no_grad():
                right.append((chip(ft).argmax(1) == yt).float().mean().item())
        return float(np.mean(right))

    made = network()
    made.eval()
    start = time.perf_counter()
    plain = score(made)
    chips = time.perf_counter() - start
    made.train()
    optimiser = AnalogSGD(made.parameters(), lr=0.05, momentum=0.9)
    optimiser.regroup_param_groups(made)
    loss = torch.nn.CrossEntropyLoss()
    start = time.perf_counter()
    for _ in range(int(d["epochs"])):
        optimiser.zero_grad()
        loss(made(f), y).backward()
        optimiser.step()
    training = time.perf_counter() - start
    told = {"plain": plain, "tuned": score(made), "training": training, "chips": chips}
    print(json.dumps({**told, "version": aihwkit.__version__}))


if __name__ == "__main__":
    main(sys.argv[1])
