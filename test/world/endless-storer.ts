// Changes two keys of a store together, again and again, and says which rounds were acknowledged.
// Run by real-store.test.ts.

import { openLevelStore } from '../../src/world/store/store.ts'

const store = await openLevelStore(process.argv[2] ?? '')
const before = (await store.get('a')) as { round: number } | undefined
for (let round = (before?.round ?? 0) + 1; ; round += 1) {
  const value = { round, filling: 'x'.repeat(5000) }
  await store.batch([
    { kind: 'put', key: 'a', value },
    { kind: 'put', key: 'b', value },
  ])
  process.stdout.write(`${round}\n`)
}
