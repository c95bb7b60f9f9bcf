"""The DDK layer as a module of PyTorch: the layer's own numbers, gradients, and what is refused."""

from __future__ import annotations

import copy
import importlib.util
import io
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.ddk.constraints import Clamp, Reachable, Stable
from network.ddk.layer import DDKLayer
from network.layers.plain import Dense, Flatten
from network.model.network import Network
from network.model.optimisers import SGD
from network.model.trainer import train
from network.pytorch import __all__ as names

if importlib.util.find_spec("torch") is not None:
    import torch
    from torch.func import functional_call

    from network.pytorch import DDKModule
    from network.pytorch.module import Pair
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed (pip install 'ddk-toolkit[torch]')",
)

#: options of layers of 12 steps and channels (2, 3)
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "banks": {"banks": 3, "per": "channel", "form": "set"},
    "read once": {"readout": "last", "per": "step", "states": "before"},
    "read seldom": {"readout": 4, "banks": 2, "dt": 0.7, "initial": 1.3},
    "explicit": {"integrator": "explicit", "constraint": Stable(r=0.598), "per": "channel-step"},
    "exact": {"integrator": "exact", "constraint": Clamp(0.01, 2.0)},
    "numpy": {"backend": "numpy", "readout": 3},
}
SHAPE = (5, 2, 3, 12)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def layer_of(options: dict[str, Any], rng: np.random.Generator, kind: str = "float64") -> DDKLayer:
    """A layer whose pairs all differ."""
    layer = DDKLayer(12, (2, 3), alpha=0.6, beta=0.4, spread=0.2, rng=rng, **options)
    for key, value in layer.parameters.items():
        layer.parameters[key] = value.astype(kind)
    return layer


def test_pytorch_is_loaded_on_use_and_missed_in_one_line() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import network, network.pytorch\n"
        "try:\n    network.pytorch.DDKModule\n"
        "except ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("InstallationError PyTorch is not installed")
    assert "ddk-toolkit[torch]" in line
    assert names == ["DDKModule"]


@needs_torch
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIONS)
def test_states_and_gradients_are_the_layers_to_the_last_bit(
    name: str, kind: str, rng: np.random.Generator
) -> None:
    layer = layer_of(OPTIONS[name], rng, kind)
    module = DDKModule.from_layer(layer)
    x = rng.random(SHAPE).astype(kind)
    samples = torch.tensor(x, requires_grad=True)
    y = module(samples)
    expected = layer.forward(x, training=True)
    assert y.dtype == samples.dtype
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    gradient = rng.standard_normal(expected.shape).astype(kind)
    y.backward(torch.from_numpy(gradient))
    np.testing.assert_array_equal(samples.grad.numpy(), layer.backward(gradient))
    for key in ("alpha", "beta"):
        raw = getattr(module, f"raw_{key}")
        assert raw.dtype == samples.dtype
        np.testing.assert_array_equal(raw.grad.numpy(), layer.gradients[key])
        assert np.abs(layer.gradients[key]).max() > 0
        np.testing.assert_array_equal(getattr(module, key).numpy(), getattr(layer, key))


@needs_torch
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "exact"])
def test_gradients_pass_the_check_of_pytorch(name: str, rng: np.random.Generator) -> None:
    module = DDKModule.from_layer(layer_of(OPTIONS[name], rng))
    x = torch.tensor(rng.random(SHAPE)[:2], requires_grad=True)

    def states(x: Any, raw_alpha: Any, raw_beta: Any) -> Any:
        return functional_call(module, {"raw_alpha": raw_alpha, "raw_beta": raw_beta}, (x,))

    assert torch.autograd.gradcheck(states, (x, module.raw_alpha, module.raw_beta))


