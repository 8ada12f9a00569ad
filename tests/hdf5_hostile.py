"""Weights files that must be refused: each function spoils a good one that lies at `path`."""

import h5py
import numpy as np

KERNEL = "dense/dense/kernel"  # of the network in `test_hdf5.py`, shape (32, 4)


def _replace(path, make):
    """Put what `make(group, name)` creates in the place of the kernel of layer `dense`."""
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        make(file["dense/dense"], "kernel")


def _rewrite(path, values, dtype=None):
    _replace(path, lambda group, name: group.create_dataset(name, data=np.asarray(values), dtype=dtype))


def soft_link(path):
    """A soft link to another dataset of the same shape."""
    _replace(path, lambda group, name: group.__setitem__(name, h5py.SoftLink("/dense_1/dense_1/kernel")))


def external_link(path):
    """A link into another file."""
    _replace(path, lambda group, name: group.__setitem__(name, h5py.ExternalLink("/etc/other.h5", "/kernel")))


def external_link_to_the_model(path):
    """A link into another file where a whole model would be."""
    with h5py.File(path, "r+") as file:
        del file.attrs["layer_names"]
        file["model_weights"] = h5py.ExternalLink("/etc/other.h5", "/")


def external_storage(path):
    """A dataset whose bytes are those of another file."""
    place = [("/etc/passwd", 0, 512)]
    _replace(path, lambda group, name: group.create_dataset(name, (32, 4), "f4", external=place))


def virtual_dataset(path):
    """A dataset put together from another file's."""
    layout = h5py.VirtualLayout((32, 4), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "kernel", (32, 4))
    _replace(path, lambda group, name: group.create_virtual_dataset(name, layout))


def compressed(path):
    """A dataset through a filter."""
    _replace(path, lambda group, name: group.create_dataset(name, data=np.zeros((32, 4), "f4"), compression="gzip"))


def shape_bomb_4_tib(path):
    """4 TiB declared, nothing stored."""
    _replace(path, lambda group, name: group.create_dataset(name, (1 << 20, 1 << 20), "f4"))


def shape_bomb_2_gb(path):
    """2 GB declared, nothing stored."""
    _replace(path, lambda group, name: group.create_dataset(name, (500_000_000,), "f4"))


def nothing_stored(path):
    """The right shape, and no bytes for it."""
    _replace(path, lambda group, name: group.create_dataset(name, (32, 4), "f4"))


def strings(path):
    """Fixed-width texts."""
    _rewrite(path, np.full((32, 4), b"1.0"))


def texts_of_any_length(path):
    """Texts kept on the file's heap."""
    _replace(path, lambda group, name: group.create_dataset(name, (32, 4), h5py.string_dtype()))


def lists_of_any_length(path):
    """Lists kept on the file's heap."""
    _replace(path, lambda group, name: group.create_dataset(name, (32, 4), h5py.vlen_dtype(np.float32)))


def references(path):
    """HDF5's own pointers, which NumPy holds as objects."""
    _replace(path, lambda group, name: group.create_dataset(name, (32, 4), h5py.ref_dtype))


def compound(path):
    """Records."""
    _rewrite(path, np.zeros((32, 4), [("a", "f4"), ("b", "f4")]))


def whole_numbers(path):
    """Integers where weights should be."""
    _rewrite(path, np.ones((32, 4), "i4"))


def complex_numbers(path):
    """Complex numbers where weights should be."""
    _rewrite(path, np.ones((32, 4), "c8"))


def no_shape(path):
    """A dataset without a dataspace."""
    _replace(path, lambda group, name: group.create_dataset(name, data=h5py.Empty("f4")))


def group_for_a_dataset(path):
    """A group where a dataset should be."""
    _replace(path, lambda group, name: group.create_group(name))


def transposed(path):
    """The kernel the other way round."""
    _rewrite(path, np.zeros((4, 32), "f4"))


def not_a_number(path):
    """One NaN among the weights."""
    values = np.zeros((32, 4), "f4")
    values[3, 1] = np.nan
    _rewrite(path, values)


def infinite(path):
    """One infinite weight."""
    values = np.zeros((32, 4), "f4")
    values[31, 3] = np.inf
    _rewrite(path, values)


