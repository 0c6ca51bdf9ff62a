"""Augmentations: what they compute, their strengths, and that rows differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.train.augment import AUGMENTATIONS

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.uniform(size=(6, 9, 7, 3)).astype(np.float32))
KEY = jax.random.key(3)


def _run(name, images=IMAGES, key=KEY, **arguments):
  return np.asarray(jax.jit(AUGMENTATIONS[name](**arguments))(key, images))


def test_none_changes_nothing():
  np.testing.assert_array_equal(_run("none"), IMAGES)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shape_dtype_and_range_stay(name, channels):
  images = jnp.asarray(RNG.uniform(size=(5, 8, 8, channels)), jnp.bfloat16)
  y = _run(name, images)
  assert y.shape == images.shape
  assert y.dtype == images.dtype
  assert (y >= 0).all()
  assert (y <= 1).all()


@pytest.mark.parametrize("name", ["photometric", "shift_flip"])
def test_depends_on_the_key_alone_and_on_each_image_apart(name):
  same = jnp.broadcast_to(IMAGES[:1], IMAGES.shape)
  y = _run(name, same)
  np.testing.assert_array_equal(y, _run(name, same))
  assert not np.array_equal(y, _run(name, same, jax.random.key(4)))
  assert len(np.unique(y.reshape(6, -1), axis=0)) > 1


@pytest.mark.parametrize("name", ["photometric", "shift_flip"])
def test_many_networks_at_once(name):
  keys = jax.random.split(KEY, 3)
  y = jax.vmap(AUGMENTATIONS[name](), (0, None))(keys, IMAGES)
  for i, key in enumerate(keys):
    np.testing.assert_allclose(y[i], _run(name, key=key), rtol=1e-6, atol=1e-6)


def test_photometric_is_its_three_steps_one_after_the_other():
  y = _run("photometric", brightness=0.1, contrast=0.4, saturation=0.7)
  u, v, w = jax.random.uniform(KEY, (3, 6, 1, 1, 1), minval=-1.0)
  x = np.asarray(IMAGES) + 0.1 * np.asarray(u)
  mean = x.mean((1, 2, 3), keepdims=True)
  x = mean + (1 + 0.4 * np.asarray(v)) * (x - mean)
  grey = x.mean(-1, keepdims=True)
  x = grey + (1 + 0.7 * np.asarray(w)) * (x - grey)
  np.testing.assert_allclose(y, np.clip(x, 0, 1), rtol=1e-5, atol=1e-6)


def test_a_grey_image_has_no_saturation():
  options = {"brightness": 0.0, "contrast": 0.0, "saturation": 1.0}
  np.testing.assert_allclose(
    _run("photometric", IMAGES[..., :1], **options), IMAGES[..., :1], rtol=1e-5
  )
  assert not np.allclose(_run("photometric", **options), IMAGES)


def test_shift_flip_is_a_crop_of_the_padded_image_or_its_mirror_image():
  shift, seen = 2, set()
  keys = jax.random.split(KEY, 60)
  augment = jax.vmap(AUGMENTATIONS["shift_flip"](shift=shift), (0, None))
  for y in np.asarray(augment(keys, IMAGES)):
    for image, shifted in zip(np.asarray(IMAGES), y, strict=True):
      padded = np.pad(image, ((shift, shift), (shift, shift), (0, 0)))
      crops = {
        (row, column): padded[row : row + 9, column : column + 7]
        for row in range(2 * shift + 1)
        for column in range(2 * shift + 1)
      }
      matches = [
        (place, direction)
        for place, crop in crops.items()
        for direction in (1, -1)
        if np.array_equal(shifted, crop[:, ::direction])
      ]
      assert len(matches) == 1
      seen.update(matches)
  assert len(seen) == 50  # every crop, both ways


def test_without_flip_and_shift_images_stay():
  np.testing.assert_array_equal(_run("shift_flip", shift=0, flip=False), IMAGES)
