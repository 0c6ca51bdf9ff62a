"""Crops: literal places, what they hold, and means of probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.train.crops import (
  Crop,
  crop_places,
  crops_144,
  ensemble_probabilities,
  single_crop,
  top_errors,
)

RNG = np.random.default_rng(0)


def test_there_are_144():
  images = jax.ShapeDtypeStruct((2, 300, 400, 3), jnp.float32)
  crops = jax.eval_shape(crops_144, images)
  assert crops.shape == (2, 144, 224, 224, 3)
  places = crop_places(300, 400)
  assert len(places) == len(set(places)) == 72
  sizes = [(256, 341), (288, 384), (320, 427), (352, 469)]
  assert [p[:2] for p in places[::18]] == sizes
  for place in places:
    assert place.top + place.side <= place.height
    assert place.left + place.side <= place.width


def test_places_in_a_landscape():
  # 6x8 at scale 9 is 9x12: squares at 0, 1 and 3; crops of 4 at 0, 2 and 5.
  expected = []
  for left in (0, 1, 3):
    for down, right in [(0, 0), (0, 5), (5, 0), (5, 5), (2, 2)]:
      expected.append(Crop(9, 12, down, left + right, 4))
    expected.append(Crop(9, 12, 0, left, 9))
  assert crop_places(6, 8, size=4, scales=[9]) == expected


def test_places_in_a_portrait():
  expected = []
  for top in (0, 1, 3):
    for down, right in [(0, 0), (0, 5), (5, 0), (5, 5), (2, 2)]:
      expected.append(Crop(9, 12, right, top + down, 4))
  turned = [Crop(c.width, c.height, c.left, c.top, c.side) for c in expected]
  corners = [c for c in crop_places(8, 6, size=4, scales=[9]) if c.side == 4]
  assert sorted(corners) == sorted(turned)


def test_crops_are_parts_of_the_image_and_their_mirrors():
  # At their own scale images are not resized: crops can be read off.
  images = jnp.asarray(RNG.normal(size=(2, 5, 8, 3)).astype(np.float32))
  crops = crops_144(images, size=3, scales=[5])
  assert crops.shape == (2, 36, 3, 3, 3)
  at = iter(range(36))
  for left in (0, 1, 3):
    for down, right in [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]:
      part = images[:, down : down + 3, left + right : left + right + 3]
      np.testing.assert_array_equal(crops[:, next(at)], part)
      np.testing.assert_array_equal(crops[:, next(at)], part[:, :, ::-1])
    square = images[:, :, left : left + 5]
    whole = jax.image.resize(square, (2, 3, 3, 3), "linear")
    np.testing.assert_allclose(crops[:, next(at)], whole, rtol=1e-6)
    np.testing.assert_allclose(crops[:, next(at)], whole[:, :, ::-1], rtol=1e-6)


def test_a_gray_image_stays_gray_at_every_scale():
  images = jnp.full((1, 10, 13, 1), 0.5)
  crops = crops_144(images, size=8, scales=[8, 10, 12, 15])
  assert crops.shape == (1, 144, 8, 8, 1)
  np.testing.assert_allclose(crops, np.full(crops.shape, 0.5), rtol=1e-6)


@pytest.mark.parametrize(
  ("shape", "size", "top", "left"),
  [((6, 6), 4, 1, 1), ((5, 8), 2, 1, 3), ((4, 4), 4, 0, 0), ((7, 5), 4, 1, 0)],
)
def test_single_crop_is_central(shape, size, top, left):
  images = jnp.arange(2 * shape[0] * shape[1]).reshape(2, *shape, 1)
  crop = single_crop(images, size)
  assert crop.shape == (2, size, size, 1)
  np.testing.assert_array_equal(
    crop, images[:, top : top + size, left : left + size]
  )


def test_probabilities_are_averaged_and_not_logits():
  p = RNG.dirichlet(np.ones(5), size=(3, 2, 4))
  shift = RNG.normal(size=(3, 2, 4, 1))
  mean = ensemble_probabilities(jnp.asarray(np.log(p) + shift, jnp.float32))
  np.testing.assert_allclose(mean, p.mean((0, 2)), rtol=1e-5)
  np.testing.assert_allclose(mean.sum(-1), [1, 1], rtol=1e-6)
  half = ensemble_probabilities(jnp.asarray(np.log(p), jnp.bfloat16))
  assert half.dtype == jnp.float32


def test_errors_of_the_likeliest_classes():
  probabilities = RNG.dirichlet(np.ones(7), size=50).astype(np.float32)
  labels = RNG.integers(0, 7, 50)
  order = np.argsort(-probabilities, axis=1)
  for k in (1, 5, 7):
    wrong = [
      label not in own[:k] for label, own in zip(labels, order, strict=True)
    ]
    found = top_errors(jnp.asarray(probabilities), jnp.asarray(labels), k=k)
    np.testing.assert_allclose(found, np.mean(wrong), atol=1e-6)


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (
      lambda: top_errors(jnp.ones((2, 3)), jnp.zeros(2, int), k=5),
      "5 guesses among 3 classes",
    ),
    (lambda: crop_places(8, 8, size=5, scales=[4]), "crop of 5 .* scale 4"),
    (lambda: single_crop(jnp.ones((1, 4, 5, 1)), 5), "crop of 5 .* of 4x5"),
    (lambda: single_crop(jnp.ones((1, 4, 5, 1)), 0), "crop of 0 .* of 4x5"),
    (lambda: single_crop(jnp.ones((4, 5, 1)), 2), r"not \(4, 5, 1\)"),
    (lambda: crops_144(jnp.ones((4, 5, 1))), r"not \(4, 5, 1\)"),
    (lambda: ensemble_probabilities(jnp.ones((2, 3))), r"not \(2, 3\)"),
  ],
)
def test_what_is_wrong_is_named(call, message):
  with pytest.raises(ValueError, match=message):
    call()
