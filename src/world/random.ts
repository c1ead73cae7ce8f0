// The system's randomness.

import { randomBytes } from 'node:crypto'
import type { Random } from './world.ts'

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
}
