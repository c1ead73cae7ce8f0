// The commands against a daemon that answers what each case says: what is asked, what is printed,
// which exit code.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import type { AnswerOf } from '../../src/model/local-api/calls.ts'
import type { Outcome } from '../../src/model/report.ts'
import { serveLocal } from '../../src/world/local.ts'
import {
  type Answer,
  answerTo,
  linesOf,
  measured,
  node,
  noNodes,
  plan,
  published,
  rawAnswer,
  report,
  rollout,
  status,
  transfer,
} from './answers.ts'
import { type Ended, runBanyan } from './run-banyan.ts'

interface Asked {
  call: string
  body: unknown
}

t.test('rollouts are listed with what halted them', async (t) => {
  const { ended } = await ask(t, ['rollout'], answerTo('GET /rollouts', { rollouts: [rollout] }))
  t.equal(
    ended.stdout,
    `ROLLOUT     PACKAGES    STATE   WAVE           NODES  DONE  FAILED  UNDERWAY  SILENT  NEXT WAVE
careful@12  shop 4.2.0  halted  2 of 3 (10 %)     98    90       3         5       0  -

careful@12 is halted: 3 of 98 nodes failed
  shop-7: shop: exit code 1
`,
  )
})

t.test('a rollout is halted, resumed and advanced by its name', async (t) => {
  const running = answerTo('POST /rollouts', {
    ...rollout,
    state: 'running',
    halted: null,
    failed: [],
    nextInMs: 60_000,
  })
  const { ended, asked } = await ask(t, ['rollout', 'halt', 'shop', '--because', 'orders get lost'], running)
  t.equal(ended.code, 0)
  t.same(asked, [{ call: 'POST /rollouts', body: { action: 'halt', rollout: 'shop', because: 'orders get lost' } }])
  t.match(ended.stdout, /running .* in 60 s\n$/)
  for (const wrong of [['resume'], ['advance', 'shop', '--because', 'x'], ['stop', 'shop']]) {
    const { ended, asked } = await ask(t, ['rollout', ...wrong], running)
    t.same([ended.code, asked], [2, []], wrong.join(' '))
  }
})

t.test('nodes are listed in aligned columns', async (t) => {
  const { ended, asked } = await ask(
    t,
    ['nodes'],
    answerTo('GET /nodes', { nodes: [{ ...node, node: 'root', parent: null }, node] }),
  )
  t.same(asked, [{ call: 'GET /nodes', body: undefined }])
  t.match(ended, { code: 0, stderr: '' })
  t.equal(
    ended.stdout,
    [
      'NODE    PARENT  SITE    CONDITION  REVISION  CONVERGED  PACKAGES  FAILED  HEARD OF',
      'root    -       berlin  pending           5          4        12       0  12s ago',
      'shop-7  berlin  berlin  pending           5          4        12       0  12s ago',
      '',
    ].join('\n'),
  )
})

t.test('reading commands print with --json exactly what the daemon said', async (t) => {
  const { ended } = await ask(t, ['nodes', '--json'], answerTo('GET /nodes', { nodes: [node] }))
  t.same(JSON.parse(ended.stdout), [node])
})

t.test('a field that another version does not send is left out', async (t) => {
  const { ended } = await ask(t, ['nodes'], rawAnswer({ nodes: [{ node: 'old' }] }))
  t.match(ended, { code: 0, stdout: /^old +- +- +- +- +- +- +- +-$/m })
})

t.test('names from other machines cannot steer the terminal', async (t) => {
  const hostile = { ...node, site: '\u001b]0;owned\u0007\u009b31m' }
  const { ended } = await ask(t, ['nodes'], answerTo('GET /nodes', { nodes: [hostile] }))
  const steering = ['\u0007', '\u001b', '\u009b']
  t.notOk(steering.some((character) => ended.stdout.includes(character)))
  const { ended: asJson } = await ask(t, ['nodes', '--json'], answerTo('GET /nodes', { nodes: [hostile] }))
  t.notOk(steering.some((character) => asJson.stdout.includes(character)))
  t.same(JSON.parse(asJson.stdout), [hostile])
})

