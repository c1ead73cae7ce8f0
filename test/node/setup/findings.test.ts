// What a doctor says of what was examined.

import t from 'tap'
import type { EngineRights } from '../../../src/model/local-api/status.ts'
import { type Examined, findingsOf } from '../../../src/node/setup/findings.ts'

const now = Date.parse('2026-11-24T12:00Z')
const hourMs = 3600_000
const healthy: Examined = {
  now,
  home: '/var/lib/banyan',
  settings: { name: 'shop-1', parents: ['https://a:7420'], targetRoot: '/', reserveBytes: 64 * 2 ** 20 },
  identity: { name: 'shop-1', notAfter: now + 40 * 24 * hourMs },
  trusted: { signedAt: now - hourMs, expires: now + 20 * hourMs },
  daemon: { link: 'connected', because: null, problems: [], condition: 'converged' },
  portsTaken: [],
  parents: [{ url: 'https://a:7420', failed: null }],
  unwritable: null,
  database: null,
  freeBytes: 2 ** 30,
  hasTargetRoot: true,
  tools: ['dpkg', 'apt-get', 'systemctl'],
}

/** All that is not fine. */
function ails(sick: Partial<Examined>): string[] {
  return findingsOf({ ...healthy, ...sick }).flatMap(({ state, about, found, hint }) =>
    state === 'fine' ? [] : [`${state} ${about}: ${found}${hint === undefined ? '' : ` -> ${hint}`}`],
  )
}

t.test('nothing is wrong with a healthy node, and what was looked at is said', async (t) => {
  t.same(ails({}), [])
  t.same(
    findingsOf(healthy).map(({ about }) => about),
    ['settings', 'certificate', 'clock', 'metadata', 'daemon', 'parents', 'disk', 'tools'],
  )
})

t.test('what the checks of the stored payloads have found is said', async (t) => {
  const daemon = { link: 'connected', because: null, problems: [], condition: 'converged' }
  const told = (scrub: { oldest: number | null; mending: number; damagedPieces: number }) =>
    findingsOf({ ...healthy, daemon: { ...daemon, scrub } }).find(({ about }) => about === 'content')
  t.match(told({ oldest: now, mending: 0, damagedPieces: 0 }), { state: 'fine', found: /read since 2026-11-24T12/ })
  t.match(told({ oldest: now, mending: 0, damagedPieces: 3 }), { state: 'warning', found: /3 pieces were damaged/ })
  t.match(told({ oldest: null, mending: 1, damagedPieces: 1 }), { state: 'wrong', hint: /smartctl/ })
})

t.test('the rights of the swarm engine are said, and why it has more than it needs', async (t) => {
  const rights = { runs: 'as-another-user', uid: 61_173, because: null, notStarted: null } as const
  const told = (found: Partial<EngineRights>) => {
    const daemon = { link: 'connected', because: null, problems: [], condition: 'converged' }
    const engine = { ...rights, ...found }
    return findingsOf({ ...healthy, daemon: { ...daemon, engine } }).filter(({ about }) => about === 'engine')
  }
  t.match(told({}), [{ state: 'fine', found: /user 61173, without rights/ }])
  t.match(told({ runs: 'as-the-daemon', uid: 1000 }), [{ state: 'fine', found: /user 1000, as the daemon/ }])
  t.match(told({ because: 'spawn setpriv ENOENT' }), [{ state: 'warning', found: /ENOENT/, hint: /install setpriv/ }])
  const because = 'user 61173 cannot read /root/banyan/package.json'
  t.match(told({ runs: 'as-root', uid: 0, because }), [
    { state: 'warning', found: /\/root\/banyan/, hint: /every user/ },
  ])
  t.match(told({ notStarted: 'exit code 1: EACCES' }), [
    {},
    { state: 'wrong', found: /EACCES/, hint: /read the program/ },
  ])
})

t.test('both ports are looked at both ways, and siblings that cannot be reached are named', async (t) => {
  const ports = { control: 7420, swarm: 7421 }
  const reach = { address: '203.0.113.7', swarmPort: 7421, control: null, swarm: null, parentSwarm: null, ports }
  const told = (found: Partial<typeof reach> | Record<string, string>) => {
    const parents = [{ url: 'https://a:7420', failed: null, reach: { ...reach, ...found } }]
    return findingsOf({ ...healthy, parents }).filter(({ about }) => about === 'reach')
  }
  t.match(told({}), [{ state: 'fine', found: /^port 7421 at 203\.0\.113\.7 answers https:\/\/a:7420$/ }])
  t.match(told({ control: 'no answer' }), [{ state: 'fine', found: /port 7420.*does not: no answer/ }])
  t.match(told({ swarm: 'no answer' }), [{ state: 'warning', found: /sees this node at 203.*no answer/ }])
  t.match(told({ parentSwarm: 'ECONNREFUSED' }), [{ state: 'wrong', found: /ECONNREFUSED/ }, { state: 'fine' }])

  const unreached = Array.from({ length: 7 }, (_, n) => ({ node: `n${n}`, place: 'x', because: 'no answer' }))
  const daemon = { link: 'connected', because: null, problems: [], condition: 'converged' }
  const of = (siblings: { reached: number; unreached: typeof unreached }) => ails({ daemon: { ...daemon, siblings } })
  t.match(of({ reached: 2, unreached }), [/^warning siblings: 7 .* and 2 reached: n0 at x: no answer.*and 2 more -> /])
  t.same(of({ reached: 2, unreached: [] }), [])
})