@needs_torch
def test_gradients_of_the_pair_pass_the_check_of_pytorch() -> None:
    module = DDKModule(4, 3, per="channel", constraint=Stable(), dtype=torch.float64)
    raw = [raw.detach().requires_grad_() for raw in (module.raw_alpha, module.raw_beta)]
    assert torch.autograd.gradcheck(lambda *raw: Pair.apply(*raw, Stable()), raw)
    alpha, beta = module.pair()
    (alpha + beta.square()).sum().backward()
    alpha, beta = Pair.apply(*raw, Stable())
    (alpha + beta.square()).sum().backward()
    assert torch.equal(module.raw_alpha.grad, raw[0].grad)
    assert torch.equal(module.raw_beta.grad, raw[1].grad)


@needs_torch
def test_any_memory_is_read_where_it_lies(rng: np.random.Generator) -> None:
    module = DDKModule(12, 3)
    whole = torch.tensor(rng.random((12, 7, 3)), dtype=torch.float32)
    strided = whole.permute(1, 2, 0)
    expected = module(strided.contiguous())
    assert torch.equal(module(strided), expected)
    x = strided.clone().requires_grad_()
    module(x).sum().backward()  # the gradient of a sum has strides of 0
    other = strided.contiguous().requires_grad_()
    module(other).backward(torch.ones(7, 3, 12))
    torch.testing.assert_close(x.grad, other.grad, rtol=1e-6, atol=0)
    imaginary = torch.complex(whole, whole.flip(0)).conj().imag  # negated on reading
    assert torch.equal(module(-imaginary.permute(1, 2, 0)), module(whole.flip(0).permute(1, 2, 0)))
    assert module(torch.zeros(0, 3, 12)).shape == (0, 3, 12)


@needs_torch
def test_gradients_add_up_over_calls_and_uses(rng: np.random.Generator) -> None:
    module = DDKModule(12, 6, dtype=torch.float64)
    x = torch.tensor(rng.random((8, 6, 12)))
    module(x).square().sum().backward()
    at_once = module.raw_beta.grad.clone()
    module.zero_grad()
    first, second = module(x[:3]), module(x[3:])  # both graphs are alive
    second.square().sum().backward()
    first.square().sum().backward()
    torch.testing.assert_close(module.raw_beta.grad, at_once, rtol=1e-12, atol=0)


@needs_torch
def test_what_is_frozen_or_not_asked_for_has_no_gradient() -> None:
    module = DDKModule(6).requires_grad_(False)
    x = torch.rand(2, 6, requires_grad=True)
    module(x).sum().backward()
    assert module.raw_alpha.grad is None
    assert x.grad.abs().min() > 0
    assert not module(x.detach()).requires_grad
    module.requires_grad_(True)
    with torch.no_grad():
        assert not module(x).requires_grad
    assert torch.equal(module.eval()(x), module.train()(x))


@needs_torch
def test_a_written_over_tensor_is_noticed() -> None:
    module = DDKModule(6, banks=2, readout=2)
    x = torch.rand(3, 6)
    y = module(x)
    y += 1  # not the states that are read on the way back
    y.sum().backward()
    expected = module.raw_beta.grad.clone()
    module.zero_grad()
    module(x).sum().backward()
    assert torch.equal(module.raw_beta.grad, expected)
    once = DDKModule(6)
    for spoiled in ("samples", "states"):
        y = once(x)
        (x if spoiled == "samples" else y).add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