t.test('names from other machines cannot forge a line', async (t) => {
  const hostile = { ...node, site: 'berlin\nconverged  yes', labels: {}, parent: 'x\u2028y\rz' }
  const { ended } = await ask(t, ['node-info', 'shop-7'], rawAnswer(hostile))
  t.match(ended.stdout, /^site +berlin converged {2}yes$/m)
  t.match(ended.stdout, /^parent +x y z$/m)
  const { ended: refused } = await ask(t, ['nodes'], async () => {
    throw new Failure('refused', 'no\nall is well', { hint: 'do\nthis' })
  })
  t.match(refused.stderr, /^error: no all is well\nhint: do this\n$/)
})

t.test('a plan says what changes where, what crosses the links, and what is not known', async (t) => {
  for (const command of [['plan'], ['release', '--dry-run']]) {
    const { ended, asked } = await ask(t, command, answerTo('GET /plan', plan))
    t.same(asked, [{ call: 'GET /plan', body: undefined }])
    t.match(ended, { code: 3, stderr: /no rule uses the group web/ })
    for (const line of [
      /^revision 6 would change 3 of 4 known nodes$/m,
      /^shop +upgrade +4\.1\.0 -> 4\.2\.0 +planned +4 +shop-1, shop-2, shop-3 and 1 more$/m,
      /^berlin +2 +1 +2\.0 MiB +2\.0 s +1\.0 MiB\/s, as observed$/m,
      /^oslo +1 +1 +2\.0 MiB +unknown +unknown$/m,
      /^ {2}1 node is silent, and counted as it last was: shop-9$/m,
      /^ {2}telnetd on 2 nodes: not known whether there is one to remove$/m,
      /^libshop \(>= 2\) +shop 4\.2\.0 +12 +2 +shop-1, shop-2$/m,
      /refused without --allow-missing-dependencies$/m,
      /refused without --allow-removals: it removes 3 of 9 installed packages$/m,
    ]) {
      t.match(ended.stdout, line)
    }
  }
  const { ended } = await ask(t, ['plan', '--json'], answerTo('GET /plan', { ...plan, changing: 0 }))
  t.match(ended, { code: 0 })
  t.same(JSON.parse(ended.stdout), { ...plan, changing: 0 })
})

t.test('a rollback is asked for by its number, and what it leaves is said', async (t) => {
  const released = { number: 8, packages: 3, warnings: ['policy.yaml is left as it is'] }
  const { ended, asked } = await ask(
    t,
    ['rollback', '4', '-m', 'as before'],
    linesOf('POST /rollback', [{ step: 'signing' }, { released }]),
  )
  t.same(asked, [{ call: 'POST /rollback', body: { revision: 4, message: 'as before', allowRemovals: false } }])
  t.match(ended, { code: 0, stdout: 'released revision 8 with 3 packages\n', stderr: /warning: policy.yaml is left/ })
  const dry = await ask(t, ['rollback', '4', '--dry-run'], answerTo('POST /rollback/plan', plan))
  t.same(dry.asked, [{ call: 'POST /rollback/plan', body: { revision: 4 } }])
  t.match(dry.ended, { code: 3, stdout: /^revision 6 would change 3 of 4 known nodes$/m })
  t.match((await ask(t, ['rollback', 'four'], rawAnswer({}))).ended, { code: 2, stderr: /expected a whole number/ })
})

