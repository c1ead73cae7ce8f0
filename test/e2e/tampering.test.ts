// What a staging server with a valid certificate can do to its children when it runs somebody
// else's code: nothing but withhold. Each attack is refused and named, and the child goes on as
// soon as it gets honest answers.

import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Manifest, SwarmPayload } from '../../src/model/manifest.ts'
import { parseReport, type Report, type ReportBatch } from '../../src/model/report.ts'
import type { Handout } from '../../src/model/wire/announce.ts'
import { reportPayloadType } from '../../src/node/parent/reporter.ts'
import { seal } from '../../src/trust/envelope.ts'
import type { HttpResponse } from '../../src/world/world.ts'
import { startPoisoner } from '../swarm/raw-peer.ts'
import { type Deed, type HostileParent, startHostileParent } from './hostile-parent.ts'
import { addSettings, type RealTree, realTree } from './real-tree.ts'
import { until } from './until.ts'

interface Released {
  /** Of the revision. */
  number: number
  /** Of `motd`. */
  version: string
}

interface Scene {
  tree: RealTree
  hostile: HostileParent
  /** Publishes the next version of `motd` and releases it, and these packages. */
  releaseNext(...others: string[]): Promise<Released>
  /** Waits until the child runs that. */
  converged(released: Released): Promise<Report>
}

t.setTimeout(280_000)

/** A root, a staging server in the wrong hands, and its child, which has converged once. */
async function sceneFor(t: Test, rootSettings: Record<string, unknown> = {}): Promise<Scene> {
  const tree = await realTree(t, rootSettings)
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  const site = 'berlin'
  const { home } = await tree.plant({ name: 'hostile', site, parent: 'root', token, run: false })
  const hostile = await startHostileParent(t, { home, above: tree.nodes.get('root')?.controlUrl ?? '' })
  // It looks often, so that the tests need not wait for its patience.
  const settings = { checkInterval: 500 }
  await tree.plant({ name: 'child', site, parent: 'hostile', token, settings, labels: ['role=shop'] })
  let number = 0
  const releaseNext: Scene['releaseNext'] = async (...others) => {
    number += 1
    const version = `${number}.0`
    await tree.publish('motd', version, { motd: `message ${number}\n` })
    const wanted = ['motd', ...others].map((name) => `${name}: latest`).join(', ')
    await tree.release(
      `groups: { shops: { labels: { role: shop } } }\nrules: [{ nodes: [shops], packages: { ${wanted} } }]\n`,
    )
    return { number, version }
  }
  const converged: Scene['converged'] = ({ number, version }) =>
    tree.reports('child', `runs motd ${version}`, (report) => report.converged === number && runs(report, version))
  await converged(await releaseNext())
  return { tree, hostile, releaseNext, converged }
}

