// The times in sight: a range of seconds, `null` for all of them.

const TICKS = 5;
const CLOSEST = 10000; // times

/** Return a round number of seconds, about a fifth of a range. */
export function tickOf([from, to]) {
  const least = ((to - from) / TICKS) * 0.999; // a fifth that is round but for the last digit is round
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((nice) => nice * power >= least);
}

/** Return a range moved into 0..end, or `null` if it is all of that. */
export function within([from, to], end) {
  const length = to - from;
  if (length >= end) return null;
  const start = Math.min(Math.max(from, 0), end - length);
  return [start, start + length];
}

/** Return a range that is `factor` times closer and in which `around` stays where it is. */
export function zoomed([from, to], end, factor, around) {
  const length = Math.max((to - from) / factor, end / CLOSEST);
  const share = (around - from) / (to - from);
  return within([around - share * length, around + (1 - share) * length], end);
}

/** Return a time as a text, in the unit of the last time in sight. */
export const written = (time, to) => (to < 1 ? `${+(time * 1000).toPrecision(9)} ms` : `${+time.toPrecision(9)} s`);
