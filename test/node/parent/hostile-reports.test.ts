// What a child, or a thief of its key, can do with signed reports: with real keys and certificates.

import t, { type Test } from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Attack, ReportBatch } from '../../../src/model/report.ts'
import { reportPayloadType } from '../../../src/node/parent/reporter.ts'
import { startReports } from '../../../src/node/parent/reports.ts'
import { seal } from '../../../src/trust/envelope.ts'
import { type NodeIdentity, nodeIdentityFrom } from '../../../src/trust/identity.ts'
import type { Log } from '../../../src/world/world.ts'
import { reportOf } from '../../report/reports.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

const minute = 60_000

t.test('a counter ends with its key: after joining again a node is heard, whatever a thief has sent', async (t) => {
  const { fleet, now, take, known, attacks, sent } = await scene(t)
  const stolen = nodeIdentityFrom(await fleet.node('shop', { issuedAt: now - 10 * minute }))
  const rejoined = nodeIdentityFrom(await fleet.node('shop', { issuedAt: now - 5 * minute, key: 'second' }))
  t.not(stolen.keyId, rejoined.keyId)

  await take(batchBy(stolen, Number.MAX_SAFE_INTEGER))
  t.match(await take(batchBy(rejoined, 7)), { accepted: 1, refused: [] })
  t.equal(known()?.counter, 7)
  t.same(attacks, [], 'nobody is named as replaying')
  t.equal(sent().at(-1)?.reports.length, 1, 'and it goes up')
  t.equal(Object.keys(sent().at(-1)?.certificates ?? {})[0], rejoined.keyId)

  const late = await take(batchBy(stolen, Number.MAX_SAFE_INTEGER))
  t.match(late, { accepted: 0, refused: [{ reason: /key that shop has no longer/, retry: 'never' }] })
  t.match(await take(batchBy(rejoined, 8)), { accepted: 1 })
  t.equal(known()?.counter, 8)
})

t.test('bytes that say nothing are neither kept nor passed on', async (t) => {
  const { fleet, now, take, known, sent } = await scene(t)
  const shop = nodeIdentityFrom(await fleet.node('shop', { issuedAt: now - minute }))
  const text = JSON.stringify(reportOf('shop', 7))
  const padded = [text.replace('{', `{${' '.repeat(200_000)}`), `${text}\n`, text.replace('{', '{"counter":1,')]
  for (const each of padded) {
    t.match(await take(batchOfText(shop, each)), { accepted: 0, refused: [{ reason: /bytes that say nothing/ }] })
  }
  const { reports, certificates } = batchOfText(shop, text)
  const [envelope] = reports
  if (envelope === undefined) throw new Error('no envelope')
  const blank = { reports: [{ ...envelope, payload: `${envelope.payload}${' '.repeat(1000)}` }], certificates }
  t.match(await take(blank), { accepted: 0, refused: [{ reason: /not plain base64/ }] })
  t.equal(known(), undefined)
  t.same(sent(), [])
  t.match(await take(batchOfText(shop, text)), { accepted: 1 })
})

t.test('of a node that reports without end some are taken, and the newest once it has waited', async (t) => {
  const { fleet, now, take, known, simulation, lines } = await scene(t)
  const shop = nodeIdentityFrom(await fleet.node('shop', { issuedAt: now - minute }))
  let accepted = 0
  for (let counter = 1; counter <= 115; counter += 1) accepted += (await take(batchBy(shop, counter))).accepted
  t.ok(accepted <= limits.reportsOfNodeMax + 1, `${accepted} of 115`)
  t.match(await take(batchBy(shop, 116)), { refused: [{ reason: /more often than it may/, retry: 'later' }] })
  t.ok(lines().length <= limits.linesOfSenderMax, `${lines().length} lines`)
  const other = nodeIdentityFrom(await fleet.node('other', { issuedAt: now - minute }))
  t.match(await take(batchBy(other, 1)), { accepted: 1 }, 'another node is heard as before')
  await simulation.run({ forMs: limits.refusedRetryMs })
  t.match(await take(batchBy(shop, 116)), { accepted: 1 })
  t.equal(known()?.counter, 116)
})

function batchBy(identity: NodeIdentity, counter: number): ReportBatch {
  return batchOfText(identity, JSON.stringify(reportOf(identity.name, counter, { at: 1 })))
}

function batchOfText({ privateKey, keyId, certificateDer }: NodeIdentity, text: string): ReportBatch {
  const payload = new TextEncoder().encode(text)
  const envelope = seal({ payloadType: reportPayloadType, payload, privateKey, keyId })
  return { reports: [envelope], certificates: { [keyId]: Buffer.from(certificateDer).toString('base64') } }
}

/** A staging server that takes reports of its child `shop`. */
async function scene(t: Test) {
  const simulation = createSimulation({ seed: t.name })
  const { world } = simulation.node({ address: '10.0.0.1' })
  const now = world.clock.now()
  const fleet = await createTestFleet('acme', now - 60 * minute)
  const identity = nodeIdentityFrom(await fleet.node('stage'))
  const store = await simulation.until(world.openStore('/state'))
  const attacks: Omit<Attack, 'at'>[] = []
  const sent: ReportBatch[] = []
  const lines: unknown[] = []
  const log: Log = { ...world.log, warn: (message) => lines.push(message) }
  const reports = await simulation.until(
    startReports({
      ...{ ...world, log, store, isRoot: false, self: 'stage', identity: () => identity },
      build: (counter) => reportOf('stage', counter),
      send: async (batch) => {
        sent.push(batch)
        return { accepted: batch.reports.length, refused: [] }
      },
      onAttack: (attack) => attacks.push(attack),
    }),
  )
  return {
    ...{ simulation, fleet, now, attacks, sent: () => sent, lines: () => lines },
    take: async (batch: ReportBatch) => {
      const answer = await simulation.until(reports.take(batch, 'shop'))
      await simulation.run({ forMs: 1 })
      return answer
    },
    known: () => reports.inbox.knowledgeOf('shop'),
  }
}