t.test('a hostile staging server', { timeout: 270_000 }, async (t) => {
  const { tree, hostile, releaseNext, converged } = await sceneFor(t)

  t.afterEach(() => hostile.does(null))
  /** What else is released may be on its way in: a whole listing would meet files that vanish. */
  const isInstalled = (shown: string) => {
    const folder = tree.nodes.get('child')?.targetRoot
    if (folder === undefined) throw new Error('the child has no folder')
    return existsSync(path.join(folder, shown))
  }

  /**
   * Every attack ends the same: named in the log and in the report, at the child and as far up as
   * the root.
   */
  const named = async (t: Test, kind: Parameters<RealTree['attacked']>[1], detail: RegExp) => {
    const attack = await tree.attacked('child', kind, detail)
    t.equal(attack.from, 'hostile', 'the report names the attacker')
    // One sender causes few lines of one kind: the first name it, and the report has the details.
    await tree.logged('child', new RegExp(`warn attack attack=${kind} from=hostile detail=`))
    t.pass('the log names the attack')
    await until('the root knows of the attack', async () =>
      (await tree.report('child', 'root')).attacks.some((each) => each.kind === kind && detail.test(each.detail)),
    )
    t.pass('the root knows of it')
    return tree.report('child')
  }

  await t.test('who edits the bytes of a revision is refused', async (t) => {
    const before = { machine: tree.machine('child'), report: await tree.report('child') }
    hostile.does(async (request, honest) => {
      const reply = await honest()
      const revision = request.path.startsWith('/v1/objects/') ? jsonIn(reply) : undefined
      return revision?.['rules'] === undefined ? reply : { ...reply, body: JSON.stringify({ ...revision, rules: [] }) }
    })
    const next = await releaseNext()
    const report = await named(t, 'object-forged', /came with digest/)
    t.equal(report.revision, before.report.revision, 'the child keeps its revision')
    t.match(report.problems.join(), /revision: object .* came with digest .* from hostile/, 'and says what is wrong')
    t.same(tree.machine('child'), before.machine, 'and its software')
    hostile.does(null)
    await converged(next)
    t.pass('and goes on once its parent is honest')
  })

  await t.test('who edits signed metadata is refused', async (t) => {
    const before = tree.wholeState('child')
    const edited = async (): Promise<Map<string, Uint8Array>> => {
      const forged = new TextEncoder().encode(JSON.stringify({ schema: 1, number: 99, rules: [] }))
      const { files, names } = await metadataAbove(hostile)
      const targets = edit(files.get(names.targets), (signed) => {
        signed.targets['revision.json'] = { length: forged.byteLength, hashes: { sha256: sha256Of(forged) } }
      })
      return new Map([...files, [names.targets, targets]])
    }
    hostile.does(async (request, honest) => {
      const file = tufFileOf(request.path)
      return file?.endsWith('.targets.json') ? { status: 200, body: (await edited()).get(file) ?? '' } : honest()
    })
    const next = await releaseNext()
    await named(t, 'metadata-forged', /targets\.json: .*(hash|length)/i)
    t.same(tree.wholeState('child'), before, 'all that it trusts and runs stays as it was')

    // The same with every digest above made to fit, up to the one file that a signature alone
    // protects.
    hostile.does(async (request, honest) => {
      const file = tufFileOf(request.path)
      if (file === undefined) return honest()
      const files = await edited()
      const { names } = await metadataAbove(hostile)
      const metaOf = (name: string) => {
        const bytes = files.get(name) as Uint8Array
        return { length: bytes.byteLength, hashes: { sha256: sha256Of(bytes) } }
      }
      const snapshot = edit(files.get(names.snapshot), (signed) => {
        Object.assign(signed.meta['targets.json'] ?? {}, metaOf(names.targets))
      })
      files.set(names.snapshot, snapshot)
      const timestamp = edit(files.get('timestamp.json'), (signed) => {
        Object.assign(signed.meta['snapshot.json'] ?? {}, metaOf(names.snapshot))
      })
      files.set('timestamp.json', timestamp)
      const body = files.get(file)
      return body === undefined ? honest() : { status: 200, body }
    })
    await named(t, 'metadata-forged', /timestamp\.json: .*signed by 0\/1 keys/)
    t.same(tree.wholeState('child'), before, 'nor does it take a whole forged set')
    hostile.does(null)
    await converged(next)
    t.pass('and goes on once its parent is honest')
  })

  await t.test('who plays all of an older revision again is refused, by a child that was restarted too', async (t) => {
    const { files: old } = await metadataAbove(hostile)
    const newer = await releaseNext()
    await converged(newer)
    const before = tree.wholeState('child')
    hostile.does(replaying(old))
    await named(t, 'rolled-back', /timestamp\.json: .*version \d+ is less than/)
    t.same(tree.wholeState('child'), before, 'the child keeps what is newer')
    await tree.stop('child', 'SIGKILL')
    await tree.start('child')
    await named(t, 'rolled-back', /timestamp\.json: .*version \d+ is less than/)
    const { number } = newer
    const isWhole = ({ revision, state }: Report) => revision === number && state === 'converged'
    await tree.reports('child', `still stands by revision ${number}`, isWhole)
    t.same(tree.wholeState('child'), before, 'also after it was killed and started again')
    hostile.does(null)
    await converged(await releaseNext())
    t.pass('and goes on once its parent is honest')
  })

  await t.test('who flips a byte of a payload is refused', async (t) => {
    const before = tree.machine('child')
    const isPayload = (bytes: Uint8Array) => Buffer.from(bytes).includes('message ')
    hostile.does(async (request, honest) => {
      const reply = await honest()
      const bytes = Buffer.from(reply.body ?? '')
      if (!request.path.startsWith('/v1/objects/') || !isPayload(bytes)) return reply
      return { ...reply, body: flipped(bytes, bytes.indexOf('message ')) }
    })
    const next = await releaseNext()
    const { sha256 } = (await versionOf(tree, 'motd', next.version)).payload
    const report = await named(t, 'object-forged', new RegExp(`object ${sha256} came with digest`))
    t.match(report, { revision: next.number, converged: next.number - 1 }, 'the child knows what it should run')
    t.same(tree.machine('child'), before, 'and runs what it had')
    t.notOk(existsSync(path.join(homeOf(tree, 'child'), 'objects', sha256)), 'nothing of it was stored')
    hostile.does(null)
    await converged(next)
    t.pass('and goes on once its parent is honest')
  })

  await t.test('who describes other pieces than the published ones is refused', async (t) => {
    await tree.publish('atlas', '1.0', { heights: randomBytes(limits.swarmThresholdBytes + 1) })
    const { metainfo, size } = await swarmPayloadOf(tree, 'atlas', '1.0')
    hostile.does(async (request, honest) => {
      const reply = await honest()
      if (request.path !== `/v1/objects/${metainfo}`) return reply
      // Well formed, of other content.
      const bytes = Buffer.from(reply.body ?? '')
      return { ...reply, body: flipped(bytes, bytes.length - 10) }
    })
    const next = await releaseNext('atlas')
    await named(t, 'object-forged', new RegExp(`object ${metainfo} came with digest`))
    t.notOk(isInstalled('opt/atlas'), 'the child installs nothing of it')
    t.same((await tree.report('child')).transfers, [], 'and asks nobody for pieces')
    hostile.does(null)
    const report = await converged(next)
    t.match(
      report.transfers,
      [{ name: 'atlas', have: size, state: 'complete' }],
      'and goes on once its parent is honest',
    )
  })

  await t.test('who gives out a poisoned piece is refused', async (t) => {
    const content = randomBytes(limits.swarmThresholdBytes + 1)
    await tree.publish('globe', '1.0', { heights: content })
    const payload = await swarmPayloadOf(tree, 'globe', '1.0')
    const published = await readFile(path.join(homeOf(tree, 'root'), 'store', payload.sha256))
    const { infoHash, pieceLength } = payload
    const { tls } = hostile.identity
    // In its third piece.
    const bytes = flipped(published, 2 * pieceLength + 7)
    const swarm = await startPoisoner(t, { node: 'hostile', tls, infoHash, bytes, pieceLength })
    hostile.does(async (request, honest) => {
      const reply = await honest()
      if (request.path !== '/v1/announce') return reply
      const handout = jsonIn(reply) as Handout
      const itself = { node: 'hostile', address: null, port: swarm.port, relation: 'parent', site: 'berlin' } as const
      return { ...reply, body: JSON.stringify({ ...handout, swarms: { [payload.infoHash]: [itself] } }) }
    })
    const next = await releaseNext('atlas', 'globe')
    const report = await named(t, 'piece-poisoned', /piece 2 of globe 1\.0/)
    t.notOk(isInstalled('opt/globe'), 'the child installs nothing of it')
    t.notOk(existsSync(path.join(homeOf(tree, 'child'), 'store', payload.sha256)), 'the payload gets no name')
    t.equal(report.converged, next.number - 1)
    hostile.does(null)
    await converged(next)
    const arrived = await readFile(path.join(homeOf(tree, 'child'), 'store', payload.sha256))
    t.ok(arrived.equals(published), 'and has the published bytes once its parent is honest')
  })

  await t.test('who forges or replays reports of its children is refused by the root', async (t) => {
    const batches: ReportBatch[] = []
    hostile.does((request, honest) => {
      if (request.path === '/v1/reports') batches.push(JSON.parse(Buffer.from(request.body).toString()))
      return honest()
    })
    await converged(await releaseNext('atlas', 'globe'))
    const genuine = await tree.report('child')
    await until(
      'the root has that report',
      async () => (await tree.report('child', 'root')).counter === genuine.counter,
    )
    const newest = batches.at(-1) as ReportBatch
    const [envelope] = newest.reports
    if (envelope === undefined) throw new Error('an empty batch')
    const lie = { ...genuine, counter: genuine.counter + 1, packages: [], problems: ['all is well'] }
    const payload = Buffer.from(JSON.stringify(lie))
    const { privateKey, keyId, certificateDer } = hostile.identity
    const ownCertificate = Buffer.from(certificateDer).toString('base64')
    const ownSeal = seal({ payloadType: reportPayloadType, payload, privateKey, keyId })
    const [childKey] = Object.keys(newest.certificates)
    const forgeries: [what: string, batch: ReportBatch, detail: RegExp][] = [
      [
        'an edited payload under the old signature',
        { ...newest, reports: [{ ...envelope, payload: payload.toString('base64') }] },
        /signature of child does not hold/,
      ],
      [
        'a report of the child under its own signature',
        { reports: [ownSeal], certificates: { [keyId]: ownCertificate } },
        /hostile signed a report of child/,
      ],
      [
        'its own signature under the name of the child',
        {
          reports: [{ ...ownSeal, signatures: [{ keyid: childKey ?? '', sig: ownSeal.signatures[0]?.sig ?? '' }] }],
          certificates: { [childKey ?? '']: ownCertificate },
        },
        /envelope is signed by [0-9a-f]+, and the key of hostile is/,
      ],
      ['a report without its certificate', { ...newest, certificates: {} }, /without the certificate/],
    ]
    for (const [index, [what, batch, detail]] of forgeries.entries()) {
      await hostile.call('POST', '/v1/reports', JSON.stringify(batch))
      await tree.logged('root', new RegExp(`warn attack attack=report-forged from=hostile detail=.*${detail.source}`))
      t.pass(what)
      // Of one attacker the report keeps a few.
      if (index < limits.attacksKeptOfOne) await tree.attacked('root', 'report-forged', detail)
    }
    const { attacks } = await tree.report('root')
    t.same([...new Set(attacks.map(({ from }) => from))], ['hostile'], 'the report of the root names the attacker')
    const older = batches.find((batch) => counterIn(batch) < genuine.counter) as ReportBatch
    await hostile.call('POST', '/v1/reports', JSON.stringify(older))
    const replayed = new RegExp(`report ${counterIn(older)} of child is not newer than ${genuine.counter}`)
    const attack = await tree.attacked('root', 'report-replayed', replayed)
    t.equal(attack.from, 'hostile', 'an old report once more')
    await tree.logged('root', new RegExp(`warn attack attack=report-replayed from=hostile detail=.*${replayed.source}`))
    t.same(await tree.report('child', 'root'), genuine, 'the root knows of the child what the child said last')

    hostile.does(null)
    const next = await releaseNext('atlas', 'globe')
    await converged(next)
    await until('the root hears of it', async () => (await tree.report('child', 'root')).converged === next.number)
    t.pass('and goes on hearing from it once its parent is honest')
  })
})

