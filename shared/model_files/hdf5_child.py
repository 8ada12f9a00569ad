"""The program that parses an HDF5 file of unknown origin; `shared.model_files.hdf5` starts it and reads what it says.

The HDF5 library is not safe against hostile files: a few changed bytes can crash it or hang it, and no `try` catches
that. So it runs here, in a process of its own with little memory and little time and nothing to lose. The bytes of
the file come in on stdin; out go one line of JSON that lists what the file holds, and the arrays' bytes.

It knows the two layouts that Keras writes:

- *legacy* (`model.save_weights("x.h5")` of Keras 1 and 2, and ours): an attribute `layer_names`, a group for each
  layer with an attribute `weight_names`, datasets of those names in it. `model.save("x.h5")` is the same inside a group
  `model_weights`, with an attribute `model_config` on the root. The optimizer's variables, where saved, are in a group
  `optimizer_weights` there.
- *v3* (`x.weights.h5` of Keras 3, and inside a `.keras` archive): groups `layers/<kind of layer>_<number>/vars` with
  datasets `0`, `1`, ...; those of a layer inside a layer are in a group beside `vars`. The optimizer's variables, where
  saved, are in `optimizer/vars`.
"""

import contextlib
import json
import math
import sys
from typing import Any

NUMBERS = ("<f2", "<f4", "<f8", "<i4", "<i8", "<u4", "<u8")
MAX_LAYERS = 1000
MAX_ARRAYS = 5000  # of one file
MAX_TEXT = 1 << 20  # bytes of one attribute
MAX_NESTING = 8  # of layers inside layers
TEXTS = ("model_config", "optimizer_class")  # attributes that are of use
BACKENDS = ("backend", "keras_backend")  # attributes that say under what a model was made


class Refused(Exception):
    """The file is not what it should be; the message says why."""


