// Publishing folders: what is in the payload, that it is always the same, and what the repository
// says of it then.

import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { list } from 'tar'
import { limits } from '../../src/model/limits.ts'
import { parseManifest } from '../../src/model/manifest.ts'
import type { Progress } from '../../src/repository/taking.ts'
import { carriedModeIn, type FoundEntry } from '../../src/repository/tree-attributes.ts'
import { benchOf, failureOf, greeter, publishedAt, run, snapshotOf, swarmed, textOf, writeTree } from './workbench.ts'

const large = { ...greeter, 'share/large.txt': textOf(limits.swarmThresholdBytes) }

async function entriesIn(tar: string): Promise<string[]> {
  const found: string[] = []
  await list({
    file: tar,
    strict: true,
    onReadEntry: ({ path, mode, linkpath }) => {
      found.push(`${mode?.toString(8)} ${path}${linkpath ? ` -> ${linkpath}` : ''}`)
    },
  })
  return found
}

t.test('a small folder travels as an object, and its manifest says it all', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const published = await repository.publish(writeTree(`${bench.dir}/greeter`, greeter))
  t.match(published, {
    outcome: 'published',
    name: 'greeter',
    version: '1.0.0',
    arch: 'all',
    kind: 'tree',
    summary: 'says hello',
    depends: [],
    installedSize: 27,
    payload: { via: 'object' },
    published: publishedAt,
  })
  const payload = await bench.objects.get(published.payload.sha256)
  t.equal(payload?.length, published.payload.size)
  const manifest = await bench.objects.get(published.manifest)
  t.match(parseManifest(JSON.parse(Buffer.from(manifest ?? '').toString()), 'manifest'), {
    name: 'greeter',
    hooks: {},
    payload: published.payload,
  })
  t.same(fs.readdirSync(`${bench.home}/store`), [], 'nothing is left in the store')
})

t.test('the times of hooks and what is left alone are in the manifest', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const hooks =
    '{ postInstall: { run: bin/greet, timeout: 10m }, preRemove: bin/greet, postRemove: { run: bin/greet } }'
  const description = `name: greeter\nversion: 2\nhooks: ${hooks}\nignore: [data/**, '*.log']\n`
  const { manifest } = await repository.publish(
    writeTree(`${bench.dir}/greeter`, { ...greeter, 'banyan.yaml': description }),
  )
  const bytes = await bench.objects.get(manifest)
  t.match(parseManifest(JSON.parse(Buffer.from(bytes ?? '').toString()), 'manifest'), {
    hooks: { postInstall: 'bin/greet', preRemove: 'bin/greet', postRemove: 'bin/greet' },
    hookTimeouts: { postInstall: 600_000 },
    ignore: ['data/**', '*.log'],
  })
})

t.test('a folder above the threshold lies in the store, with its metainfo as an object', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const payload = swarmed(await repository.publish(writeTree(`${bench.dir}/greeter`, large)))
  t.same(fs.readdirSync(`${bench.home}/store`), [payload.sha256])
  t.equal(fs.statSync(`${bench.home}/store/${payload.sha256}`).size, payload.size)
  t.ok(await bench.objects.has(payload.metainfo))
  t.notOk(await bench.objects.has(payload.sha256))
})