t.test('a staging server that claims another site for its child changes nothing but its swarm', async (t) => {
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  const { home } = await tree.plant({ name: 'hostile', site: 'berlin', parent: 'root', token, run: false })
  const hostile = await startHostileParent(t, { home, above: tree.nodes.get('root')?.controlUrl ?? '' })
  let claims = 0
  hostile.does(async (request, honest) => {
    const reply = await honest()
    const handout = request.path === '/v1/announce' ? jsonIn(reply) : undefined
    if (handout?.['site'] === undefined) return reply
    claims += 1
    return { ...reply, body: JSON.stringify({ ...handout, site: 'madrid' }) }
  })
  await tree.publish('motd', '1.0', { motd: 'for all\n' })
  await tree.publish('payroll', '1.0', { payroll: 'for madrid alone\n' })
  await tree.publish('till', '1.0', { till: 'for all but madrid\n' })
  await tree.release(
    'groups: { madrid: { site: madrid } }\n' +
      'rules:\n  - { nodes: all, packages: { motd: latest, till: latest } }\n' +
      '  - { nodes: [madrid], packages: { payroll: latest, till: absent } }\n',
  )
  await tree.plant({ name: 'child', site: null, parent: 'hostile', token, settings: { checkInterval: 500 } })

  const heard = (report: Report) => report.site === 'madrid' && report.converged === 1
  const report = await tree.reports('child', 'has heard the claim and converged', heard)
  t.ok(claims > 0, 'the parent has claimed it')
  t.equal(report.siteIsSeen, true, 'the report says that its parent saw this site')
  t.ok(runs(report, '1.0') && runs(report, '1.0', 'till'), 'what all nodes should have is there')
  t.notOk(runs(report, '1.0', 'payroll'), 'what only nodes of that site should have is not')

  await tree.stop('child', 'SIGTERM')
  await tree.start('child')
  const again = await tree.reports(
    'child',
    'has converged again',
    (next) => next.counter > report.counter && heard(next),
  )
  t.notOk(runs(again, '1.0', 'payroll'), 'nor after a restart')
  t.ok(runs(again, '1.0', 'till'))
  const isKnown = async () => (await tree.report('child', 'root')).counter >= again.counter
  await until('the root has that report', isKnown)
  const plan = JSON.parse(await tree.must('root', 'plan', '--json'))
  t.equal(plan.nodes?.changing ?? 0, 0, 'and the root reckons the same')
})

