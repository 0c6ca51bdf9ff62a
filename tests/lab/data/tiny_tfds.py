"""Writes a tiny directory as TFDS would have prepared it."""

import io
import json

import numpy as np

KIND = "tensorflow_datasets.core.features."


def examples(seed, count, shape):
  draw = np.random.default_rng(seed)
  images = draw.integers(0, 256, (count, *shape), np.uint8)
  return images, draw.integers(0, 10, count)


def encode(image, codec="PNG"):
  from PIL import Image

  encoded = io.BytesIO()
  grey = image.shape[-1] == 1
  Image.fromarray(image[..., 0] if grey else image).save(encoded, codec)
  return encoded.getvalue()


def decode(encoded):
  from PIL import Image

  with Image.open(io.BytesIO(encoded)) as image:
    pixels = np.asarray(image)
  return pixels[..., None] if pixels.ndim == 2 else pixels


def write_split(directory, split, images, labels, codec="PNG"):
  from array_record.python import array_record_module
  from tensorflow_datasets.proto import tf_example_pb2

  name = directory.parent.name
  file = f"{name}-{split}.array_record-00000-of-00001"
  writer = array_record_module.ArrayRecordWriter(str(directory / file), "")
  for image, label in zip(images, labels, strict=True):
    example = tf_example_pb2.Example()
    feature = example.features.feature
    feature["image"].bytes_list.value.append(encode(image, codec))
    feature["label"].int64_list.value.append(int(label))
    writer.write(example.SerializeToString())
  writer.close()
  return {
    "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    "name": split,
    "numBytes": "1",
    "shardLengths": [str(len(labels))],
  }


def prepare(
  data_dir,
  name,
  version,
  shape,
  train=10,
  test=4,
  file_format="array_record",
  codec="PNG",
  test_name="test",
):
  """Train holds `examples(0, train, shape)`, test `examples(1, ...)`."""
  directory = data_dir / name / version
  directory.mkdir(parents=True)
  size = {"dimensions": [str(n) for n in shape]}
  features = {
    "image": {
      "image": {"dtype": "uint8", "shape": size},
      "pythonClassName": KIND + "image_feature.Image",
    },
    "label": {
      "classLabel": {"numClasses": "10"},
      "pythonClassName": KIND + "class_label_feature.ClassLabel",
    },
  }
  names = {
    "featuresDict": {"features": features},
    "pythonClassName": KIND + "features_dict.FeaturesDict",
  }
  (directory / "features.json").write_text(json.dumps(names))
  info = {
    "fileFormat": file_format,
    "moduleName": name,
    "name": name,
    "splits": [
      write_split(directory, "train", *examples(0, train, shape), codec),
      write_split(directory, test_name, *examples(1, test, shape), codec),
    ],
    "version": version,
  }
  (directory / "dataset_info.json").write_text(json.dumps(info))
  return directory