t.test('modes are kept, folders come before what is in them, names are in order of their bytes', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/odd`, {
    'banyan.yaml': 'name: odd\nversion: 1\nexclude: ["*.md", "node_modules", "src/**/*.map"]\n',
    'b/run': { content: 'x', mode: 0o700 },
    'b/secret': { content: 'x', mode: 0o600 },
    'b.txt': { content: 'x', mode: 0o666 },
    a: { content: 'x', mode: 0o604 },
    Z: 'x',
    'ö/👋': 'x',
    'src/deep/app.js': 'x',
    'src/deep/app.js.map': 'x',
    'src/app.map': 'x',
    'README.md': 'x',
    'src/README.md': 'stays',
    'node_modules/x/y.js': 'x',
    current: { link: 'b/run' },
    'b/up': { link: '../src/./deep' },
    dangling: { link: 'made/by/a/hook' },
  })
  fs.mkdirSync(`${folder}/empty`, { mode: 0o700 })
  fs.linkSync(`${folder}/a`, `${folder}/hard`)
  const { payload } = await repository.publish(folder)
  t.same(await entriesIn(`${bench.home}/objects/${payload.sha256}`), [
    '644 Z',
    '604 a',
    '755 b/',
    '700 b/run',
    '600 b/secret',
    '777 b/up -> ../src/./deep',
    '666 b.txt',
    '777 current -> b/run',
    '777 dangling -> made/by/a/hook',
    '700 empty/',
    '604 hard',
    '755 src/',
    '644 src/README.md',
    '755 src/deep/',
    '644 src/deep/app.js',
    '755 ö/',
    '644 ö/👋',
  ])
})

t.test('times, umask, owner, place and the order of the folder change nothing', async (t) => {
  const published = []
  const other = Object.fromEntries(Object.entries(large).reverse())
  for (const [files, umask, mtime] of [
    [large, 0o022, 1],
    [other, 0o077, 2_000_000_000],
    [large, 0o002, 1_500_000_000],
  ] as const) {
    const bench = benchOf(t)
    const before = process.umask(umask)
    const folder = writeTree(`${bench.dir}/${published.length}/greeter`, files)
    process.umask(before)
    for (const name of Object.keys(files)) fs.utimesSync(path.join(folder, name), mtime, mtime)
    if (process.getuid?.() === 0) fs.chownSync(path.join(folder, 'share/words'), published.length, 65534)
    const repository = await bench.open()
    published.push(await repository.publish(folder))
  }
  // Of the umask 077, publish warns.
  for (const one of published) t.same({ ...one, warnings: [] }, published[0])
  t.match(published[1]?.warnings, [/taken for the umask/])
  t.match(published[0]?.payload, {
    // Written down once: another value means that every fleet would refuse what it published
    // before.
    sha256: '115bd5bbe984e60d7b19ae35d7a447c3ced0429b9fd8e66bc00cae9df528de33',
    infoHash: '2f60ce457f868ca6f3a92acdd947bbce2d49809f',
  })
})

t.test('a mode is what somebody chose for some of the files, and not what an umask does to all', (t) => {
  const entries = (...modes: number[]): FoundEntry[] =>
    modes.map((found) => ({ kind: 'file', path: 'f', size: 1, executable: (found & 0o100) !== 0, found }))
  const carried = (modes: number[], witnesses: number[]) =>
    modes.map((mode) =>
      carriedModeIn(entries(...modes), witnesses)
        .modeOf(mode)
        .toString(8),
    )
  t.same(carried([0o600], [0o755, 0o644]), ['600'], 'the only file is for its owner alone')
  t.same(carried([0o600, 0o700], [0o700, 0o644]), ['600', '700'], 'in a folder that is')
  t.same(carried([0o600, 0o700], [0o700, 0o600]), ['644', '755'], 'umask 077')
  t.same(carried([0o600, 0o755], [0o700, 0o600]), ['644', '755'], 'umask 077, and a program that was made one for all')
  t.same(carried([0o640, 0o750, 0o600], [0o750, 0o640]), ['644', '755', '604'], 'umask 027')
  t.same(carried([0o664, 0o775, 0o660], [0o775, 0o664]), ['644', '755', '640'], 'umask 002')
  t.same(carried([0o664, 0o755], [0o755]), ['664', '755'])
  t.same(carried([0o777, 0o777], [0o777]), ['755', '755'], 'a file system without modes')
  t.same(carried([0o444, 0o2755], [0o755]), ['444', '755'])
  t.end()
})

t.test('files: in banyan.yaml sets modes and owners by name, and the later entry wins', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const files = [
    '{ path: "**", owner: shop, group: www-data }',
    '{ path: bin/greet, owner: root, mode: "0750" }',
    '{ path: "share/w*", mode: "640" }',
  ]
  const description = `name: greeter\nversion: 1\nfiles: [${files.join(', ')}]\n`
  const { payload } = await repository.publish(
    writeTree(`${bench.dir}/greeter`, { ...greeter, 'banyan.yaml': description }),
  )
  const listed = run('tar', ['-tvf', `${bench.home}/objects/${payload.sha256}`])
  t.match(listed, /^drwxr-xr-x shop\/www-data +0 .* bin\/$/m)
  t.match(listed, /^-rwxr-x--- root\/www-data .* bin\/greet$/m)
  t.match(listed, /^-rw-r----- shop\/www-data .* share\/words$/m)
  for (const [wrong, message] of Object.entries({
    '{ path: /etc, mode: "0640" }': /a path inside the folder/,
    '{ path: bin, mode: "4755" }': /expected a mode such as '0640'/,
    '{ path: bin, owner: "a b" }': /name of a user or group/,
    '{ path: bin, owner: 1000 }': /name of a user or group/,
  })) {
    const bad = { ...greeter, 'banyan.yaml': `name: greeter\nversion: 2\nfiles: [${wrong}]\n` }
    t.match(
      await failureOf(repository.publish(writeTree(`${bench.dir}/bad`, bad))),
      { code: 'bad-input', message },
      wrong,
    )
  }
})

t.test('what a tree cannot carry is refused, file by file', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  fs.chmodSync(`${folder}/share`, 0o777)
  t.match(await failureOf(repository.publish(folder)), {
    message: /share: a folder that anybody can write to/,
    hint: /chmod o-w/,
  })
  fs.chmodSync(`${folder}/share`, 0o755)
  if (process.getuid?.() !== 0) return t.comment('not tested: only root gives files capabilities')
  run('setcap', ['cap_net_bind_service=ep', `${folder}/bin/greet`])
  const refusal = await failureOf(repository.publish(folder))
  t.match(refusal, {
    message: /bin\/greet: it has security.capability, which a tree does not carry/,
    hint: /postInstall hook \(setcap\)/,
  })
  run('setcap', ['-r', `${folder}/bin/greet`])
  t.match(await repository.publish(folder), { outcome: 'published', warnings: [] })
})

t.test('publishing the same again is fine, and says so', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, large)
  const first = await repository.publish(folder)
  const before = snapshotOf(bench.home)
  t.same(await repository.publish(folder), { ...first, outcome: 'already' })
  t.same(snapshotOf(bench.home), before)
})

t.test('publishing again brings back what was lost or damaged', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, large)
  const published = await repository.publish(folder)
  const payload = swarmed(published)
  const whole = snapshotOf(bench.home)
  fs.writeFileSync(`${bench.home}/store/${payload.sha256}`, 'damaged')
  await bench.objects.remove(payload.metainfo)
  fs.writeFileSync(`${bench.home}/objects/${published.manifest}`, 'damaged')
  t.match(await repository.publish(folder), { outcome: 'already' })
  t.same(snapshotOf(bench.home), whole)
})

t.test('a version stays as it was published: another content needs another version', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  await repository.publish(folder)
  const before = snapshotOf(bench.home)
  for (const [files, what] of [
    [{ 'share/words': 'howdy\n' }, 'content'],
    [{ 'share/words': 'hello!\n' }, 'content, installedSize'],
    [{ 'banyan.yaml': 'name: greeter\nversion: 1.0.0\nsummary: waves\n' }, 'summary'],
    [{ 'banyan.yaml': `${greeter['banyan.yaml']}hooks: { postInstall: bin/greet }\n` }, 'hooks'],
  ] as const) {
    const changed = writeTree(fs.mkdtempSync(`${bench.dir}/changed-`), { ...greeter, ...files })
    const failure = await failureOf(repository.publish(changed))
    t.equal(failure.code, 'conflict')
    t.equal(failure.message, `greeter 1.0.0 for all is published already with another ${what}`)
    t.equal(failure.hint, 'what is published never changes; give the new content a new version')
    t.same(snapshotOf(bench.home), before)
  }
  t.match(await repository.publish(folder, { version: '1.0.1' }), { outcome: 'published', version: '1.0.1' })
})

t.test('name and version can be given instead of a banyan.yaml, or to replace what is in it', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const bare = writeTree(`${bench.dir}/bare`, { 'index.html': 'hello\n' })
  t.match(await repository.publish(bare, { name: 'site', version: '4.10' }), {
    name: 'site',
    version: '4.10',
    arch: 'all',
  })
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  t.match(await repository.publish(folder, { name: 'salute' }), { name: 'salute', version: '1.0.0' })
})

t.test('a link to the folder is as good as the folder, and so is a relative path', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  const first = await repository.publish(folder)
  fs.symlinkSync(folder, `${bench.dir}/link`)
  t.match(await repository.publish(`${bench.dir}/link`), { outcome: 'already', manifest: first.manifest })
  t.match(await repository.publish(path.relative('', folder)), { outcome: 'already', manifest: first.manifest })
})

t.test('progress goes through the steps to their ends', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const seen: Progress[] = []
  await repository.publish(writeTree(`${bench.dir}/greeter`, large), { onProgress: (progress) => seen.push(progress) })
  t.same([...new Set(seen.map(({ step }) => step))], ['packing', 'hashing', 'storing'])
  for (const step of ['packing', 'hashing', 'storing']) {
    const of = seen.filter((progress) => progress.step === step)
    t.ok(
      of.every((progress, index) => progress.done >= (of[index - 1]?.done ?? 0)),
      `${step} never goes back`,
    )
    t.equal(of.at(-1)?.done, of.at(-1)?.total, `${step} ends at its total`)
  }
})

t.test('a publication that is stopped leaves nothing, whenever it is stopped', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, large)
  const before = snapshotOf(bench.home)
  t.match(await failureOf(repository.publish(folder, { signal: AbortSignal.abort() })), { code: 'stopped' })
  for (const step of ['packing', 'hashing'] as const) {
    const stop = new AbortController()
    const onProgress = (progress: Progress) => progress.step === step && stop.abort()
    const failure = await failureOf(repository.publish(folder, { signal: stop.signal, onProgress }))
    t.match(failure, { code: 'stopped', message: `publishing ${folder} was stopped` }, step)
    t.same(snapshotOf(bench.home), before, step)
  }
  t.match(await repository.publish(folder), { outcome: 'published' })
})

t.test('many publications at once take turns', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  const versions = Array.from({ length: 12 }, (_, index) => `1.${index}`)
  const work = versions.map((version) => repository.publish(folder, { version }))
  const failing = failureOf(repository.publish(`${bench.dir}/nowhere`))
  t.same(
    (await Promise.all(work)).map(({ outcome }) => outcome),
    versions.map(() => 'published'),
  )
  t.equal((await failing).code, 'not-found')
  t.match(
    await repository.package('greeter'),
    [...versions].reverse().map((version) => ({ version })),
  )
})

t.test('more publications than may wait are refused for now', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  const all = Array.from({ length: limits.publishQueueMax + 1 }, () => repository.publish(folder))
  const [last] = all.splice(-1)
  t.match(await failureOf(last as Promise<unknown>), { code: 'refused', retry: 'later' })
  await Promise.all(all)
})

t.test('what is published is there after a restart, by name and newest first', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  for (const version of ['1.9', '1.10', '1.10~rc1']) await repository.publish(folder, { version })
  await repository.publish(folder, { name: 'zebra' })
  await repository.publish(folder, { name: 'aardvark', version: '2' })
  const again = await bench.open()
  t.same(await again.packages(), await repository.packages())
  const { payload } = (await again.package('zebra'))[0] ?? {}
  const listed = { kind: 'tree', summary: 'says hello', archs: ['all'], kinds: ['tree'], targets: [] }
  t.same(await again.packages(), [
    { ...listed, name: 'aardvark', versions: ['2'], bytes: payload?.size },
    { ...listed, name: 'greeter', versions: ['1.10', '1.10~rc1', '1.9'], bytes: 3 * (payload?.size ?? 0) },
    { ...listed, name: 'zebra', versions: ['1.0.0'], bytes: payload?.size },
  ])
  t.equal((await again.holdings()).length, 5)
  t.match(await failureOf(again.package('gretter')), { code: 'not-found', hint: 'did you mean greeter?' })
  t.match(await failureOf(again.package('__proto__')), { code: 'not-found' })
})

t.test('what GNU tar unpacks is the folder that was published', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, { ...large, 'share/motto': { link: 'words' } })
  const { payload } = await repository.publish(folder)
  fs.mkdirSync(`${bench.dir}/out`)
  run('tar', ['-xf', `${bench.home}/store/${payload.sha256}`, '-C', `${bench.dir}/out`])
  fs.rmSync(`${folder}/banyan.yaml`)
  run('diff', ['--recursive', '--no-dereference', folder, `${bench.dir}/out`])
})
