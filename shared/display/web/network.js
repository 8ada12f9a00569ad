"use strict";
/* The forward pass of a network, one observation at a time. It is described as in the YAML of this project
   (docs/files.md): a list of layers with name, class, settings and, where it is not the layer before, inputs.
   Numbers are rounded to float32 after each layer, as Keras has them between layers. */

/* Each of the numbers along the last axis. */
const ACTIVATIONS = {
  linear: (x) => x,
  relu: (x) => x.map((v) => Math.max(v, 0)),
  elu: (x) => x.map((v) => (v > 0 ? v : Math.expm1(v))),
  tanh: (x) => x.map(Math.tanh),
  sigmoid: (x) => x.map((v) => 1 / (1 + Math.exp(-v))),
  softmax: (x) => {
    const highest = Math.max(...x);
    const powers = x.map((v) => Math.exp(v - highest));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((v) => v / sum);
  },
};

/** What a layer puts out: `data`, a Float32Array, and its `shape`, without the batch axis. */
const tensor = (data, shape) => ({ data, shape });
const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** A layer's activation of what it puts out. */
function activated(layer, x) {
  const activation = ACTIVATIONS[layer.activation];
  const size = x.shape.at(-1);
  for (let start = 0; start < x.data.length; start += size) {
    x.data.set(activation(x.data.slice(start, start + size)), start);
  }
  return x;
}

