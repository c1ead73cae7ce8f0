import * as fs from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createTarCheck } from '../../src/model/packages/tree-check.ts'
import type { ApplyContext } from '../../src/reconcile/providers/provider.ts'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import { unpackTree } from '../../src/reconcile/providers/tree/tree-unpack.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import type { Disk } from '../../src/world/world.ts'
import { buildTree, stepOf } from './packages.ts'
import { type Entry, tarOf, treeOf } from './tar-writer.ts'

const good: Entry = { path: 'good', content: 'good' }

const hostile: Readonly<Record<string, Entry[]>> = {
  'an absolute path': [good, { path: '/tmp/banyan-escaped', content: 'x' }],
  'a path that climbs': [good, { path: '../escaped', content: 'x' }],
  'a path that climbs in the middle': [good, { path: 'a/../../escaped', content: 'x' }],
  'a path with an empty name': [{ path: 'a//b', content: 'x' }],
  'a folder that climbs': [{ path: '../escaped/', type: '5', mode: 0o755 }],
  'a link to an absolute path': [{ path: 'l', type: '2', target: '/etc' }],
  'a link that climbs': [{ path: 'd/l', type: '2', target: '../../escaped' }],
  'a link that climbs after a name': [{ path: 'l', type: '2', target: 'd/../../escaped' }],
  'a link to nothing': [{ path: 'l', type: '2', target: '' }],
  'a file through a link': [
    { path: 'l', type: '2', target: 'd' },
    { path: 'l/file', content: 'x' },
  ],
  'a file in the place of a link': [
    { path: 'l', type: '2', target: 'good' },
    { path: 'l', content: 'x' },
  ],
  'a link in the place of a folder': [
    { path: 'd/', type: '5', mode: 0o755 },
    { path: 'd', type: '2', target: 'good' },
  ],
  'a file below a file': [good, { path: 'good/x', content: 'x' }],
  'the same file twice': [good, good],
  'a hard link to the outside': [{ path: 'h', type: '1', target: '../../root-secret' }],
  'a hard link to an absolute path': [{ path: 'h', type: '1', target: '/etc/passwd' }],
  'a hard link to a link': [
    { path: 'l', type: '2', target: 'good' },
    { path: 'h', type: '1', target: 'l' },
  ],
  'a hard link to what is not there': [{ path: 'h', type: '1', target: 'nothing' }],
  'a character device': [{ path: 'null', type: '3' }],
  'a block device': [{ path: 'sda', type: '4' }],
  'a pipe': [{ path: 'pipe', type: '6' }],
  'a setuid file': [{ path: 'su', content: 'x', mode: 0o4755 }],
  'a setgid folder': [{ path: 'd/', type: '5', mode: 0o2755 }],
  'nothing at all': [],
}

t.test('no hostile tar is unpacked, and nothing of one stays anywhere', async (t) => {
  for (const [what, entries] of Object.entries(hostile)) {
    const { folder, refusal } = await unpackInto(t, tarOf(entries))
    t.match(refusal, { code: 'bad-input' }, what)
    t.same(await fs.readdir(folder), ['payload', 'root-secret'], `${what}: nothing is left`)
  }
  t.equal(await fs.readFile('/tmp/banyan-escaped', 'utf8').catch(() => 'not there'), 'not there')
})

t.test('damaged payloads are refused', async (t) => {
  const whole = tarOf([{ path: 'a', content: 'x'.repeat(3000) }, good])
  const flipped = Buffer.from(whole)
  flipped[0] = 0x62
  const { gzipSync } = await import('node:zlib')
  const damaged = {
    empty: Buffer.alloc(0),
    zeros: Buffer.alloc(4096),
    cut: whole.subarray(0, 1500),
    flipped,
    gzip: gzipSync(whole),
  }
  for (const [what, bytes] of Object.entries(damaged)) {
    const { folder, refusal } = await unpackInto(t, bytes)
    t.match(refusal, { code: 'bad-input' }, what)
    t.same(await fs.readdir(folder), ['payload', 'root-secret'], `${what}: nothing is left`)
  }
})