def overflows_float32(path):
    """A float64 that float32 cannot hold."""
    _rewrite(path, np.full((32, 4), 1e300))


def last_layer_bad(path):
    """A fault in the last layer only."""
    with h5py.File(path, "r+") as file:
        file["dense_1/dense_1/bias"][:] = np.nan


def layer_missing(path):
    """The last layer is not there."""
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = file.attrs["layer_names"][:-1]
        del file["dense_1"]


def layer_group_missing(path):
    """A layer is listed and its group is not there."""
    with h5py.File(path, "r+") as file:
        del file["dense_1"]


def layer_too_many(path):
    """One layer more than the network has."""
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.append(file.attrs["layer_names"], b"dense_2")
        file.copy("dense", "dense_2")


def _names(path, *names):
    with h5py.File(path, "r+") as file:
        file["dense"].attrs["weight_names"] = np.array(names)


def name_goes_up(path):
    """A weight called `..`."""
    _names(path, b"..", b"dense/bias")


def name_empty(path):
    """A weight without a name."""
    _names(path, b"", b"dense/bias")


def name_absolute(path):
    """A weight's name from the root on."""
    _names(path, b"/dense/dense/kernel", b"dense/bias")


def names_endless(path):
    """The same weight many times over."""
    _names(path, *[b"dense/kernel"] * 3000)


def layer_names_missing(path):
    """No list of layers."""
    with h5py.File(path, "r+") as file:
        del file.attrs["layer_names"]


def layer_names_one_text(path):
    """A text where the list of layers should be."""
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = "dense"


def layer_names_numbers(path):
    """Numbers where the list of layers should be."""
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.arange(4)


def empty(path):
    """A file of length 0."""
    path.write_bytes(b"")


def text(path):
    """A text file."""
    path.write_text("these are not the weights you are looking for\n")


def signature_only(path):
    """Begins as an HDF5 file does, and goes on as none does."""
    path.write_bytes(path.read_bytes()[:8] + bytes(range(256)) * 8)


def too_large(path):
    """Larger than any weights file may be; a hole, so it takes no room."""
    with open(path, "r+b") as file:
        file.truncate(300 << 20)


# Each with words that the message must have.
HOSTILE = {
    soft_link: "link to elsewhere",
    external_link: "link to elsewhere",
    external_link_to_the_model: "link to elsewhere",
    external_storage: "another file",
    virtual_dataset: "put together",
    compressed: "compressed",
    shape_bomb_4_tib: "layer dense: the file has (1048576, 1048576)",
    shape_bomb_2_gb: "layer dense: the file has (500000000,)",
    nothing_stored: "more than the file holds",
    strings: "layer dense: dense/kernel holds |S3",
    texts_of_any_length: "layer dense: dense/kernel holds |O",
    lists_of_any_length: "layer dense: dense/kernel holds |O",
    references: "layer dense: dense/kernel holds |O",
    compound: "layer dense: dense/kernel holds |V8",
    whole_numbers: "layer dense: dense/kernel holds <i4",
    complex_numbers: "layer dense: dense/kernel holds <c8",
    no_shape: "has no shape",
    group_for_a_dataset: "is not a dataset",
    transposed: "layer dense: the file has (4, 32) and (4,), the network has (32, 4) and (4,)",
    not_a_number: "layer dense: dense/kernel holds NaN",
    infinite: "layer dense: dense/kernel holds NaN, infinity",
    overflows_float32: "numbers too large for float32",
    last_layer_bad: "layer dense_1: dense_1/bias holds NaN",
    layer_missing: "layer dense_1: the file has no such layer, the network has (4, 3) and (3,)",
    layer_group_missing: "dense_1 is missing",
    layer_too_many: "layer dense_2: the file has (32, 4) and (4,), the network has no such layer",
    name_goes_up: "is not a name",
    name_empty: "is not a name",
    name_absolute: "is not a name",
    names_endless: "layer dense: the file has (32, 4) and",
    layer_names_missing: "no weights of a Keras model",
    layer_names_one_text: "not a list of names",
    layer_names_numbers: "not a list of names",
    empty: "empty",
    text: "not an HDF5 file",
    signature_only: "damaged",
    too_large: "larger than",
}