const cases: Record<string, [Partial<Examined>, RegExp[]]> = {
  'no node here': [
    { settings: { failed: 'node.yaml: no settings', hint: 'banyan join' } },
    [/^wrong settings: node\.yaml: no settings -> banyan join$/],
  ],
  'a certificate that ended': [
    { identity: { name: 'shop-1', notAfter: now - 1 } },
    [/^wrong certificate: it ended at 2026-11-24T11:59.* -> the daemon has it renewed .* --replaces shop-1/],
  ],
  'a certificate that nobody renews': [
    { identity: { name: 'shop-1', notAfter: now + 24 * hourMs } },
    [/^warning certificate: it ends at .* should have been renewed/],
  ],
  'a certificate of somebody else': [
    { identity: { name: 'shop-2', notAfter: now + 24 * hourMs } },
    [/^wrong certificate: it is for shop-2, and the settings call this node shop-1/],
  ],
  'a clock that is behind': [
    { trusted: { signedAt: now + hourMs, expires: now + 20 * hourMs } },
    [/^wrong clock: the clock says 2026-11-24T12:00.*signed at 2026-11-24T13:00.* -> set the clock/],
  ],
  'metadata that ended': [
    { trusted: { signedAt: now - 30 * hourMs, expires: now - hourMs } },
    [/^wrong metadata: .*ended at 2026-11-24T11:00.*nothing new is installed/],
  ],
  'damaged metadata': [{ trusted: { failed: 'timestamp.json is damaged' } }, [/^wrong metadata: timestamp\.json/]],
  'a daemon that does not run, with its port taken': [
    { daemon: { failed: 'no daemon answers' }, portsTaken: [7420] },
    [/^wrong daemon: no daemon answers -> systemctl start banyan/, /^wrong ports: something else listens on port 7420/],
  ],
  'an island whose parent is gone': [
    {
      daemon: {
        link: 'island',
        because: 'a:7420 does not answer',
        problems: ['a:7420 does not answer'],
        condition: 'island',
      },
      parents: [{ url: 'https://a:7420', failed: 'connection refused' }],
    },
    [
      /^wrong daemon: it runs, and no parent answers it: a:7420/,
      /^wrong parents: https:\/\/a:7420 cannot be asked: connection refused -> .*firewall/,
      /^wrong problems: a:7420 does not answer/,
    ],
  ],
  'one of two parents that is gone': [
    {
      parents: [
        { url: 'https://a:7420', failed: 'timed out' },
        { url: 'https://b:7420', failed: null },
      ],
    },
    [/^warning parents: https:\/\/a:7420 cannot be asked/],
  ],
  'packages that failed': [
    { daemon: { link: 'connected', because: null, problems: [], condition: 'failed' } },
    [/^wrong daemon: it runs, and packages have failed -> banyan check/],
  ],
  'a full disk': [
    { freeBytes: 2 ** 20 },
    [/^wrong disk: 1 MiB are free below .*, and 64 MiB are to stay so -> make room/],
  ],
  'a disk that takes nothing': [
    { unwritable: 'the disk below /home is read-only: nothing can be stored', freeBytes: 2 ** 20 },
    [/^wrong disk: the disk below \/home is read-only: .* -> make room .*or see why it is read-only/],
  ],
  'a damaged database': [
    { database: { damaged: 'a file of it is missing' } },
    [/^wrong database: it is damaged: a file of it is missing -> start the daemon: it repairs/],
  ],
  'a missing target root': [{ hasTargetRoot: false }, [/^wrong disk: \/ is not there/]],
  'nothing to install packages with': [
    { tools: ['systemctl'] },
    [/^warning tools: there is neither dpkg nor rpm: only trees/],
  ],
  'dpkg alone': [{ tools: ['dpkg'] }, [/^warning tools: there is dpkg and no apt-get/]],
}
for (const [what, [sick, expected]] of Object.entries(cases)) {
  t.test(`a doctor sees ${what}`, async (t) => {
    const found = ails(sick)
    t.equal(found.length, expected.length, found.join('\n'))
    for (const [index, pattern] of expected.entries()) t.match(found[index], pattern)
  })
}