t.test('more bytes or entries than the manifest allows are refused', async (t) => {
  t.match((await unpackInto(t, tarOf([{ path: 'a', content: 'x'.repeat(5000) }]), 4999)).refusal, { code: 'bad-input' })
  const check = createTarCheck({ entries: 2, bytes: 10 })
  const kinds = ['a', 'b', 'c'].map((name) => check.accept({ path: name, type: 'File', size: 1 }).kind)
  t.same(kinds, ['file', 'file', 'refused'])
  t.ok(limits.treeFilesMax > 0)
})

t.test('what a tree may hold arrives as it was made', async (t) => {
  const umask = process.umask(0o077)
  const { folder, refusal } = await unpackInto(
    t,
    tarOf([
      { path: './', type: '5', mode: 0o755 },
      { path: './bin/', type: '5', mode: 0o700 },
      { path: './bin/tool', content: 'tool', mode: 0o750 },
      { path: './bin/same', type: '1', target: 'bin/tool' },
      { path: './lib/deep/er/file', content: 'deep', mode: 0o444 },
      { path: './lib/libx.so', type: '2', target: 'libx.so.1' },
      { path: './lib/libx.so.1', type: '2', target: 'libx.so.1.2' },
      { path: './lib/libx.so.1.2', content: 'so' },
      { path: './lib/up', type: '2', target: '../bin/tool' },
      { path: './lib/alias', type: '2', target: 'libx.so' },
      { path: './naïve — name', content: 'ü' },
      { path: './share/only/link', type: '2', target: '../../bin/tool' },
    ]),
  )
  process.umask(umask)
  t.equal(refusal, undefined)
  const at = (name: string) => path.join(folder, 'tree', name)
  t.equal((await fs.stat(at('bin'))).mode & 0o7777, 0o700)
  t.equal((await fs.stat(at('bin/tool'))).mode & 0o7777, 0o750)
  for (const implied of ['.', 'lib', 'lib/deep/er', 'share/only']) {
    t.equal((await fs.stat(at(implied))).mode & 0o7777, 0o755, implied)
  }
  t.equal(await fs.readFile(at('share/only/link'), 'utf8'), 'tool')
  t.equal((await fs.stat(at('bin/same'))).ino, (await fs.stat(at('bin/tool'))).ino)
  t.equal((await fs.stat(at('lib/deep/er/file'))).mode & 0o7777, 0o444)
  t.equal(await fs.readFile(at('lib/alias'), 'utf8'), 'so')
  t.equal(await fs.readFile(at('lib/up'), 'utf8'), 'tool')
  t.equal(await fs.readFile(at('naïve — name'), 'utf8'), 'ü')
})

t.test('a link that is accepted never leaves the tree, whatever links it goes through', async (t) => {
  const name = fc.constantFrom('a', 'b', 'c', '..', '.')
  const entry = fc.record({
    type: fc.constantFrom('Directory', 'SymbolicLink', 'SymbolicLink', 'File'),
    path: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
    linkpath: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
  })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
      const check = createTarCheck({ entries: 100, bytes: 100 })
      const links = new Map<string, string>()
      for (const one of entries) {
        const part = check.accept({ ...one, size: 0, mode: 0o755 })
        if (part.kind === 'link') links.set(part.path, part.target)
      }
      return [...links.keys()].every((link) => !escapes(link, links))
    }),
    { numRuns: 20_000 },
  )
  t.pass()
})

t.test('one former version is kept, and no more', async (t) => {
  const { ensure, build, opt } = await treeWorld(t)
  for (const version of ['1.0', '2.0', '3.0']) await ensure(stepOf('upgrade', await build(version)))
  t.same(await fs.readdir(`${opt}/versions`), ['2.0', '3.0'])
  t.same(await fs.readdir(`${opt}/.banyan`), ['2.0.ndjson', '3.0.ndjson'])
  t.equal(await fs.readlink(`${opt}/current`), 'versions/3.0')
})

