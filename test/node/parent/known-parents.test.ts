// Which node is the parent at an address: by the settings, by the first answer, and nobody else.

import t, { type Test } from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { parentPlaceOf, parentTextOf, parseSettings } from '../../../src/model/settings.ts'
import { openKnownParents } from '../../../src/node/parent/known-parents.ts'
import { createUplink } from '../../../src/node/parent/uplink.ts'
import type { WrongParent } from '../../../src/node/setup/parent-names.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

const place = 'https://10.0.0.1:7420'

t.test('the first node that answers is the parent there, also after a restart, and another is refused', async (t) => {
  const { answerAs, ask, refused } = await scene(t)
  await answerAs('stage')
  t.equal(await ask([place]), 'stage')
  await answerAs('till')
  t.match(await ask([place]), /answers as till, and the parent there is stage/)
  t.match(refused, [{ answered: 'till', hint: /write https:\/\/till@10\.0\.0\.1:7420 under parents/ }])
})

t.test('the name in the settings decides from the first answer on', async (t) => {
  const { answerAs, ask } = await scene(t)
  await answerAs('till')
  t.match(await ask(['https://stage@10.0.0.1:7420']), /answers as till, and the parent there is stage/)
  await answerAs('stage')
  t.equal(await ask(['https://stage@10.0.0.1:7420']), 'stage')
})

t.test('the name in the settings overrules the first answer', async (t) => {
  const { answerAs, ask } = await scene(t)
  await answerAs('stage')
  await ask([place])
  await answerAs('till')
  t.equal(await ask(['https://till@10.0.0.1:7420']), 'till')
})

t.test('after another node answered, the next parent is asked', async (t) => {
  const { answerAs, uplink } = await scene(t)
  await answerAs('till')
  const above = await uplink(['https://stage@10.0.0.1:7420', place])
  t.match(await above.first(), /answers as till/)
  t.equal(await above.first(), 'till')
})

t.test('a parent is written with its name and without', async (t) => {
  t.same(parentPlaceOf('https://shop-1.berlin@[fd00::1]:7420'), {
    url: 'https://[fd00::1]:7420',
    name: 'shop-1.berlin',
  })
  t.same(parentPlaceOf(place), { url: place, name: undefined })
  for (const text of [place, 'https://stage@10.0.0.1:7420']) t.equal(parentTextOf(parentPlaceOf(text)), text)
  for (const text of ['https://Stage%20@10.0.0.1', 'https://stage:secret@10.0.0.1', 'https://:secret@10.0.0.1']) {
    t.throws(() => parseSettings({ name: 'shop', parents: [text] }, 'node.yaml'), { code: 'bad-input' }, text)
  }
})

/** A server at `place` that takes one identity after the other, and a node that asks there. */
async function scene(t: Test) {
  const simulation = createSimulation({ seed: t.name })
  const fleet = await createTestFleet('acme', simulation.now())
  const [parent, child] = ['10.0.0.1', '10.0.0.2'].map((address) => simulation.node({ address }).world)
  if (parent === undefined || child === undefined) throw new Error('no nodes')
  const own = await fleet.node('child')
  const refused: WrongParent[] = []
  let server: { close(): Promise<void> } | undefined
  const uplink = async (parents: string[]) => {
    const { http, disk, log, clock } = child
    const file = '/parents.json'
    const names = await openKnownParents({ disk, log, file, parents, refused: (each) => refused.push(each) })
    const now = simulation.now
    const above = createUplink({ http, tls: () => own, parents, names, now, monotonicMs: () => 0, after: clock.after })
    return {
      /** The name of the node that answered, or why it was refused. */
      async first(): Promise<string> {
        try {
          await simulation.until(above.tufFile('timestamp.json', 1000))
          return above.parent()?.node ?? 'nobody'
        } catch (error) {
          if (error instanceof Failure && error.retry === 'later') return error.message
          throw error
        }
      },
    }
  }
  return {
    refused,
    uplink: (parents: string[]) => simulation.until(uplink(parents)),
    ask: async (parents: string[]) => (await simulation.until(uplink(parents))).first(),
    async answerAs(name: string) {
      if (server !== undefined) await simulation.until(server.close())
      const tls = await fleet.node(name)
      server = await simulation.until(
        parent.http.serve({
          ...{ address: '10.0.0.1', port: 7420, tls, bodyMaxBytes: () => 0 },
          handler: async () => ({ status: 404 }),
        }),
      )
    },
  }
}