t.test('a staging server that holds fresh metadata back leaves its child stale, and the root knows', async (t) => {
  const { tree, hostile, releaseNext, converged } = await sceneFor(t, { timestampLifetime: 4_000 })
  const { files: held } = await metadataAbove(hostile)
  const ends = Date.parse(JSON.parse(Buffer.from(held.get('timestamp.json') ?? '').toString()).signed.expires)
  const replay = replaying(held)
  hostile.does((request, honest) => {
    if (request.path !== '/v1/watch') return replay(request, honest)
    // No news, as long as anybody waits for some.
    return new Promise((resolve) => request.signal.addEventListener('abort', () => resolve({ status: 503 })))
  })
  // The fix that the thief of that server wants to keep away.
  const next = await releaseNext()
  const machine = tree.machine('child')

  await until('the root is told', async () => (await tree.report('child', 'root')).state === 'stale')
  t.pass('the root knows that the child is stale')
  // The time is over before the next refresh finds that out, and a report may come in between.
  const report = await tree.reports(
    'child',
    'is stale, and says why',
    ({ state, problems }) => state === 'stale' && problems.length > 0,
  )
  t.match(report.problems, [/timestamp\.json ended at .*, and nothing newer was offered/], 'with the reason')
  t.ok(report.at >= ends, 'not before the signed time was over')
  t.same(report.attacks, [], 'and accuses nobody: its parent could be cut off, too')
  t.match(report, { revision: next.number - 1, converged: next.number - 1 }, 'the child keeps its revision')
  t.same(tree.machine('child'), machine, 'and its software')

  await tree.stop('child', 'SIGTERM')
  await addSettings(homeOf(tree, 'child'), { parents: [tree.nodes.get('root')?.controlUrl] })
  await tree.start('child')
  await converged(next)
  t.pass('and goes on once it has another parent')
})

