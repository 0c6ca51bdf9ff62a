import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.interop import from_torch, to_torch, torch_norms
from bnjax.linen import BatchNorm
from bnjax.ops import PRESETS, cumulative, debiased_ema, ema

X = np.random.default_rng(0).normal(3, 2, (6, 3, 4, 4)).astype(np.float32)


@pytest.fixture(name="torch", scope="module")
def _torch():
  return pytest.importorskip("torch")


def _arrays(module):
  return {k: v.numpy().copy() for k, v in module.state_dict().items()}


def _trained(torch, **arguments):
  """Returns a torch norm that has seen a batch, with any scale and bias."""
  norm = torch.nn.BatchNorm2d(3, **arguments)
  if norm.affine:
    with torch.no_grad():
      norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
      norm.bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
  norm(torch.from_numpy(2 * X))
  return norm


def _flax(norm, **arguments):
  return BatchNorm(
    axis=1, use_scale=norm.affine, use_bias=norm.affine, **arguments
  )


@pytest.mark.parametrize("affine", [True, False])
def test_inference_equals_torch(torch, affine):
  norm = _trained(torch, affine=affine).eval()
  variables = from_torch(_arrays(norm))
  module = _flax(norm)
  expected = module.init(jax.random.key(0), X, use_running_average=True)
  assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, expected)
  y = module.apply(variables, X, use_running_average=True)
  with torch.no_grad():
    np.testing.assert_allclose(
      y, norm(torch.from_numpy(X)).numpy(), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("cumulative", [False, True])
def test_training_step_equals_torch(torch, cumulative):
  arguments = {"momentum": None} if cumulative else {}
  norm = _trained(torch, **arguments)
  before = from_torch(_arrays(norm), cumulative=cumulative)
  y = norm(torch.from_numpy(X)).detach().numpy()
  preset = PRESETS["pytorch_cumulative" if cumulative else "pytorch"]
  module = _flax(norm, rule=preset.rule, epsilon=preset.epsilon)
  ours, updates = module.apply(
    before, X, use_running_average=False, mutable=["batch_stats"]
  )
  np.testing.assert_allclose(ours, y, rtol=1e-5, atol=1e-6)
  expected = _arrays(norm)
  state = to_torch({**before, **updates})
  if not cumulative:  # The rule does not count.
    assert expected.pop("num_batches_tracked") == 2
    assert state.pop("num_batches_tracked") == 0
  assert state.keys() == expected.keys()
  for name, value in expected.items():
    assert state[name].dtype == value.dtype
    np.testing.assert_allclose(state[name], value, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("track_running_stats", [True, False])
def test_round_trip(torch, affine, track_running_stats):
  arguments = {"affine": affine, "track_running_stats": track_running_stats}
  norm = _trained(torch, **arguments)
  arrays = _arrays(norm)
  if not arrays:
    with pytest.raises(KeyError):
      from_torch(arrays)
    return
  state = to_torch(from_torch(arrays), num_batches_tracked=1)
  assert list(state) == list(arrays)
  for name in arrays:
    np.testing.assert_array_equal(state[name], arrays[name])
  other = torch.nn.BatchNorm2d(3, **arguments)
  other.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
  x = torch.from_numpy(X)
  np.testing.assert_array_equal(
    other.eval()(x).detach().numpy(), norm.eval()(x).detach().numpy()
  )


def test_all_norms_of_a_model(torch):
  nn = torch.nn
  block = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
  model = nn.Sequential(nn.BatchNorm2d(3), block, nn.Linear(5, 2))
  model[:2](torch.from_numpy(X))
  arrays = _arrays(model)
  assert torch_norms(arrays) == ["0", "1.1"]
  variables = {name: from_torch(arrays, name) for name in torch_norms(arrays)}
  assert variables["1.1"]["batch_stats"]["mean"].shape == (5,)
  exported = {}
  for name, found in variables.items():
    exported |= to_torch(found, name + ".", num_batches_tracked=1)
  for key, value in exported.items():
    np.testing.assert_array_equal(value, arrays[key])
  # A whole model's are the norms' alone.
  tree = {
    kind: {"0": variables["0"][kind], "1": {"1": variables["1.1"][kind]}}
    for kind in ("params", "batch_stats")
  }
  tree["params"]["2"] = {"kernel": np.ones((5, 2)), "bias": np.ones(2)}
  whole = to_torch(tree, num_batches_tracked=1)
  assert list(whole) == list(exported)
  for key, value in whole.items():
    np.testing.assert_array_equal(value, exported[key])
  with pytest.raises(ValueError, match="exported one by one"):
    to_torch({"params": tree["params"]})
  arrays |= whole
  model.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()})


