import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { parseReportBatch } from '../../src/model/report.ts'
import { openInbox } from '../../src/report/inbox.ts'
import { type Outgoing, openOutbox } from '../../src/report/outbox.ts'
import { certificateOf, clockAt, machine, reportIn, reportOf, sealed, signedOf, verify } from './reports.ts'

function countersIn(outgoing: Outgoing | undefined): [string, number][] {
  return (outgoing?.batch.reports ?? []).map((envelope) => {
    const { node, counter } = reportIn(envelope)
    return [node, counter]
  })
}

t.test('what is put in comes out with its certificates, until it is acknowledged', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  t.equal(await outbox.take(), undefined)
  await outbox.put([signedOf('a', 1), signedOf('b', 7)])
  const outgoing = await outbox.take()
  t.same(outgoing?.batch, {
    reports: [sealed(reportOf('a', 1), 'a'), sealed(reportOf('b', 7), 'b')],
    certificates: { a: certificateOf('a'), b: certificateOf('b') },
  })
  t.same((await outbox.take())?.batch, outgoing?.batch, 'again')
  t.equal(outbox.size(), 2)
  await outgoing?.acknowledge()
  t.equal(outbox.size(), 0)
  t.equal(await outbox.take(), undefined)
})

t.test('only the newest report of a node waits', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  await outbox.put([signedOf('a', 2), signedOf('a', 3), signedOf('a', 1)])
  await outbox.put([signedOf('a', 2)])
  t.same(countersIn(await outbox.take()), [['a', 3]])
})

t.test('what comes in while a batch is on its way is not taken for sent', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  await outbox.put([signedOf('a', 1), signedOf('b', 1)])
  const outgoing = await outbox.take()
  await outbox.put([signedOf('a', 2)])
  await outgoing?.acknowledge()
  t.same(countersIn(await outbox.take()), [['a', 2]])
})

t.test('a report outlasts a crash between sending and acknowledgement, and stays away after it', async (t) => {
  const { store, crash } = machine()
  const outbox = await openOutbox({ store: await store() })
  await outbox.put([signedOf('a', 1), signedOf('b', 1)])
  t.equal((await outbox.take())?.batch.reports.length, 2)
  const second = await openOutbox({ store: await crash() })
  t.equal(second.size(), 2)
  const outgoing = await second.take()
  t.same(countersIn(outgoing), [
    ['a', 1],
    ['b', 1],
  ])
  await outgoing?.acknowledge()
  t.equal((await openOutbox({ store: await crash() })).size(), 0)
})

t.test('a batch is no larger than its message may be', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  const facts = { text: 'é'.repeat(60_000) }
  await outbox.put(Array.from({ length: 100 }, (_, index) => signedOf(`n${index}`, 1, { facts })))
  const seen: string[] = []
  for (let outgoing = await outbox.take(); outgoing !== undefined; outgoing = await outbox.take()) {
    const bytes = Buffer.byteLength(JSON.stringify(outgoing.batch))
    t.ok(bytes <= limits.reportsMaxBytes, `${bytes}`)
    seen.push(...countersIn(outgoing).map(([node]) => node))
    await outgoing.acknowledge()
  }
  t.equal(new Set(seen).size, 100)
  t.equal(seen.length, 100)
})

t.test('a batch has no more reports than one may have', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  await outbox.put(Array.from({ length: limits.reportBatchMax + 1 }, (_, index) => signedOf(`n${index}`, 1)))
  const outgoing = await outbox.take()
  t.equal(outgoing?.batch.reports.length, limits.reportBatchMax)
  parseReportBatch(outgoing?.batch, 'batch')
  await outgoing?.acknowledge()
  t.equal((await outbox.take())?.batch.reports.length, 1)
})

t.test('two certificates of one key go in two batches', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  const [one, other] = [signedOf('a', 1), signedOf('b', 1)]
  const envelope = { ...other.envelope, signatures: [{ keyid: 'a', sig: '' }] }
  await outbox.put([one, { ...other, envelope }])
  const first = await outbox.take()
  t.same(first?.batch.certificates, { a: certificateOf('a') })
  await first?.acknowledge()
  t.same((await outbox.take())?.batch.certificates, { a: certificateOf('b') })
})