/** All of the metadata that the real parent gives out now, and the names of two of its files. */
async function metadataAbove(
  hostile: HostileParent,
): Promise<{ files: Map<string, Uint8Array>; names: { targets: string; snapshot: string } }> {
  const files = new Map<string, Uint8Array>()
  const take = async (file: string) => {
    const { status, body } = await hostile.call('GET', `/v1/tuf/${file}`)
    if (status !== 200) throw new Error(`${file}: ${status}`)
    files.set(file, body)
    return JSON.parse(Buffer.from(body).toString()).signed
  }
  const timestamp = await take('timestamp.json')
  const snapshotName = `${timestamp.meta['snapshot.json'].version}.snapshot.json`
  const { meta } = await take(snapshotName)
  const targetsName = `${meta['targets.json'].version}.targets.json`
  await take(targetsName)
  await take(`${meta['rollouts.json'].version}.rollouts.json`)
  return { files, names: { targets: targetsName, snapshot: snapshotName } }
}

/** Gives out these files whenever metadata is asked for, and says that there is news. */
function replaying(files: ReadonlyMap<string, Uint8Array>): Deed {
  return (request, honest) => {
    const file = tufFileOf(request.path)
    if (file === undefined) return honest()
    const body = files.get(file)
    return Promise.resolve(body === undefined ? { status: 404 } : { status: 200, body })
  }
}

/** What the tests edit in metadata, as loosely typed as an attacker sees it. */
interface SignedPart {
  targets: Record<string, unknown>
  meta: Record<string, object>
}

function edit(bytes: Uint8Array | undefined, change: (signed: SignedPart) => void): Uint8Array {
  const document = JSON.parse(Buffer.from(bytes ?? '').toString())
  change(document.signed)
  return new TextEncoder().encode(JSON.stringify(document))
}

function tufFileOf(path: string): string | undefined {
  return /^\/v1\/tuf\/(.*)$/.exec(path)?.[1]
}

function jsonIn({ body }: HttpResponse): Record<string, unknown> | undefined {
  try {
    return JSON.parse(Buffer.from(body ?? '').toString())
  } catch {
    return undefined
  }
}

function counterIn({ reports }: ReportBatch): number {
  const report = JSON.parse(Buffer.from(reports[0]?.payload ?? '', 'base64').toString())
  return report.node === 'child' ? parseReport(report, 'report').counter : Number.POSITIVE_INFINITY
}

function runs(report: Report, version: string, name = 'motd'): boolean {
  return report.packages.some((each) => each.name === name && each.version === version)
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function homeOf(tree: RealTree, name: string): string {
  return tree.nodes.get(name)?.home ?? ''
}

async function versionOf(
  tree: RealTree,
  name: string,
  version: string,
): Promise<Pick<Manifest, 'payload'> & { manifest: string }> {
  const versions = JSON.parse(await tree.must('root', 'package', name, '--json'))
  return versions.find((each: { version: string }) => each.version === version)
}

async function swarmPayloadOf(tree: RealTree, name: string, version: string): Promise<SwarmPayload> {
  const { payload } = await versionOf(tree, name, version)
  if (payload.via !== 'swarm') throw new Error(`${name} ${version} travels as an object`)
  return payload
}
