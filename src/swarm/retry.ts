// How long to wait before trying again.

/** Exponential with a ceiling, its upper half random. `attempts` counts the failures so far, from 1. */
export function delayBefore(attempts: number, fraction: number, firstMs: number, ceilingMs: number): number {
  const step = Math.min(ceilingMs, firstMs * 2 ** Math.min(30, Math.max(0, attempts - 1)))
  return Math.round(step / 2 + (step / 2) * fraction)
}