t.test('history and diff say what changed', async (t) => {
  const at = Date.UTC(2026, 10, 24, 14, 0, 5)
  const change = { name: 'shop', from: ['4.1.0'], to: ['4.2.0'] }
  const revisions = [
    { number: 3, released: at, message: 'back', rollbackTo: 1, packages: [change], terms: false },
    { number: 2, released: at, message: '', rollbackTo: null, packages: [], terms: true },
  ]
  const { ended } = await ask(t, ['history'], answerTo('GET /history', { revisions }))
  t.match(ended.stdout, /^ +3 +2026-11-24 14:00:05Z +rollback to 1, shop 4\.1\.0 -> 4\.2\.0 +back$/m)
  t.match(ended.stdout, /^ +2 .*groups or rules$/m)
  const diff = await ask(
    t,
    ['diff', '1', '3'],
    answerTo('POST /diff', { packages: [{ ...change, from: [] }], terms: false }),
  )
  t.same(diff.asked, [{ call: 'POST /diff', body: { from: 1, to: 3 } }])
  t.match(diff.ended.stdout, /^shop +- -> 4\.2\.0$/m)
})

t.test('one node is shown with its newest report', async (t) => {
  const full: typeof report = {
    ...report,
    labels: { role: 'shop' },
    problems: ['parent berlin does not answer'],
    needs: { reboot: 'asked for by libc6', restarts: ['cron.service'] },
    restarts: [{ unit: 'shop.service', state: 'failed', at: Date.now() - 60_000, detail: 'it took too long' }],
    output: 'Setting up shop\n\u001b[31mpostinst: no such user\u001b[0m\u0007\n',
    packages: [{ name: 'jq', kind: 'deb', outcome: 'changed', before: '1.5', version: '1.6', difference: 'pending' }],
    transfers: [transfer],
  }
  const { ended, asked } = await ask(
    t,
    ['node-info', 'shop-7'],
    answerTo('GET /nodes/:name', { ...node, report: full, distances: [measured] }),
  )
  t.same(asked, [{ call: 'GET /nodes/shop-7', body: undefined }])
  for (const line of [
    /^node +shop-7$/m,
    /^labels +role=shop$/m,
    /^heard of +12s ago through berlin$/m,
    /^ {2}parent berlin does not answer$/m,
    /^the last apply printed\n {2}Setting up shop\n {3}postinst: no such user *$/m,
    /^reboot +needed: asked for by libc6$/m,
    /^ {2}shop\.service could not be restarted, .*ago: it took too long$/m,
    /^ {2}cron\.service runs from files that are gone: it needs a restart$/m,
    /^jq +deb +changed +1\.5 -> 1\.6$/m,
    /^shop +4\.2\.0 +fetching +1\.0 KiB +2\.0 KiB/m,
  ]) {
    t.match(ended.stdout, line)
  }
})

t.test('a .torrent file is written where it was asked for', async (t) => {
  const folder = t.testdir({})
  const about = { name: 'tool', version: '1.0', infoHash: 'a'.repeat(40), announce: 'http://staging:6969/announce' }
  const answer = answerTo('GET /torrents/:name', { ...about, torrent: Buffer.from('d4:infodee').toString('base64') })
  const { ended, asked } = await ask(t, ['torrent', 'tool', '1.0', '--arch', 'all'], answer, folder)
  t.same(asked, [{ call: 'GET /torrents/tool', body: undefined }])
  const file = path.join(folder, 'tool_1.0.torrent')
  t.equal(fs.readFileSync(file, 'utf8'), 'd4:infodee')
  t.match(ended.stdout, `wrote ${file}: tool 1.0, from http://staging:6969/announce`)
  const nowhere = await ask(t, ['torrent', 'tool', '--output', '/dev/null/x', '--json'], answer)
  t.match(nowhere.ended, { code: 1, stderr: /^error: \/dev\/null\/x: / })
})

t.test('metrics are printed as the node tells them', async (t) => {
  const text = '# TYPE banyan_revision gauge\nbanyan_revision 4\n# EOF\n'
  const { ended, asked } = await ask(t, ['metrics'], async () => ({ status: 200, text, contentType: 'text/plain' }))
  t.same(asked, [{ call: 'GET /metrics', body: undefined }])
  t.equal(ended.stdout, text)
})

