// Writes to one file again and again, until it is killed. Run by real-disk.test.ts.

import { systemDisk } from '../../src/world/disk.ts'

const path = process.argv[2] ?? ''
for (let round = 0; ; round += 1) {
  await systemDisk.write(path, String(round % 10).repeat(100_000))
  if (round === 0) process.stdout.write('writing\n')
}
