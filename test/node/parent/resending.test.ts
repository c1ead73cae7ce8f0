import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { openResending } from '../../../src/node/parent/resending.ts'
import { openOutbox } from '../../../src/report/outbox.ts'
import type { Store } from '../../../src/world/world.ts'
import { machine, signedOf } from '../../report/reports.ts'

t.test('a parent that has lost its database gets a subtree larger than the outbox, one write a batch', async (t) => {
  const { store, crash } = machine()
  const names = Array.from({ length: limits.outboxMax + 700 }, (_, n) => `n${String(n).padStart(6, '0')}`)
  let writes = 0
  const sent = new Set<string>()
  const inbox = {
    knowledge: () => names.map((node) => ({ node })) as never,
    signed: async (node: string) => signedOf(node, 1),
  }
  const opened = async (disk: Store) => {
    const room = disk.sub('outbox')
    const counted: Store = {
      ...room,
      batch: (changes) => {
        if (changes.some(({ kind }) => kind === 'put')) writes += 1
        return room.batch(changes)
      },
    }
    const outbox = await openOutbox({ store: counted })
    const { world } = machine().node
    const ready: (() => void)[] = []
    const onReady = () => {
      for (const each of ready.splice(0)) each()
    }
    const resending = await openResending({ store: disk.sub('resend'), inbox, outbox, log: world.log, onReady })
    const send = async (batches: number) => {
      for (let n = 0; n < batches; n += 1) {
        const outgoing = await outbox.take()
        if (outgoing === undefined) return
        for (const node of outgoing.nodes) sent.add(node)
        await outgoing.acknowledge()
        const more = new Promise<void>((resolve) => ready.push(resolve))
        resending.goOn()
        if (outbox.size() === 0 && sent.size < names.length) await more
      }
    }
    return { outbox, resending, ready: new Promise<void>((resolve) => ready.push(resolve)), send }
  }
  const first = await opened(await store())
  await first.resending.begin()
  await first.ready
  await first.send(4)
  t.ok(sent.size < names.length, 'the node ends in the midst of that')

  const { outbox, resending, send } = await opened(await crash())
  resending.goOn()
  await send(1000)
  t.equal(sent.size, names.length)
  t.equal(outbox.size(), 0)
  await resending.stop()
  const batches = Math.ceil(names.length / limits.reportBatchMax)
  t.ok(writes <= 2 * batches, `${writes} writes for ${batches} batches`)
})