t.test('status shows the node, its link and its subtree', async (t) => {
  const island: typeof status = {
    ...status,
    rates: { upload: 0, download: null, link: { upload: 0, download: null } },
    heldBack: 'it runs on its battery',
    link: { kind: 'island', since: 0, because: 'berlin does not answer' },
    problems: ['berlin does not answer'],
    summary: {
      ...status.summary,
      nodes: 3,
      converged: 2,
      silent: 1,
      byRevision: { 5: 2, none: 1 },
      oldest: { node: 'shop-9', ageMs: 3 * 3600_000 },
      withDrift: 1,
      withReboot: 2,
      withRestarts: 1,
    },
    sites: [{ ...noNodes, site: null, distance: null, nodes: 3, converged: 2, silent: 1 }],
  }
  const { ended } = await ask(t, ['status'], answerTo('GET /status', island))
  for (const line of [
    /^node +shop-7$/m,
    /^link +island, since \d+d ago: berlin does not answer$/m,
    /^nodes +3: 2 converged, 1 silent$/m,
    /^revisions +2 at 5, 1 at none$/m,
    /^oldest +shop-9, heard of 3h ago$/m,
    /^trouble +1 with drift$/m,
    /^limits +upload 0 B\/s, link upload 0 B\/s; gives nothing: it runs on its battery$/m,
    /^needed +a reboot on 2 nodes, restarts of services on 1 node$/m,
    /^SITE +NODES +CONVERGED +SILENT\n- +3 +2 +1$/m,
  ]) {
    t.match(ended.stdout, line)
  }
})

const difference: AnswerOf<'GET /check'>['differences'][number] = {
  name: 'jq',
  kind: 'deb',
  what: 'upgrade',
  from: '1.5',
  to: '1.6',
  state: 'planned',
  why: 'revision 5 wants 1.6',
}

function checkAnswer(check: { revision: number | null; looked: boolean }): Answer {
  return answerTo('GET /check', { ...check, converged: null, differences: [] })
}

t.test('check ends with 3 when something differs', async (t) => {
  const { ended } = await ask(
    t,
    ['check'],
    answerTo('GET /check', { revision: 5, converged: 4, looked: true, differences: [difference] }),
  )
  t.match(ended, { code: 3, stderr: '' })
  t.match(ended.stdout, /^1 difference to revision 5$/m)
  t.match(ended.stdout, /^jq +upgrade +1\.5 -> 1\.6 +planned +revision 5 wants 1\.6$/m)
})

t.test('check ends with 0 when nothing differs, or nothing was released', async (t) => {
  const converged = await ask(t, ['check'], checkAnswer({ revision: 5, looked: true }))
  t.match(converged.ended, { code: 0, stdout: 'no difference to revision 5\n' })
  const fresh = await ask(t, ['check'], checkAnswer({ revision: null, looked: false }))
  t.match(fresh.ended, { code: 0, stdout: 'no revision is here yet\n' })
})

t.test('check ends with 3 while the machine was not compared with the newest revision', async (t) => {
  const { ended } = await ask(t, ['check'], checkAnswer({ revision: 6, looked: false }))
  t.match(ended, { code: 3, stdout: 'this machine has not been compared with revision 6 yet\n' })
})

t.test('why shows the rule and the reason', async (t) => {
  const why: AnswerOf<'GET /why/:name'> = {
    package: 'g++',
    revision: 5,
    desired: '12.2',
    line: 7,
    installed: null,
    byBanyan: false,
    difference: 'install (pending): not installed',
    payload: { have: 1024, size: 2048, state: 'fetching' },
    held: false,
    waits: null,
    quarantine: null,
    reason: 'its payload is on the way',
  }
  const { ended, asked } = await ask(t, ['why', 'g++'], answerTo('GET /why/:name', why))
  t.same(asked, [{ call: 'GET /why/g%2B%2B', body: undefined }])
  t.equal(
    ended.stdout,
    [
      'package     g++',
      'revision    5',
      'desired     12.2',
      'rule        policy.yaml line 7',
      'installed   not installed',
      'difference  install (pending): not installed',
      'payload     1.0 KiB of 2.0 KiB, fetching',
      'reason      its payload is on the way',
      '',
    ].join('\n'),
  )
})