@needs_torch
def test_second_derivatives_are_refused_and_not_zero() -> None:
    module = DDKModule(6)
    x = torch.rand(3, 6, requires_grad=True)
    (slope,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    with pytest.raises(InputError, match="differentiated once"):
        (slope.square().sum() + x.sum()).backward()
    with pytest.raises(InputError, match="differentiated once"):
        torch.autograd.functional.hessian(lambda v: module(v).sum(), x.detach())
    alpha, _ = module.pair()
    (slope,) = torch.autograd.grad(alpha.sum(), module.raw_alpha, create_graph=True)
    with pytest.raises(InputError, match="differentiated once"):
        slope.sum().backward()


@needs_torch
def test_a_classifier_learns_as_with_our_trainer(rng: np.random.Generator) -> None:
    x, y = rng.random((60, 12)), np.arange(60) % 3
    x[:, 3:6] *= 1 + y[:, None]
    layers = [DDKLayer(12), Flatten(), Dense(3)]
    ours = Network(layers, (12,), 3, np.random.default_rng(2), dtype="float64")
    linear = torch.nn.Linear(12, 3, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(layers[2].parameters["weight"].T))
        linear.bias.copy_(torch.tensor(layers[2].parameters["bias"]))
    module = DDKModule.from_layer(layers[0])
    model = torch.nn.Sequential(module, torch.nn.Flatten(), linear)
    groups = [
        {"params": module.parameters(), "lr": 0.2 * module.rate},
        {"params": linear.parameters(), "lr": 0.2},
    ]
    optimiser = torch.optim.SGD(groups, momentum=0.9)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    history = train(ours, x, y, epochs=30, optimiser=SGD(0.2, momentum=0.9))
    np.testing.assert_allclose(losses, history["loss"], rtol=1e-10)
    assert losses[-1] < 0.8 * losses[0]
    for key in ("alpha", "beta"):
        raw = getattr(module, f"raw_{key}").detach().numpy()
        np.testing.assert_allclose(raw, layers[0].parameters[key], rtol=1e-9)
    assert module.beta.item() != pytest.approx(1.0, rel=1e-3)


@needs_torch
@pytest.mark.parametrize("name", OPTIONS)
def test_there_and_back_is_the_same_layer(name: str, rng: np.random.Generator) -> None:
    layer = layer_of(OPTIONS[name] | {"name": "front"}, rng, "float32")
    before = {key: value.copy() for key, value in layer.parameters.items()}
    module = DDKModule.from_layer(layer)
    with torch.no_grad():
        module.raw_beta += 0.1
    back = module.to_layer()
    x = rng.random(SHAPE).astype("float32")
    np.testing.assert_array_equal(back.forward(x), module(torch.from_numpy(x)).detach().numpy())
    assert not np.array_equal(back.forward(x), layer.forward(x))
    np.testing.assert_array_equal(layer.parameters["beta"], before["beta"])
    assert back.name == "front"
    assert back.parameters["alpha"].dtype == np.float32
    # a network builds its layers anew: it starts from what was learnt
    built = Network([module.to_layer(), Flatten(), Dense(2)], SHAPE[1:], 2, rng).layer("front")
    np.testing.assert_allclose(built.forward(x), back.forward(x), rtol=1e-6)


@needs_torch
def test_states_pickles_and_copies(rng: np.random.Generator) -> None:
    module = DDKModule(12, 3, per="channel", banks=2, spread=0.3, rng=rng)
    x = torch.rand(4, 3, 12)
    twin = DDKModule(12, 3, per="channel", banks=2)
    assert not torch.equal(twin(x), module(x))
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(twin(x), module(x))
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(x), module(x))
        other.set_pair(0.1, 0.2)
        assert not torch.equal(other(x), module(x))
    assert module.double().raw_alpha.dtype == torch.float64
    assert module(x).dtype == torch.float32
    other = DDKModule(12, 3, per="channel", banks=2, constraint="clamp")
    with pytest.raises(InputError, match=r'constraint \{"kind": "positive"\}'):
        other.load_state_dict(twin.state_dict())


