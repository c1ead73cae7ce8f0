// Reports that a child sends, and which lines of the log they cause.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Attack } from '../../../src/model/report.ts'
import { reportPayloadType } from '../../../src/node/parent/reporter.ts'
import { startReports } from '../../../src/node/parent/reports.ts'
import { seal } from '../../../src/trust/envelope.ts'
import { type NodeIdentity, nodeIdentityFrom } from '../../../src/trust/identity.ts'
import type { Log } from '../../../src/world/world.ts'
import { reportOf } from '../../report/reports.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

t.test('a batch of reports to refuse is one line in the log, and one attack of each kind', async (t) => {
  const simulation = createSimulation({ seed: 'reports' })
  const { world } = simulation.node({ address: '10.0.0.1' })
  const now = world.clock.now()
  const fleet = await createTestFleet('acme', now)
  const identity = nodeIdentityFrom(await fleet.node('root'))
  const early = nodeIdentityFrom(await fleet.node('early', { issuedAt: now + 24 * 3600_000 }))
  const lines: unknown[] = []
  const attacks: Omit<Attack, 'at'>[] = []
  const log: Log = { ...world.log, warn: (message, fields) => lines.push({ message, ...fields }) }
  const store = await simulation.until(world.openStore('/state'))
  const reports = await simulation.until(
    startReports({
      ...world,
      log,
      store,
      isRoot: true,
      self: 'root',
      identity: () => identity,
      build: (counter) => reportOf('root', counter),
      send: async () => ({ accepted: 0, refused: [] }),
      onAttack: (attack) => attacks.push(attack),
    }),
  )
  const envelopeBy = ({ privateKey, keyId }: NodeIdentity, node: string) => {
    const payload = new TextEncoder().encode(JSON.stringify(reportOf(node, 1)))
    return seal({ payloadType: reportPayloadType, payload, privateKey, keyId })
  }
  const half = limits.reportBatchMax / 2
  const batch = {
    reports: Array.from({ length: half }, (_, n) => [
      envelopeBy(early, 'early'),
      envelopeBy(identity, `other-${n}`),
    ]).flat(),
    certificates: Object.fromEntries(
      [early, identity].map((each) => [each.keyId, Buffer.from(each.certificateDer).toString('base64')]),
    ),
  }
  const answer = await simulation.until(reports.take(batch, 'child'))
  t.match(answer, { accepted: 0, now })
  t.equal(answer.refused.length, limits.reportBatchMax, 'each is answered as refused')
  t.match(lines, [
    { message: 'report refused', from: 'child', reason: /^certificate of early starts at .*, and 249 more/ },
  ])
  t.equal(lines.length, 1)
  t.match(attacks, [{ kind: 'report-forged', from: 'child', detail: /^root signed a report of other-0, and 249 more/ }])
  t.equal(attacks.length, 1)
  await simulation.until(reports.stop())
})