t.test('apply tells what became of each package, and fails if one failed', async (t) => {
  const outcomes: Outcome[] = [
    { name: 'jq', kind: 'deb', outcome: 'changed', before: null, version: '1.6', difference: 'pending' },
    {
      ...{ name: 'shop', kind: 'tree', outcome: 'failed', before: '4.1', version: '4.1', difference: 'pending' },
      detail: 'hook ended with 1',
    },
  ]
  const { ended, asked } = await ask(
    t,
    ['apply'],
    linesOf('POST /apply', [
      { progress: { applying: true, revision: 5, converged: 4, looked: true, differences: [difference, difference] } },
      { outcomes },
    ]),
  )
  t.same(asked, [{ call: 'POST /apply', body: {} }])
  t.match(ended, { code: 1, stderr: 'apply: 2 differences to revision 5, applying\n' })
  t.match(ended.stdout, /^jq +deb +changed +- -> 1\.6$/m)
  t.match(ended.stdout, /^shop +tree +failed +4\.1 +hook ended with 1$/m)
})

t.test('a token is printed alone on its line', async (t) => {
  const args = ['token', 'create', '--ttl', '15m', '--uses', '20', '--parent', 'https://10.0.0.1:7420']
  const { ended, asked } = await ask(t, args, answerTo('POST /tokens', { token: 'banyan-abc' }))
  t.same(asked, [{ call: 'POST /tokens', body: { ttlMs: 900_000, uses: 20, parents: ['https://10.0.0.1:7420'] } }])
  t.match(ended, { code: 0, stdout: 'banyan-abc\n', stderr: '' })
})

t.test('a token is for one node and one hour unless somebody says otherwise', async (t) => {
  const { asked } = await ask(t, ['token', 'create'], answerTo('POST /tokens', { token: 'x' }))
  t.same(asked, [{ call: 'POST /tokens', body: { ttlMs: 3600_000, uses: 1 } }])
})

t.test('packages are listed with their newest version', async (t) => {
  const packages: AnswerOf<'GET /packages'>['packages'] = [
    {
      ...{ name: 'jq', kind: 'deb', versions: ['1.6', '1.5'], archs: ['amd64'], bytes: 65_536 },
      ...{ summary: 'JSON processor', kinds: ['deb'], targets: [] },
    },
  ]
  const { ended } = await ask(t, ['packages'], answerTo('GET /packages', { packages }))
  t.match(ended.stdout, /^jq +deb +1\.6 +2 +amd64 +64\.0 KiB +JSON processor$/m)
  const targeted = packages.map((each) => ({
    ...each,
    kinds: ['deb' as const, 'rpm' as const],
    targets: ['os.codename=bookworm'],
  }))
  t.match(
    (await ask(t, ['packages'], answerTo('GET /packages', { packages: targeted }))).ended.stdout,
    /^jq +deb rpm +1\.6 +2 +amd64 +os\.codename=bookworm +64\.0 KiB/m,
  )
  t.match(
    (await ask(t, ['packages'], answerTo('GET /packages', { packages: [] }))).ended.stdout,
    'the repository is empty',
  )
})

t.test('one package is shown version by version', async (t) => {
  const { ended, asked } = await ask(t, ['package', 'shop'], answerTo('GET /packages/:name', { versions: [published] }))
  t.same(asked, [{ call: 'GET /packages/shop', body: undefined }])
  t.match(ended.stdout, /^payload +20\.0 MiB in pieces of 256\.0 KiB$/m)
})

