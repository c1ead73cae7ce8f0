// Every parser on its examples, on every input that it ever failed on, and on a few mutations. The
// long runs are those of bench/fuzz.ts.

import { readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { seededRandom } from '../world/seeded-random.ts'
import { endOf, fuzz } from './fuzzer.ts'
import { bytesOf } from './target.ts'
import { groups, targetsIn } from './targets.ts'

const runsEach = 40
const names = new Set<string>()

for (const group of groups) {
  const targets = await targetsIn(group)
  t.test(`what comes from outside is taken or refused with a Failure: ${group}`, async (t) => {
    for (const target of targets) {
      names.add(target.name)
      for (const example of target.examples) {
        t.same(await endOf(target, bytesOf(example)), { kind: 'accepted' }, `${target.name} accepts its examples`)
      }
      const { defects } = await fuzz(target, {
        random: seededRandom(target.name),
        goesOn: (runs) => runs < runsEach,
      })
      t.same(
        defects.map(({ because }) => because),
        [],
        target.name,
      )
    }
  })
}

t.test('every folder of seeds is of a target', async (t) => {
  t.same(
    readdirSync(path.join(import.meta.dirname, 'seeds')).filter((name) => !names.has(name)),
    [],
  )
})