def parse(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What an HDF5 file holds.

    Args:
        data: the file's bytes.

    Returns a header and the arrays' bytes. The header is a dict: `layout` ("legacy" or "v3"), `layers` and `optimizer`
    as lists of `[name, arrays]`, `attributes` as a dict of texts, `backends` as a list of them. An array in it is a
    dict of `name`, `shape`, `dtype` and `read`: whether its bytes follow. They do, in the order of the list and in C
    order, unless its type is none of `NUMBERS` or all arrays together are larger than the file, as they never are in a
    file that Keras wrote.

    Raises `Refused`, or what h5py raises on a damaged file.
    """
    import h5py

    # The low-level call takes the bytes as they are: no file name, so no other file that the content could refer to.
    with h5py.File(h5py.h5f.open_file_image(data)) as file:
        root = file
        if "layer_names" not in file.attrs and _has(file, "model_weights"):
            root = _group(file, "model_weights")
        if "layer_names" in root.attrs:
            layout, layers = "legacy", _legacy_layers(root)
        elif _has(file, "layers"):
            layout, layers = "v3", _v3_layers(_group(file, "layers"))
        else:
            raise Refused("holds no weights of a Keras model: no layer_names, no group layers")
        optimizer = []
        if layout == "legacy" and _has(file, "optimizer_weights"):
            optimizer = [("optimizer", _named_datasets(_group(file, "optimizer_weights")))]
        if layout == "v3" and _has(file, "optimizer"):
            optimizer = [("optimizer", _own_variables(_group(file, "optimizer")))]

        # A name can be listed twice and two datasets can share bytes, so the sum is what must be bounded.
        total = sum(_declared_bytes(dataset) for _, datasets in layers + optimizer for _, dataset in datasets)
        chunks: list[bytes] = []
        header = {
            "layout": layout,
            "layers": [[name, _take(datasets, total <= len(data), chunks)] for name, datasets in layers],
            "optimizer": [[name, _take(datasets, total <= len(data), chunks)] for name, datasets in optimizer],
            "attributes": _texts(TEXTS, file, root),
            "backends": [text for group in (file, root) for text in _texts(BACKENDS, group).values()],
        }
    return header, b"".join(chunks)


def _legacy_layers(group):
    """`[(layer name, [(weight name, dataset)])]` of the layers that have weights, in the model's order."""
    names = _names(group, "layer_names")
    if len(names) > MAX_LAYERS:
        raise Refused(f"lists {len(names)} layers, more than {MAX_LAYERS}")
    layers = [(name, _named_datasets(_group(group, name))) for name in names]
    return [(name, datasets) for name, datasets in layers if datasets]


def _v3_layers(group):
    """The same for the layout of Keras 3; its order is the alphabet's."""
    if len(group) > MAX_LAYERS:
        raise Refused(f"holds {len(group)} layers, more than {MAX_LAYERS}")
    layers = [(name, _variables(_group(group, name))) for name in group]
    return [(name, datasets) for name, datasets in layers if datasets]


def _variables(group, depth=0):
    """`[(name, dataset)]` of a layer and of those inside it, as the cell of an LSTM. (Random seeds are no weights.)"""
    if depth > MAX_NESTING:
        raise Refused(f"{group.name} is nested more than {MAX_NESTING} deep")
    found = _own_variables(group)
    for name in group:
        if name not in ("vars", "seed_generator"):
            found += [(f"{name}/{inner}", dataset) for inner, dataset in _variables(_group(group, name), depth + 1)]
        if len(found) > MAX_ARRAYS:
            raise Refused(f"{group.name} holds more than {MAX_ARRAYS} arrays")
    return found


def _own_variables(group):
    variables = _group(group, "vars") if _has(group, "vars") else {}
    return [(str(number), _dataset(variables, str(number))) for number in range(len(variables))]


def _named_datasets(group):
    return [(name, _dataset(group, name)) for name in _names(group, "weight_names")]


def _names(group, attribute):
    """A list of names from an attribute, as every version of Keras and h5py has written it."""
    if attribute not in group.attrs:
        raise Refused(f"{group.name} has no {attribute}")
    stored = group.attrs.get_id(attribute)
    size = math.prod(stored.shape or ()) * stored.dtype.itemsize
    if stored.shape is None or len(stored.shape) != 1 or stored.dtype.kind not in "SOUfi" or size > MAX_TEXT:
        raise Refused(f"{attribute} of {group.name} is not a list of names")
    # Keras writes an empty list as float64 of length 0.
    names = [name.decode() if isinstance(name, bytes) else name for name in group.attrs[attribute]]
    if not all(isinstance(name, str) for name in names) or len(names) > MAX_ARRAYS:
        raise Refused(f"{attribute} of {group.name} is not a list of names")
    return names


def _texts(keys, *groups):
    """What Keras keeps as attributes beside the weights, each from the first of the groups that has it."""
    texts = {}
    for key in keys:
        for group in groups:
            if key in group.attrs and key not in texts:
                stored = group.attrs.get_id(key)
                if stored.shape != () or stored.dtype.itemsize > MAX_TEXT:
                    raise Refused(f"its attribute {key} is not a text")
                value = group.attrs[key]
                value = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value  # as h5py does
                if not isinstance(value, str) or len(value) > MAX_TEXT:
                    raise Refused(f"its attribute {key} is not a text")
                texts[key] = value
    return texts


def _has(group, name):
    """Whether a group has a link of that name; `in` would follow it, out of the file if need be."""
    return group.get(name, getlink=True) is not None


def _group(parent, path):
    import h5py

    found = _follow(parent, path)
    if not isinstance(found, h5py.Group):
        raise Refused(f"{path} in {parent.name} is not a group")
    return found


def _dataset(parent, path):
    """A dataset whose bytes are all in this file, plain."""
    import h5py

    found = _follow(parent, path)
    if not isinstance(found, h5py.Dataset):
        raise Refused(f"{path} in {parent.name} is not a dataset")
    if found.external:
        raise Refused(f"{found.name} keeps its data in another file")
    if found.is_virtual:
        raise Refused(f"{found.name} is put together from other datasets")
    if found.id.get_create_plist().get_nfilters():
        raise Refused(f"{found.name} is compressed; write it again without (h5repack -f NONE)")
    if found.shape is None:
        raise Refused(f"{found.name} has no shape")
    return found


def _follow(parent, path):
    """Go down a path one name at a time, over hard links only."""
    import h5py

    for name in path.split("/"):
        if name in ("", ".", ".."):
            raise Refused(f"{path!r} in {parent.name} is not a name")
        if not isinstance(parent, h5py.Group):
            raise Refused(f"{parent.name} is not a group")
        link = parent.get(name, getlink=True)
        if link is None:
            raise Refused(f"{name} is missing in {parent.name}")
        if not isinstance(link, h5py.HardLink):
            raise Refused(f"{name} in {parent.name} is a link to elsewhere")
        parent = parent[name]
    return parent


def _declared_bytes(dataset):
    return math.prod(dataset.shape) * dataset.dtype.itemsize


def _take(datasets, affordable, chunks):
    """List datasets for the header, and append the bytes of those that are worth reading."""
    import numpy as np

    listed = []
    for name, dataset in datasets:
        dtype = dataset.dtype.newbyteorder("<").str
        read = affordable and dtype in NUMBERS and dataset.id.get_storage_size() >= _declared_bytes(dataset)
        if read:
            chunks.append(np.ascontiguousarray(dataset[()], dtype=dtype).tobytes())
        listed.append({"name": name, "shape": list(dataset.shape), "dtype": dtype, "read": read})
    return listed


def limit_this_process(memory: int, seconds: int) -> None:
    """Bound the address space and the CPU time where the system can; the parent's clock bounds the rest."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        with contextlib.suppress(ValueError, OSError):  # macOS knows RLIMIT_AS and does not let it be set
            resource.setrlimit(what, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def answer(data: bytes) -> bytes:
    """What to write on stdout about the bytes of a file: the header as a line of JSON, then the arrays' bytes."""
    body = b""
    try:
        header, body = parse(data)
    except Refused as refusal:
        header = {"refused": str(refusal)}
    except Exception as error:  # h5py raises nearly every kind on a damaged file
        header = {"refused": f"damaged HDF5 file ({type(error).__name__})"}
    return json.dumps(header).encode() + b"\n" + body


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("started by shared.model_files.hdf5 when weights are loaded; by itself it does nothing")
    limit_this_process(*map(int, sys.argv[1:]))  # bytes of memory, seconds of CPU time
    sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))
