"""The random numbers of the compiled programs (`shared.nn.backend.uniform`) in NumPy, to the bit."""

import numpy as np

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # what the two words of the key grow by after each round
SCRAMBLE = (0x3EC8F720, 0x02461E29)  # the key by which TensorFlow makes a key and a counter of a seed
LOW, SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def uniform(key: int, counter: int, count: int) -> np.ndarray:
    """`count` float32 numbers in [0, 1), a pure function of two integers that are not negative."""
    seed = [key & 0xFFFFFFFF, key >> 32, counter & 0xFFFFFFFF, counter >> 32]
    mixed = philox(np.array([seed], np.uint64), SCRAMBLE)[0]
    counters = np.zeros((-(-count // 4), 4), np.uint64)
    counters[:, 0], counters[:, 2:] = np.arange(len(counters)), mixed[2:]
    bits = philox(counters, (int(mixed[0]), int(mixed[1]))).reshape(-1)[:count].astype(np.uint32)
    return ((bits >> np.uint32(9)) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)  # of [1, 2)


def philox(counters: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Philox 4x32-10 (Salmon et al. 2011): the words of N counters, uint64 [N, 4] below 2^32, as random ones."""
    a, b, c, d = counters.T
    for number in range(ROUNDS):
        left, right = (np.uint64((word + number * grows) & 0xFFFFFFFF) for word, grows in zip(key, WEYL, strict=True))
        first, second = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b, c, d = (second >> SHIFT) ^ b ^ left, second & LOW, (first >> SHIFT) ^ d ^ right, first & LOW
    return np.stack([a, b, c, d], axis=1)