t.test('several paths are published one after the other, as absolute paths', async (t) => {
  const cwd = t.testdir()
  const { ended, asked } = await ask(
    t,
    ['publish', './shop', '/srv/jq.deb'],
    linesOf('POST /publish', [
      { step: 'packing', done: 1, total: 2 },
      { step: 'hashing', done: 1, total: 2 },
      { published },
    ]),
    cwd,
  )
  t.same(asked, [
    { call: 'POST /publish', body: { path: path.join(cwd, 'shop') } },
    { call: 'POST /publish', body: { path: '/srv/jq.deb' } },
  ])
  const line = 'published shop 4.2.0 (tree, all, 20.0 MiB in pieces of 256.0 KiB)\n'
  t.equal(ended.stdout, line + line)
  t.match(ended.stderr, 'publish ./shop: packing\npublish ./shop: hashing\npublish /srv/jq.deb: packing\n')
})

t.test('publish names the package and its version', async (t) => {
  const args = ['publish', '/srv/shop', '--name', 'shop', '--version', '4.2.0', '--json']
  const { ended, asked } = await ask(
    t,
    args,
    linesOf('POST /publish', [{ published: { ...published, outcome: 'already' } }]),
  )
  t.same(asked, [{ call: 'POST /publish', body: { path: '/srv/shop', name: 'shop', version: '4.2.0' } }])
  t.same(JSON.parse(ended.stdout), [{ ...published, outcome: 'already' }])
})

t.test('a path that cannot be published stops the rest, and what was published before is still told', async (t) => {
  let calls = 0
  const { ended, asked } = await ask(t, ['publish', '/a', '/b', '/c', '--json'], async (request) => {
    calls += 1
    if (calls === 1) return linesOf('POST /publish', [{ published }])(request)
    throw new Failure('bad-input', '/b: not a .deb file', { hint: 'is the file complete?' })
  })
  t.equal(asked.length, 2)
  t.match(ended, { code: 1 })
  t.match(ended.stderr, 'error: /b: not a .deb file\nhint: is the file complete?\n')
  t.same(JSON.parse(ended.stdout), [published])
})

t.test('release prints the number, and warnings on standard error', async (t) => {
  const released = { number: 6, packages: 12, warnings: ['group web matches no node'] }
  const { ended, asked } = await ask(
    t,
    ['release', '-m', 'shop 4.2', '--allow-removals'],
    linesOf('POST /release', [{ step: 'signing' }, { released }]),
  )
  t.same(asked, [{ call: 'POST /release', body: { message: 'shop 4.2', allowRemovals: true, allowMissing: false } }])
  t.match(ended, {
    code: 0,
    stdout: 'released revision 6 with 12 packages\n',
    stderr: 'release: signing\nwarning: group web matches no node\n',
  })
})

t.test('a refused release fails with what the daemon said', async (t) => {
  const { ended } = await ask(t, ['release'], async () => {
    throw new Failure('bad-input', 'policy.yaml:3: unknown package opensl', { hint: 'did you mean openssl?' })
  })
  t.match(ended, {
    code: 1,
    stdout: '',
    stderr: 'error: policy.yaml:3: unknown package opensl\nhint: did you mean openssl?\n',
  })
})

t.test('a daemon that goes away in the middle is an error', async (t) => {
  const { ended } = await ask(t, ['release'], linesOf('POST /release', [{ step: 'signing' }]))
  t.match(ended, { code: 1, stdout: '', stderr: /^error: the daemon went away in the middle$/m })
})

/** Runs the command with a home where such a daemon listens. */
async function ask(
  t: Test,
  args: readonly string[],
  answer: Answer,
  cwd = os.tmpdir(),
): Promise<{ ended: Ended; asked: Asked[] }> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'banyan-cli-'))
  t.teardown(() => fs.rmSync(home, { recursive: true }))
  fs.mkdirSync(path.join(home, 'run'))
  const asked: Asked[] = []
  const server = await serveLocal({
    path: path.join(home, 'run', 'control.sock'),
    handler: (request) => {
      const body = request.body.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(request.body))
      asked.push({ call: `${request.method} ${request.path}`, body })
      return answer(request)
    },
    onError: (error) => t.error(error),
  })
  try {
    return { ended: await runBanyan(args, { env: { BANYAN_HOME: home }, cwd }), asked }
  } finally {
    await server.close()
  }
}