t.test('a foreign mode, a link that points elsewhere and a setuid bit are drift', async (t) => {
  const { ensure, build, look, opt } = await treeWorld(t)
  const built = await build('1.0')
  await ensure(stepOf('install', built))
  for (const tamper of [
    () => fs.chmod(`${opt}/current/tool`, 0o777),
    () => fs.chmod(`${opt}/current/tool`, 0o4755),
    () => fs.rm(`${opt}/current`),
    () => fs.rm(`${opt}/current`).then(() => fs.symlink('/etc', `${opt}/current`)),
    () => fs.rm(`${opt}/versions/1.0`, { recursive: true }),
    () =>
      fs.rm(`${opt}/versions/1.0/lib`, { recursive: true }).then(() => fs.symlink('/etc', `${opt}/versions/1.0/lib`)),
    () => fs.rm(`${opt}/current/tool`).then(() => fs.mkdir(`${opt}/current/tool/foreign`, { recursive: true })),
    () => fs.writeFile(`${opt}/.banyan/1.0.ndjson`, '{'),
  ]) {
    await tamper()
    const seen = await look()
    t.not(seen?.state, 'whole', seen?.found ?? 'not seen')
    const step = stepOf('reinstall', built, { from: '1.0', cause: 'drift', found: seen?.found ?? '' })
    t.match(await ensure(step), { outcome: 'changed', version: '1.0' })
    t.match(await look('full'), { state: 'whole', version: '1.0' })
    t.equal(await fs.readFile(`${opt}/current/lib/a`, 'utf8'), 'a')
  }
  t.same(await fs.readdir(`${opt}/versions`), ['1.0'])
})

t.test('a change that keeps size and time is found by a full look', async (t) => {
  const { ensure, build, look, opt } = await treeWorld(t)
  await ensure(stepOf('install', await build('1.0')))
  const { mtimeMs } = await fs.stat(`${opt}/current/lib/a`)
  await fs.writeFile(`${opt}/current/lib/a`, 'b')
  // In the middle of that millisecond, which no rounding leaves.
  const mtimeS = (Math.trunc(mtimeMs) + 0.5) / 1000
  await fs.utimes(`${opt}/current/lib/a`, mtimeS, mtimeS)
  t.match(await look('quick'), { state: 'whole' })
  t.match(await look('full'), { state: 'drifted', found: 'changed lib/a' })
  await fs.writeFile(`${opt}/current/lib/a`, 'a')
  t.match(await look('quick'), { state: 'whole' }, 'another time with the same content is no drift')
})

t.test('a folder that was replaced by a link is not followed on removal', async (t) => {
  const { ensure, build, folder, opt } = await treeWorld(t)
  const built = await build('1.0')
  await ensure(stepOf('install', built))
  await fs.mkdir(`${folder}/elsewhere`)
  await fs.writeFile(`${folder}/elsewhere/a`, 'precious')
  await fs.rm(`${opt}/versions/1.0/lib`, { recursive: true })
  await fs.symlink(`${folder}/elsewhere`, `${opt}/versions/1.0/lib`)
  t.match(await ensure(stepOf('remove', built)), { outcome: 'changed', version: null })
  t.equal(await fs.readFile(`${folder}/elsewhere/a`, 'utf8'), 'precious')
})

t.test('wherever it is cut off, the tree is the old or the new one, and the next try makes it whole', async (t) => {
  const { folder, build, opt, ensure, look } = await treeWorld(t)
  const [one, two] = [await build('1.0'), await build('2.0')]
  const other = await buildTree(`${folder}/store`, {
    name: 'shop',
    version: '1.0',
    files: { tool: 'other', 'lib/a': 'other' },
  })
  const changes = [
    { what: 'an upgrade', start: one, step: stepOf('upgrade', two, { from: '1.0' }) },
    { what: 'other content', start: one, step: stepOf('reinstall', other, { from: '1.0' }) },
    { what: 'a removal', start: one, step: stepOf('remove', one) },
  ]
  for (const { what, start, step } of changes) {
    const wanted = step.action.what === 'remove' ? undefined : await contentOf(step)
    let cuts = 0
    for (let survives = 0; ; survives += 1) {
      await fs.rm(`${folder}/root`, { recursive: true, force: true })
      await ensure(stepOf('install', start))
      const before = await inForce(opt)
      const cut = cutOff(survives)
      const provider = treeProvider({ targetRoot: `${folder}/root`, exec: systemExec, disk: cut.disk })
      const context: ApplyContext = { workFolder: `${folder}/work`, journal: async () => cut.mark(), output: () => {} }
      const ended = await provider.ensure([step], context).then(
        () => true,
        () => false,
      )
      const now = await inForce(opt)
      const states = [before, wanted].map((state) => JSON.stringify(state))
      t.ok(states.includes(JSON.stringify(now)), `${what}, cut off at ${survives}`)
      const repaired = {
        ...step,
        action: { ...step.action, what: wanted === undefined ? 'remove' : 'reinstall' },
      } as typeof step
      t.match(await ensure(repaired), { version: step.action.to })
      t.same(await inForce(opt), wanted)
      if (wanted !== undefined) t.match(await look('full'), { state: 'whole' })
      else t.same(await fs.readdir(`${folder}/root/opt`), [])
      if (ended) break
      cuts += 1
    }
    t.ok(cuts > 3, `${what}: ${cuts} cuts`)
  }
})