@needs_torch
def test_starts_pairs_and_constraints() -> None:
    module = DDKModule(12, 3, per="channel", alpha=0.3, beta=[[0.1], [0.2], [0.4]])
    np.testing.assert_allclose(module.beta.numpy().ravel(), [0.1, 0.2, 0.4], rtol=1e-6)
    module.set_pair(torch.tensor(0.5), np.array([[0.3], [0.6], [0.9]]))
    np.testing.assert_allclose(module.alpha.numpy().ravel(), [0.5] * 3, rtol=1e-6)
    np.testing.assert_allclose(module.beta.numpy().ravel(), [0.3, 0.6, 0.9], rtol=1e-6)
    np.testing.assert_allclose(
        module.stability().r.ravel(), 0.5 / np.array([0.3, 0.6, 0.9]) ** 2, rtol=1e-5
    )
    clamped = DDKModule(12, constraint=Clamp(0.1, 1.0))
    with torch.no_grad():
        clamped.raw_beta.fill_(3.0)  # where an optimiser may have put it
    clamped(torch.rand(2, 12)).sum().backward()
    assert clamped.beta.item() == 1
    assert clamped.raw_beta.item() == 1
    assert clamped.raw_beta.grad.item() != 0
    region = Reachable.from_triangles([[[0.1, 0.1], [0.2, 0.1], [0.1, 0.3]]])
    reached = DDKModule(12, constraint=region, alpha=5.0, beta=0.1)
    assert (reached.alpha.item(), reached.beta.item()) == pytest.approx((0.2, 0.1), rel=1e-6)
    assert "12, None, per='network'" in repr(reached)
    authors = DDKModule(12, start="authors", rng=np.random.default_rng(3))
    assert 0.001 <= authors.alpha.item() <= 1


@needs_torch
def test_torch_compile_goes_round_the_layer() -> None:
    model = torch.nn.Sequential(torch.compiler.disable(DDKModule(6)), torch.nn.Linear(6, 2))
    compiled = torch.compile(model, backend="eager")
    x = torch.rand(4, 6)
    assert torch.equal(compiled(x), model(x))


@needs_torch
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (lambda: np.ones((2, 6)), "a ndarray and no tensor"),
        (lambda: torch.ones(6), r"shape \(6,\) and not \(batch, 6\)"),
        (lambda: torch.ones(2, 1, 6), r"shape \(2, 1, 6\) and not"),
        (lambda: torch.ones(2, 7), r"shape \(2, 7\) and not \(batch, 6\)"),
        (lambda: torch.ones(2, 6, dtype=torch.int64), "torch.int64, neither float32"),
        (lambda: torch.ones(2, 6, dtype=torch.complex64), "torch.complex64, neither"),
        (lambda: torch.ones(2, 6, dtype=torch.bfloat16), r"bfloat16.*x.float\(\)"),
        (lambda: torch.ones(2, 6, device="meta"), r"on meta.*x.cpu\(\)"),
        (lambda: torch.ones(2, 6).to_sparse(), r"sparse.*x.to_dense\(\)"),
    ],
)
def test_samples_that_are_refused(x: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        DDKModule(6)(x())


@needs_torch
def test_modules_and_transforms_that_are_refused(rng: np.random.Generator) -> None:
    x = torch.rand(2, 6)
    with pytest.raises(InputError, match=r"raw alpha or beta is on meta.*module.cpu\(\)"):
        DDKModule(6).to("meta")(x)
    with pytest.raises(InputError, match=r"raw alpha or beta is of torch\.float16"):
        DDKModule(6).half()(x)
    with pytest.raises(InputError, match=r"generator.*Pass rng"):
        DDKModule(6, spread=0.1)
    with pytest.raises(InputError, match="neither float32 nor float64"):
        DDKModule(6, dtype=torch.bfloat16)
    with pytest.raises(InputError, match="unknown integrator"):
        DDKModule(6, integrator="euler")
    with pytest.raises(InputError, match="alpha -1 is not a number from 0"):
        DDKModule(6).set_pair(-1, 1)
    with pytest.raises(InputError, match="a Dense is no DDKLayer"):
        DDKModule.from_layer(Dense(2))
    with pytest.raises(InputError, match="no alpha and beta yet"):
        DDKModule.from_layer(DDKLayer(6, spread=0.1))
    for transform in (torch.vmap, torch.func.jacrev):
        with pytest.raises(InputError, match=r"torch\.autograd does"):
            transform(DDKModule(6))(torch.rand(2, 2, 6) if transform is torch.vmap else x)
