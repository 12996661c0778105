// What slices above and below have to say of a slice: covidlab.models.segmenter.along_z.

const REACH = 1 / 60, MOST_BELOW = 2, MOST_ABOVE = 4;

/** The logarithm of the odds of a probability, as far as 32 bits know it. */
function logit(probability) {
  const one = Math.min(1 - 1e-7, Math.max(1e-7, probability));
  return Math.log(one / (1 - one));
}

/** Probabilities of all slices that have lungs, from one end to the other, and a threshold -> the same, heard by their neighbours. */
export function alongZ(slices, threshold) {
  const level = logit(threshold), deviation = REACH * slices.length, reach = Math.floor(4 * deviation + 0.5);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-0.5 * ((k - reach) / deviation) ** 2));
  const sum = weights.reduce((a, b) => a + b);
  const odds = slices.map((slice) => slice.map((one) => Math.min(MOST_ABOVE, Math.max(-MOST_BELOW, logit(one) - level))));
  return odds.map((slice, z) => {
    const said = new Float64Array(slice.length);
    weights.forEach((weight, k) => {
      const spoken = odds[Math.min(odds.length - 1, Math.max(0, z + k - reach))];
      for (let i = 0; i < said.length; i++) said[i] += (weight / sum) * spoken[i];
    });
    return Float32Array.from(said, (one) => 1 / (1 + Math.exp(-one - level)));
  });
}