t.test('somebody else’s software of the same name is not touched', async (t) => {
  const { ensure, build, look, opt } = await treeWorld(t)
  await fs.mkdir(`${opt}/releases/5`, { recursive: true })
  await fs.symlink('releases/5', `${opt}/current`)
  t.equal(await look(), undefined)
  const outcome = await ensure(stepOf('install', await build('1.0')))
  t.match(outcome, { outcome: 'failed', version: null, detail: /banyan did not put there/ })
  t.equal(await fs.readlink(`${opt}/current`), 'releases/5')
  t.same(await fs.readdir(opt), ['current', 'releases'])
})

t.test('hooks know their package and run in its folder, with nothing to read', async (t) => {
  const { ensure, folder, opt } = await treeWorld(t)
  const log = `${folder}/log`
  const tell = (name: string) =>
    `echo ${name} "$BANYAN_PACKAGE $BANYAN_VERSION" "$(cat)" >>${log}; test -f tool; test "$BANYAN_TARGET_ROOT" = ${folder}/root`
  const scripts = {
    preInstall: tell('preInstall'),
    postInstall: `${tell('postInstall')}; test "$(readlink ${opt}/current)" = versions/1.0`,
    preRemove: tell('preRemove'),
    postRemove: `${tell('postRemove')}; test ! -e ${opt}/current`,
  }
  const built = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0', files: { tool: 'x' }, scripts })
  t.match(await ensure(stepOf('install', built)), { outcome: 'changed' })
  t.match(await ensure(stepOf('remove', built)), { outcome: 'changed', version: null })
  const order = ['preInstall', 'postInstall', 'preRemove', 'postRemove']
  t.equal(await fs.readFile(log, 'utf8'), order.map((name) => `${name} shop 1.0 \n`).join(''))
})

t.test('a hook that is no file of the tree, or cannot run, fails the package', async (t) => {
  const { ensure, folder, look } = await treeWorld(t)
  const built = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0' })
  for (const hook of ['missing', '../../../../bin/true', '/bin/true']) {
    const hooked = { ...built, manifest: { ...built.manifest, hooks: { postInstall: hook } } }
    t.match(await ensure(stepOf('install', hooked)), { outcome: 'failed', detail: /is not a file of the tree/ })
  }
  const plain = { ...built, manifest: { ...built.manifest, hooks: { postInstall: 'VERSION' } } }
  t.match(await ensure(stepOf('install', plain)), { outcome: 'failed', version: null, detail: /postInstall/ })
  t.equal(await look(), undefined)
})

t.test('a failing postRemove keeps the package in force', async (t) => {
  const { ensure, folder, opt, look } = await treeWorld(t)
  const scripts = { postRemove: 'exit 9' }
  const built = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0', scripts })
  await ensure(stepOf('install', built))
  t.match(await ensure(stepOf('remove', built)), {
    outcome: 'failed',
    version: '1.0',
    detail: /postRemove exited with 9/,
  })
  t.equal(await fs.readlink(`${opt}/current`), 'versions/1.0')
  t.match(await look(), { state: 'whole' })
})

t.test('a tree that does not fit on the disk is not begun', async (t) => {
  const { ensure, build, look } = await treeWorld(t)
  const built = await build('1.0')
  const huge = { ...built, manifest: { ...built.manifest, installedSize: Number.MAX_SAFE_INTEGER } }
  t.match(await ensure(stepOf('install', huge)), { outcome: 'failed', detail: /no space/ })
  t.equal(await look(), undefined)
})

