import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createReceipts } from '../../../src/swarm/holdings/receipts.ts'

const infoHash = 'a'.repeat(40)

t.test('every sender has its turn in the announces, with all of its bytes, and only if there is news', async (t) => {
  const receipts = createReceipts()
  const all = Array.from({ length: limits.announcedSendersMax * 2 }, (_, index) => `n${index}`)
  receipts.add(
    infoHash,
    all.map((node) => ({ node, bytes: 1 })),
  )
  receipts.add(infoHash, [{ node: 'n0', bytes: 4 }])
  const [first, second] = [receipts.take(infoHash), receipts.take(infoHash)]
  t.same([...first, ...second].map(({ node }) => node).sort(), all.sort())
  t.match(first[0], { node: 'n0', bytes: 5 })
  t.same(receipts.take(infoHash), [])
  receipts.add(infoHash, [{ node: 'n0', bytes: 2 }])
  t.same(receipts.take(infoHash), [{ node: 'n0', bytes: 7 }])
  t.same(receipts.take('b'.repeat(40)), [])
})
