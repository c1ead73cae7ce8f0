import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { type PlainAnnounce, parsePlainAnnounce, plainAnswer, plainRefusal } from '../../src/tracker/plain-announce.ts'
import { createPlainTracker } from '../../src/tracker/plain-tracker.ts'

const infoHash = '03bfa561e73804c538a939e630ac8c17eafba7f2'
const asSent = '%03%bf%a5a%e78%04%c58%a99%e60%ac%8c%17%ea%fb%a7%f2'

t.test('an announce is read as clients send it', async (t) => {
  const query = `info_hash=${asSent}&peer_id=-TR3000-lhjapn6hn63a&port=51413&left=3000000&numwant=20&compact=1&event=started`
  t.same(parsePlainAnnounce(query), { infoHash, port: 51413, isWhole: false, isLeaving: false, wanted: 20 })
  const whole = parsePlainAnnounce(
    `info_hash=${asSent.toUpperCase().replace('A5A', 'A5a')}&port=1&left=0&event=stopped`,
  )
  t.same(whole, { infoHash, port: 1, isWhole: true, isLeaving: true, wanted: limits.plainPeersMax })
})

t.test('an announce that cannot be answered says why', async (t) => {
  const wrong = {
    '': /info_hash/,
    'info_hash=abc&port=1': /info_hash/,
    [`info_hash=${asSent}%zz&port=1`]: /info_hash/,
    [`info_hash=${asSent}`]: /port/,
    [`info_hash=${asSent}&port=0`]: /port/,
    [`info_hash=${asSent}&port=70000`]: /port/,
    ['x'.repeat(limits.plainQueryMaxChars + 1)]: /too long/,
  }
  for (const [query, message] of Object.entries(wrong)) {
    t.throws(() => parsePlainAnnounce(query), { code: 'bad-input', message }, query.slice(0, 60))
  }
})

t.test('nobody is handed more peers than there may be in an answer', async (t) => {
  t.equal(parsePlainAnnounce(`info_hash=${asSent}&port=1&numwant=9999`).wanted, limits.plainPeersMax)
})

t.test('peers come in compact form, six bytes or eighteen each', async (t) => {
  const answer = plainAnswer({
    ...{ whole: 1, others: 2 },
    peers: [
      { address: '10.1.2.3', port: 6881 },
      { address: '2001:db8::7:1', port: 258 },
    ],
  })
  const v4 = Buffer.from([10, 1, 2, 3, 0x1a, 0xe1])
  const v6 = Buffer.from('20010db80000000000000000000700010102', 'hex')
  const expected = Buffer.concat([
    Buffer.from('d8:completei1e10:incompletei2e8:intervali120e12:min intervali30e5:peers6:'),
    ...[v4, Buffer.from('6:peers618:'), v6, Buffer.from('e')],
  ])
  t.equal(Buffer.from(answer).toString('latin1'), expected.toString('latin1'))
  t.equal(Buffer.from(plainRefusal('ä')).toString(), 'd14:failure reason2:äe')
})

const asked = (rest: Partial<PlainAnnounce> = {}): PlainAnnounce => {
  return { infoHash, port: 1000, isWhole: false, isLeaving: false, wanted: 50, ...rest }
}

function tracker(gives = (_: string) => true) {
  let nowMs = 0
  const plain = createPlainTracker({ clock: { monotonicMs: () => nowMs }, gives, port: () => 6881 })
  /** The IPv4 peers, or why there are none. */
  const ask = (from: string, rest: Partial<PlainAnnounce> = {}): string[] | string => {
    const text = Buffer.from(plain.answer(asked(rest), { from, to: '::ffff:10.0.0.1' })).toString('latin1')
    const [, length] = /5:peers(\d+):/.exec(text) ?? []
    if (length === undefined) return text
    const peers = Buffer.from(text.slice(text.indexOf(`5:peers${length}:`) + `5:peers${length}:`.length), 'latin1')
    return Array.from({ length: Number(length) / 6 }, (_, index) => {
      const [a, b, c, d, high = 0, low = 0] = peers.subarray(index * 6)
      return `${a}.${b}.${c}.${d}:${high * 256 + low}`
    })
  }
  return { ask, pass: (ms: number) => (nowMs += ms) }
}

t.test(
  'a client is told of the node first, at the address that it called, and then of those who asked before',
  async (t) => {
    const { ask } = tracker()
    t.same(ask('10.0.0.2'), ['10.0.0.1:6881'])
    t.same(ask('10.0.0.3', { port: 2000 }), ['10.0.0.1:6881', '10.0.0.2:1000'])
    t.same(ask('10.0.0.2'), ['10.0.0.1:6881', '10.0.0.3:2000'], 'not of itself')
    t.same(ask('10.0.0.4', { wanted: 1 }), ['10.0.0.1:6881'])
    t.same(ask('10.0.0.5', { infoHash: 'a'.repeat(40) }), ['10.0.0.1:6881'], 'of another payload there are others')
  },
)

t.test('who has everything is told of those who do not', async (t) => {
  const { ask } = tracker()
  ask('10.0.0.2')
  ask('10.0.0.3', { isWhole: true })
  t.same(ask('10.0.0.4', { isWhole: true }), ['10.0.0.2:1000'])
})

t.test('who leaves or is silent for long is forgotten', async (t) => {
  const { ask, pass } = tracker()
  ask('10.0.0.2')
  t.same(ask('10.0.0.2', { isLeaving: true }), [])
  t.same(ask('10.0.0.3'), ['10.0.0.1:6881'])
  pass(2 * limits.plainAnnounceIntervalMs + 1)
  t.same(ask('10.0.0.4'), ['10.0.0.1:6881'])
})

t.test('a client on the machine of the node does not stand in for it', async (t) => {
  const { ask } = tracker()
  ask('10.0.0.1')
  t.same(ask('10.0.0.2'), ['10.0.0.1:6881'])
})

t.test('of what the node does not give nobody is told, and nobody is remembered', async (t) => {
  let gives = false
  const { ask } = tracker(() => gives)
  t.match(ask('10.0.0.2'), /^d14:failure reason\d+:this node gives no such payloade$/)
  gives = true
  t.same(ask('10.0.0.3'), ['10.0.0.1:6881'])
})

t.test('however many ask, only so many are remembered', async (t) => {
  const { ask } = tracker()
  const [all, ofOne] = [limits.plainClientsMax, limits.plainClientsOfAddressMax]
  for (let port = 1; port <= all + 10; port += 1) ask(`10.0.1.${Math.floor(port / ofOne)}`, { port })
  const text = ask('10.0.0.3', { port: 1 })
  t.equal(text.length, limits.plainPeersMax)
  t.ok(text.includes(`10.0.1.${Math.floor((all + 10) / ofOne)}:${all + 10}`), 'the newest')
})

t.test('one address, or one who has a whole network, takes the place of no other client', async (t) => {
  const { ask } = tracker()
  ask('10.0.0.2')
  for (let port = 1; port <= limits.plainClientsMax; port += 1) ask('10.0.0.66', { port })
  for (let port = 1; port <= limits.plainClientsMax; port += 1) ask(`2001:db8::${port.toString(16)}`, { port })
  const peers = ask('10.0.0.3', { wanted: limits.plainClientsMax })
  t.ok(peers.includes('10.0.0.2:1000'), 'who was there first is still known')
  t.equal(peers.length, 1 + 1 + limits.plainClientsOfAddressMax)
})