async function unpackInto(t: Test, bytes: Uint8Array, bytesMax = 1_000_000) {
  const folder = t.testdir({ 'root-secret': 'secret' })
  await fs.writeFile(`${folder}/payload`, bytes)
  const unpacking = unpackTree({ tar: `${folder}/payload`, folder: `${folder}/tree`, bytesMax })
  const refusal = await unpacking.then(
    () => undefined,
    (error: unknown) => error,
  )
  return { folder, refusal }
}

async function treeWorld(t: Test) {
  const folder = t.testdir({ root: {}, store: {}, work: {} })
  const targetRoot = `${folder}/root`
  const provider = treeProvider({ targetRoot, exec: systemExec, disk: systemDisk })
  const context: ApplyContext = { workFolder: `${folder}/work`, journal: async () => {}, output: () => {} }
  return {
    folder,
    opt: `${targetRoot}/opt/shop`,
    build: (version: string) =>
      buildTree(`${folder}/store`, { name: 'shop', version, files: { tool: '#!/bin/sh\n', 'lib/a': 'a' } }),
    ensure: async (step: ReturnType<typeof stepOf>) => (await provider.ensure([step], context))[0],
    look: async (depth: 'quick' | 'full' = 'quick') =>
      (await provider.inspect(['shop'], { owned: new Set(), depth }))[0],
  }
}

/** A disk that stops for ever after so many changes, as if the process had been killed there. */
function cutOff(survives: number): { disk: Disk; mark(): void } {
  let changes = 0
  const mark = () => {
    if (changes >= survives) throw new Error('cut off')
    changes += 1
  }
  const disk: Disk = { ...systemDisk }
  for (const name of ['write', 'rename', 'remove', 'pointLink'] as const) {
    const change = systemDisk[name] as (...args: unknown[]) => Promise<void>
    Object.assign(disk, {
      async [name](...args: unknown[]) {
        mark()
        await change(...args)
      },
    })
  }
  return { disk, mark }
}

/** The files that `current` leads to; undefined if there is none. */
async function inForce(opt: string): Promise<Record<string, string> | undefined> {
  const files: Record<string, string> = {}
  for (const name of ['VERSION', 'tool', 'lib/a']) {
    const content = await fs.readFile(`${opt}/current/${name}`, 'utf8').catch(() => undefined)
    if (content !== undefined) files[name] = content
  }
  return Object.keys(files).length === 0 ? undefined : files
}

async function contentOf({ action }: ReturnType<typeof stepOf>): Promise<Record<string, string>> {
  const { stdout } = await systemExec.run({
    program: 'sh',
    args: ['-c', `for f in VERSION tool lib/a; do tar -xOf ${action.source?.path} $f; echo '|'; done`],
    timeoutMs: 10_000,
  })
  const [version = '', tool = '', a = ''] = stdout.split('|\n')
  return { VERSION: version, tool, 'lib/a': a }
}

/** Follows a link as the kernel does, name by name; what is no link is a folder. */
function escapes(link: string, links: ReadonlyMap<string, string>): boolean {
  let at: string[] = []
  const rest = link.split('/')
  for (let steps = 0; steps < 100; steps += 1) {
    const name = rest.shift()
    if (name === undefined) return false
    if (name === '.' || name === '') continue
    if (name === '..') {
      if (at.length === 0) return true
      at = at.slice(0, -1)
      continue
    }
    const target = links.get([...at, name].join('/'))
    if (target === undefined) at = [...at, name]
    else rest.unshift(...target.split('/'))
  }
  return false
}

t.test('the writer of tars writes what tar programs read', async (t) => {
  const folder = t.testdir({})
  await fs.writeFile(`${folder}/a.tar`, tarOf(treeOf({ 'd/': '', 'd/x': '#!/bin/sh', y: 'y' })))
  const { stdout } = await systemExec.run({ program: 'tar', args: ['-tvf', `${folder}/a.tar`], timeoutMs: 10_000 })
  t.match(stdout, /drwxr-xr-x .* d\/\n-rwxr-xr-x .* d\/x\n-rw-r--r-- .* y\n/)
})