def test_tensors_and_copies(torch):
  norm = _trained(torch)
  variables = from_torch(norm.state_dict())
  variables["params"]["scale"][:] = 7
  variables["batch_stats"]["mean"][:] = 7
  assert (norm.weight != 7).all()
  assert (norm.running_mean != 7).all()


def test_lone_scale_or_bias_gets_its_partner():
  state = to_torch({"params": {"scale": jnp.array([2.0, 3.0])}})
  np.testing.assert_array_equal(state["weight"], [2, 3])
  np.testing.assert_array_equal(state["bias"], [0, 0])
  state = to_torch({"params": {"bias": jnp.array([2.0])}})
  np.testing.assert_array_equal(state["weight"], [1])


def test_what_is_no_norm():
  linear = {"fc.weight": np.ones((2, 3)), "fc.bias": np.ones(2)}
  with pytest.raises(ValueError, match="vectors of one length"):
    from_torch(linear, "fc")
  state = {"bn.running_mean": np.ones(2), "bn.running_var": np.ones(2)}
  with pytest.raises(KeyError, match=r"No batch norm at 'norm\.'.*\['bn'\]"):
    from_torch(state, "norm")
  with pytest.raises(ValueError, match="vectors of one length"):
    from_torch({**state, "bn.weight": np.ones(3)}, "bn")
  with pytest.raises(ValueError, match="neither"):
    to_torch({})


# What of each rule goes to PyTorch, and on from there.


RULES = {
  "ema": (ema(0.9), 0),
  "pytorch": (PRESETS["pytorch"].rule, 0),
  "debiased": (debiased_ema(0.9), 0),
  "cumulative": (cumulative(), 2),
  "pytorch_cumulative": (PRESETS["pytorch_cumulative"].rule, 2),
  "count": (cumulative(weighting="count"), None),
}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_there_and_back(torch, name):
  rule, batches = RULES[name]
  module = BatchNorm(axis=1, rule=rule)
  variables = module.init(jax.random.key(0), X, use_running_average=True)
  for x in (X, 2 * X):
    _, updates = module.apply(
      variables, x, use_running_average=False, mutable=["batch_stats"]
    )
    variables = {**variables, **updates}
  if batches is None:  # Not 192 values as 192 batches.
    with pytest.raises(ValueError, match=r"counts values.*num_batches_tracked"):
      to_torch(variables)
    batches = 2
    state = to_torch(variables, num_batches_tracked=batches)
  else:
    state = to_torch(variables)
  assert state["num_batches_tracked"] == batches
  goes_on = name == "pytorch_cumulative"
  norm = torch.nn.BatchNorm2d(3, momentum=None if goes_on else 0.1)
  norm.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
  x = torch.from_numpy(X)
  want = module.apply(variables, X, use_running_average=True)
  got = norm.eval()(x).detach().numpy()
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
  if goes_on or name == "pytorch":  # A further step of both, and back.
    norm.train()(3 * x)
    _, updates = module.apply(
      variables, 3 * X, use_running_average=False, mutable=["batch_stats"]
    )
    back = from_torch(_arrays(norm), cumulative=goes_on)
    assert jax.tree.structure(back) == jax.tree.structure(
      {**variables, **updates}
    )
    for key, value in updates["batch_stats"].items():
      np.testing.assert_allclose(back["batch_stats"][key], value, rtol=1e-6)


def test_what_is_missing_is_said():
  stats = {"mean": np.zeros(2)}
  with pytest.raises(ValueError, match="no var"):
    to_torch({"batch_stats": stats})
  with pytest.raises(ValueError, match=r"\['kernel'\] are not of one"):
    to_torch({"params": {"kernel": np.ones(2)}})
  stats |= {"var": np.ones(2), "weight": np.array([1.0, 2.0])}
  with pytest.raises(ValueError, match=r"differs between features"):
    to_torch({"batch_stats": stats})
  assert to_torch({"batch_stats": stats}, num_batches_tracked=2)
  affine = {"bn.weight": np.ones(2), "bn.bias": np.zeros(2)}
  tracked = {"bn.running_mean": np.zeros(2), "bn.running_var": np.ones(2)}
  with pytest.raises(KeyError, match=r"no running_mean and no running_var"):
    from_torch(affine, "bn", cumulative=True)
  with pytest.raises(KeyError, match="no num_batches_tracked, which cumulat"):
    from_torch(affine | tracked, "bn", cumulative=True)
  del tracked["bn.running_var"]
  with pytest.raises(KeyError, match="no running_var"):
    from_torch(tracked, "bn")