t.test('a full outbox takes no further node, and newer reports of those it has', async (t) => {
  const outbox = await openOutbox({ store: await machine().store() })
  await outbox.put(Array.from({ length: limits.outboxMax }, (_, index) => signedOf(`n${index}`, 1)))
  await t.rejects(outbox.put([signedOf('late', 1), signedOf('n0', 2)]), { code: 'no-space', retry: 'later' })
  t.same(countersIn(await outbox.take())[0], ['n0', 1], 'all or nothing')
  await outbox.put([signedOf('n0', 2)])
  const outgoing = await outbox.take()
  t.same(countersIn(outgoing)[0], ['n0', 2])
  await outgoing?.acknowledge()
  await outbox.put([signedOf('late', 1)])
  t.equal(outbox.size(), limits.outboxMax - limits.reportBatchMax + 1)
})

t.test('what could not be stored does not wait', async (t) => {
  const { store, node } = machine()
  const outbox = await openOutbox({ store: await store() })
  node.storage.fill()
  await t.rejects(outbox.put([signedOf('a', 1)]), { code: 'no-space' })
  t.equal(outbox.size(), 0)
})

type Step =
  | { kind: 'put'; node: string }
  | { kind: 'put-and-crash'; node: string }
  | { kind: 'send'; answer: 'lost' | 'heard' | 'crash' }
  | { kind: 'crash' }

t.test('whenever it is killed, an outbox loses nothing that it took', async () => {
  const nodes = fc.constantFrom('x', 'y', 'z')
  const steps = fc.array(
    fc.oneof<fc.Arbitrary<Step>[]>(
      fc.record({ kind: fc.constant('put' as const), node: nodes }),
      fc.record({ kind: fc.constant('put-and-crash' as const), node: nodes }),
      fc.record({ kind: fc.constant('send' as const), answer: fc.constantFrom('lost', 'heard', 'crash') }),
      fc.record({ kind: fc.constant('crash' as const) }),
    ),
    { maxLength: 30 },
  )
  await fc.assert(
    fc.asyncProperty(steps, fc.string(), async (steps, seed) => {
      const { store, crash } = machine(seed)
      const parent = await openInbox({
        store: await machine().store(),
        verify,
        clock: clockAt(1_800_000_100_000),
        maxFutureMs: 0,
      })
      let outbox = await openOutbox({ store: await store() })
      let counter = 0
      const taken = new Map<string, number>()
      const attacks: unknown[] = []

      const send = async (answer: 'lost' | 'heard' | 'crash'): Promise<boolean> => {
        const outgoing = await outbox.take()
        if (outgoing === undefined) return false
        const batch = parseReportBatch(JSON.parse(JSON.stringify(outgoing.batch)), 'batch')
        attacks.push(...(await parent.accept(batch, 'child')).attacks)
        if (answer === 'heard') await outgoing.acknowledge()
        if (answer === 'crash') {
          // The acknowledgement is under way when the program ends: done or not, as chance wants
          // it.
          void outgoing.acknowledge()
          await Promise.resolve()
          outbox = await openOutbox({ store: await crash() })
        }
        return true
      }

      for (const step of steps) {
        counter += 1
        switch (step.kind) {
          case 'put':
            await outbox.put([signedOf(step.node, counter)])
            taken.set(step.node, counter)
            break
          case 'put-and-crash':
            void outbox.put([signedOf(step.node, counter)])
            await Promise.resolve()
            outbox = await openOutbox({ store: await crash() })
            break
          case 'send':
            await send(step.answer)
            break
          case 'crash':
            outbox = await openOutbox({ store: await crash() })
            break
        }
      }
      while (await send('heard'));
      assert.equal(outbox.size(), 0)
      for (const [node, last] of taken) assert((parent.knowledgeOf(node)?.counter ?? 0) >= last, `lost ${node} ${last}`)
      assert.deepEqual(attacks, [])
    }),
    { numRuns: 100 },
  )
})

t.test(
  'a report that a damaged database has lost holds up no other, and the next one of its node is sent',
  async (t) => {
    const store = await machine().store()
    const outbox = await openOutbox({ store })
    await outbox.put([signedOf('a', 1), signedOf('b', 1)])
    await store.delete('signed/a')
    t.same(countersIn(await outbox.take()), [['b', 1]])
    t.equal(outbox.size(), 1)
    await outbox.put([signedOf('a', 1)])
    t.same(countersIn(await outbox.take()), [
      ['b', 1],
      ['a', 1],
    ])
  },
)
