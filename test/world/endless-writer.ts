// Writes to one file again and again, until it is killed. Run by real-disk.test.ts.

import { systemDisk } from '../../src/world/disk.ts'

const path = process.argv[2] ?? ''
const contents = ['1', '2', '3'].map((digit) => Buffer.from(digit.repeat(3_000_000)))
for (let round = 0; ; round += 1) {
  await systemDisk.write(path, contents[round % contents.length] as Buffer)
  if (round === 0) process.stdout.write('writing\n')
}
