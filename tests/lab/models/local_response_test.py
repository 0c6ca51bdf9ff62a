"""Local response normalization: its formula, its edges, and PyTorch's."""

import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models.local_response import local_response_norm

X = np.random.default_rng(0).normal(0, 20, (3, 2, 2, 7)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 15])
def test_is_its_formula(size):
  expected = np.empty_like(X, np.float64)
  for i in range(7):
    near = X[..., max(0, i - size // 2) : i + (size - 1) // 2 + 1]
    total = np.sum(near.astype(np.float64) ** 2, axis=-1)
    expected[..., i] = X[..., i] / (2 + 1e-4 * total) ** 0.75
  np.testing.assert_allclose(
    local_response_norm(jnp.asarray(X), size=size), expected, rtol=1e-5
  )


@pytest.mark.parametrize("size", [3, 4, 5])
def test_equals_torch_whose_alpha_is_divided_by_the_size(size):
  torch = pytest.importorskip("torch")
  theirs = torch.nn.LocalResponseNorm(size, alpha=0.01, beta=0.6, k=1.5)
  expected = theirs(torch.tensor(X.transpose(0, 3, 1, 2))).numpy()
  y = local_response_norm(
    jnp.asarray(X), size=size, alpha=0.01 / size, beta=0.6, k=1.5
  )
  np.testing.assert_allclose(y, expected.transpose(0, 2, 3, 1), rtol=1e-5)


def test_no_neighbourhood_is_refused():
  with pytest.raises(UserError, match="size: 0 features"):
    local_response_norm(jnp.asarray(X), size=0)