/* Each class: (settings, weights, inputs) -> output. Weights are Float32Arrays in Keras' order and layout. */
const LAYERS = {
  InputLayer: (layer, weights, [x]) => x,
  Dropout: (layer, weights, [x]) => x,
  Flatten: (layer, weights, [x]) => tensor(x.data, [x.data.length]),
  Reshape: (layer, weights, [x]) => {
    const known = -sizeOf(layer.target_shape); // with its one -1, where it has one
    return tensor(x.data, layer.target_shape.map((size) => (size === -1 ? x.data.length / known : size)));
  },
  Rescaling: (layer, weights, [x]) => tensor(x.data.map((v) => v * layer.scale + layer.offset), x.shape),
  Activation: (layer, weights, [x]) => activated(layer, tensor(x.data.slice(), x.shape)),
  // Along the last axis.
  Dense: (layer, [kernel, bias], [x]) => {
    const { units } = layer;
    const inputs = x.shape.at(-1);
    const result = new Float32Array((x.data.length / inputs) * units);
    const sums = new Float64Array(units);
    for (let row = 0; row < x.data.length / inputs; row++) {
      sums.fill(0);
      if (bias) sums.set(bias);
      for (let i = 0; i < inputs; i++) {
        const v = x.data[row * inputs + i];
        if (v === 0) continue;
        for (let j = 0; j < units; j++) sums[j] += v * kernel[i * units + j];
      }
      result.set(sums, row * units);
    }
    return activated(layer, tensor(result, [...x.shape.slice(0, -1), units]));
  },
  Conv2D: (layer, [kernel, bias], [x]) => {
    const [rows, columns, channels] = x.shape;
    const [high, wide] = layer.kernel_size;
    const [down, across] = layer.strides;
    const same = layer.padding === "same";
    const count = (cells, size, stride) => Math.ceil((same ? cells : cells - size + 1) / stride);
    const [outRows, outColumns] = [count(rows, high, down), count(columns, wide, across)];
    // "same" pads to both sides alike, an odd cell at the end.
    const before = (cells, out, size, stride) => (same ? Math.max((out - 1) * stride + size - cells, 0) >> 1 : 0);
    const [above, left] = [before(rows, outRows, high, down), before(columns, outColumns, wide, across)];
    const filters = layer.filters;
    const result = new Float32Array(outRows * outColumns * filters);
    const sums = new Float64Array(filters);
    for (let r = 0; r < outRows; r++) {
      for (let c = 0; c < outColumns; c++) {
        sums.fill(0);
        if (bias) sums.set(bias);
        for (let i = 0; i < high; i++) {
          const row = r * down + i - above;
          if (row < 0 || row >= rows) continue;
          for (let j = 0; j < wide; j++) {
            const column = c * across + j - left;
            if (column < 0 || column >= columns) continue;
            for (let k = 0; k < channels; k++) {
              const v = x.data[(row * columns + column) * channels + k];
              if (v === 0) continue;
              const start = ((i * wide + j) * channels + k) * filters;
              for (let f = 0; f < filters; f++) sums[f] += v * kernel[start + f];
            }
          }
        }
        result.set(sums, (r * outColumns + c) * filters);
      }
    }
    return activated(layer, tensor(result, [outRows, outColumns, filters]));
  },
  // Along the last axis (Ba et al. 2016).
  LayerNormalization: (layer, weights, [x]) => {
    const size = x.shape.at(-1);
    const rest = [...weights]; // Keras leaves out a scale of 1 and an offset of 0
    const scale = layer.scale === false ? null : rest.shift();
    const offset = layer.center === false ? null : rest.shift();
    const result = new Float32Array(x.data.length);
    for (let start = 0; start < result.length; start += size) {
      const part = x.data.subarray(start, start + size);
      const mean = part.reduce((a, b) => a + b, 0) / size;
      const variance = part.reduce((a, b) => a + (b - mean) ** 2, 0) / size;
      const factor = 1 / Math.sqrt(variance + layer.epsilon);
      part.forEach((v, i) => {
        result[start + i] = (v - mean) * factor * (scale?.[i] ?? 1) + (offset?.[i] ?? 0);
      });
    }
    return tensor(result, x.shape);
  },
  // A state's value and its actions' advantages (Wang et al. 2016, eq. 8 and 9).
  Dueling: (layer, weights, [value, advantage]) => {
    const a = advantage.data;
    const base = layer.aggregate === "max" ? Math.max(...a) : a.reduce((x, y) => x + y, 0) / a.length;
    return tensor(a.map((v) => value.data[0] + v - base), advantage.shape);
  },
  // The mean over N quantiles of each of A actions, [N, A].
  GlobalAveragePooling1D: (layer, weights, [x]) => {
    const [count, actions] = x.shape;
    return tensor(overFirst(x, () => 1 / count), [actions]);
  },
  // The mean of a distribution over N evenly spaced numbers, given by logits [N, A] (Bellemare et al. 2017).
  Expectation: (layer, weights, [x]) => {
    const [count, actions] = x.shape;
    const chances = new Float32Array(x.data.length);
    for (let a = 0; a < actions; a++) {
      const logits = Array.from({ length: count }, (_, n) => x.data[n * actions + a]);
      ACTIVATIONS.softmax(logits).forEach((p, n) => (chances[n * actions + a] = p));
    }
    const number = (n) => layer.lowest + ((layer.highest - layer.lowest) * n) / (count - 1);
    return tensor(overFirst(tensor(chances, x.shape), number), [actions]);
  },
};

/** The sum over the first of two axes, its places weighted. */
function overFirst(x, weight) {
  const [count, actions] = x.shape;
  const sums = new Float64Array(actions);
  for (let n = 0; n < count; n++) {
    for (let a = 0; a < actions; a++) sums[a] += weight(n) * x.data[n * actions + a];
  }
  return Float32Array.from(sums);
}

/** The float32 numbers, little-endian, of a text in base64. */
function floatsOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** A network: `values(observation)` gives the value of each action. */
class Network {
  /** `layers`: the description, with `weights` of a layer as base64 texts. `outputs`: the name of the last layer. */
  constructor({ layers, outputs }) {
    this.output = outputs[0];
    this.layers = layers.map((layer, i) => ({
      inputs: i ? [layers[i - 1].name] : [],
      ...layer,
      weights: (layer.weights ?? []).map(floatsOf),
    }));
  }

  values(observation) {
    const made = {};
    for (const layer of this.layers) {
      const inputs = layer.class === "InputLayer" ? [tensor(observation, layer.shape)] : layer.inputs.map((n) => made[n]);
      made[layer.name] = LAYERS[layer.class](layer, layer.weights, inputs);
    }
    return made[this.output].data;
  }
}
