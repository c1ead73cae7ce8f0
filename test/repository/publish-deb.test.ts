// Publishing Debian packages.

import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { descriptionOfControl } from '../../src/repository/deb-control.ts'
import { tarEnd, tarHeaderOf, tarPaddingAfter } from '../../src/repository/tar.ts'
import { systemExec } from '../../src/world/exec.ts'
import { arOf, benchOf, buildDeb, failureOf, needs, run, snapshotOf, swarmed, textOf, writeTree } from './workbench.ts'

const withoutDpkg = { ...systemExec, which: async () => undefined }

t.test('a .deb is published as it is, and says itself what it is', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const deb = buildDeb(`${bench.dir}/any-name.deb`, {
    control: {
      Version: '1:2.10-1~deb12u1',
      Architecture: 'amd64',
      'Installed-Size': '3',
      'Pre-Depends': 'dpkg (>= 1.15)',
      Depends: 'libjq1 (= 1.6-2.1),\n libc6 | musl,  base-files',
    },
  })
  const published = await repository.publish(deb)
  t.match(published, {
    outcome: 'published',
    name: 'signpost',
    version: '1:2.10-1~deb12u1',
    arch: 'amd64',
    kind: 'deb',
    summary: 'points the way',
    installedSize: 3072,
    depends: ['dpkg (>= 1.15)', 'libjq1 (= 1.6-2.1)', 'libc6 | musl', 'base-files'],
    payload: { via: 'object', size: fs.statSync(deb).size },
  })
  t.same(await bench.objects.get(published.payload.sha256), Uint8Array.from(fs.readFileSync(deb)))
})

t.test('every compression of dpkg-deb is read', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  for (const compression of ['none', 'gzip', 'xz', 'zstd']) {
    const repository = await bench.open()
    const version = `1.0-${compression}`
    const deb = buildDeb(`${bench.dir}/${compression}.deb`, { compression, control: { Version: version } })
    t.match(await repository.publish(deb), { name: 'signpost', version, outcome: 'published' }, compression)
  }
})

t.test('without dpkg-deb, gzip and zstd are read all the same, and xz is refused with a reason', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open({ exec: withoutDpkg })
  for (const compression of ['none', 'gzip', 'zstd']) {
    const control = { Version: `1.0-${compression}` }
    const deb = buildDeb(`${bench.dir}/${compression}.deb`, { compression, control })
    t.match(await repository.publish(deb), { version: control.Version, outcome: 'published' }, compression)
  }
  const deb = buildDeb(`${bench.dir}/xz.deb`, { compression: 'xz' })
  const failure = await failureOf(repository.publish(deb))
  t.equal(failure.code, 'unsupported')
  t.equal(failure.message, `${deb}: its control.tar.xz can only be read with dpkg-deb, which is not here`)
  t.match(failure.hint, /install the package dpkg/)
})

t.test('a large .deb travels in a swarm', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const files = { 'usr/share/signpost/map': textOf(limits.swarmThresholdBytes) }
  const deb = buildDeb(`${bench.dir}/large.deb`, { compression: 'none', files })
  const payload = swarmed(await repository.publish(deb))
  t.ok(fs.readFileSync(`${bench.home}/store/${payload.sha256}`).equals(fs.readFileSync(deb)))
})

t.test(
  'the same .deb again is fine, also by its name and version; other content is not',
  needs('dpkg-deb'),
  async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const deb = buildDeb(`${bench.dir}/a.deb`)
    const { manifest } = await repository.publish(deb)
    t.match(await repository.publish(deb, { name: 'signpost', version: '1.0-1' }), { outcome: 'already', manifest })
    const other = buildDeb(`${bench.dir}/b.deb`, { files: { 'usr/share/signpost/way': 'south\n' } })
    t.match(await failureOf(repository.publish(other)), {
      code: 'conflict',
      message: 'signpost 1.0-1 for all is published already with another content',
    })
  },
)

t.test('one version can be there for several architectures', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  for (const Architecture of ['amd64', 'arm64', 'all']) {
    await repository.publish(buildDeb(`${bench.dir}/${Architecture}.deb`, { control: { Architecture } }))
  }
  t.same((await repository.package('signpost')).map(({ arch }) => arch).sort(), ['all', 'amd64', 'arm64'])
  t.match(await repository.packages(), [{ versions: ['1.0-1'], archs: ['all', 'amd64', 'arm64'] }])
})

t.test('a folder cannot take the name of a .deb', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  await repository.publish(buildDeb(`${bench.dir}/a.deb`))
  const folder = writeTree(`${bench.dir}/tree`, { file: 'x' })
  t.match(await failureOf(repository.publish(folder, { name: 'signpost', version: '2' })), {
    code: 'conflict',
    message: 'signpost is published as deb already, not as tree',
  })
})

/** A control.tar.gz with one file in it. */
function controlTar(text: string, name = './control'): Uint8Array {
  const content = Buffer.from(text)
  const header = tarHeaderOf({ kind: 'file', path: name, size: content.length, executable: false })
  return gzipSync(Buffer.concat([header, content, tarPaddingAfter(content.length), tarEnd()]))
}

const control = 'Package: signpost\nVersion: 1.0-1\nArchitecture: all\nDescription: points the way\n'
const emptyTar = gzipSync(tarEnd())
const debOf = (text: string) =>
  arOf([
    ['debian-binary', '2.0\n'],
    ['control.tar.gz', controlTar(text)],
    ['data.tar.gz', emptyTar],
  ])

const badDebs: Record<string, { bytes: Uint8Array; message: RegExp; code?: string }> = {
  'a file of no bytes': { bytes: Buffer.alloc(0), message: /: the file is empty$/ },
  'a file of zeros': { bytes: Buffer.alloc(1000), message: /: not a Debian package: it is no ar archive$/ },
  'a web page': { bytes: Buffer.from('<!DOCTYPE html>'), message: /: not a Debian package: it is no ar archive$/ },
  'an archive of nothing': { bytes: arOf([]), message: /debian-binary is not its first member$/ },
  'another ar archive': { bytes: arOf([['a.o/', 'x']]), message: /debian-binary is not its first member$/ },
  'a format of the future': {
    bytes: arOf([['debian-binary', '3.0\n']]),
    message: /format "3\.0", expected 2\.0$/,
    code: 'unsupported',
  },
  'no control': {
    bytes: arOf([
      ['debian-binary', '2.0\n'],
      ['data.tar.gz', emptyTar],
    ]),
    message: /it has no control\.tar$/,
  },
  'no data': {
    bytes: arOf([
      ['debian-binary', '2.0\n'],
      ['control.tar.gz', controlTar(control)],
    ]),
    message: /it has no data\.tar$/,
  },
  'no control file in control.tar': {
    bytes: arOf([
      ['debian-binary', '2.0\n'],
      ['control.tar.gz', controlTar(control, './md5sums')],
      ['data.tar.gz', emptyTar],
    ]),
    message: /its control\.tar\.gz has no control file$/,
  },
  'control.tar.gz is no gzip': {
    bytes: arOf([
      ['debian-binary', '2.0\n'],
      ['control.tar.gz', 'x'.repeat(99)],
      ['data.tar.gz', emptyTar],
    ]),
    message: /its control\.tar\.gz is damaged: incorrect header check$/,
  },
  'control.tar.xz is no xz': {
    bytes: arOf([
      ['debian-binary', '2.0\n'],
      ['control.tar.xz', 'x'.repeat(99)],
      ['data.tar.gz', emptyTar],
    ]),
    message: /its control\.tar\.xz is damaged: /,
  },
  'data.tar.gz is no gzip': {
    bytes: arOf([
      ['debian-binary', '2.0\n'],
      ['control.tar.gz', controlTar(control)],
      ['data.tar.gz', 'x'.repeat(99)],
    ]),
    message: /its data\.tar\.gz is damaged: /,
  },
  'a control.tar.gz that unpacks to far more than it is': {
    bytes: arOf([
      ['debian-binary', '2.0\n'],
      ['control.tar.gz', gzipSync(Buffer.alloc(64 * 2 ** 20))],
      ['data.tar.gz', emptyTar],
    ]),
    message: /its control\.tar\.gz is damaged: Cannot create a Buffer larger than 8388608 bytes$/,
  },
  'no Package': { bytes: debOf('Version: 1\nArchitecture: all\n'), message: /its control file has no Package$/ },
  'no Version': { bytes: debOf('Package: a\nArchitecture: all\n'), message: /its control file has no Version$/ },
  'an option for a name': {
    bytes: debOf(control.replace('signpost', '-oDPkg::Pre-Invoke')),
    message: /: Package "-oDPkg::Pre-Invoke": expected a package name/,
  },
  'a path for a name': {
    bytes: debOf(control.replace('signpost', '../../etc')),
    message: /: Package "\.\.\/\.\.\/etc": expected/,
  },
  'a command for a name': {
    bytes: debOf(control.replace('signpost', 'a;reboot')),
    message: /: Package "a;reboot": expected/,
  },
  'a name that objects have': {
    bytes: debOf(control.replace('signpost', 'constructor')),
    message: /: Package "constructor": /,
  },
  'a version with spaces': {
    bytes: debOf(control.replace('1.0-1', '1.0 beta')),
    message: /: Version "1\.0 beta": expected a version/,
  },
  'an unknown architecture': { bytes: debOf(control.replace('all', 'pdp11')), message: /: Architecture "pdp11": / },
  'a field twice': { bytes: debOf(`${control}package: other\n`), message: /its control file has package twice$/ },
  'a damaged line': {
    bytes: debOf(`${control}\u0000\u0001 nonsense\n`),
    message: /its control file has a damaged line /,
  },
  'a dependency longer than fits': {
    bytes: debOf(`${control}Depends: ${'x'.repeat(5000)}\n`),
    message: /: depends\.0: /,
  },
}

for (const [what, { bytes, message, code = 'bad-input' }] of Object.entries(badDebs)) {
  t.test(`refused: ${what}`, needs('dpkg-deb'), async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const before = snapshotOf(bench.home)
    const deb = `${bench.dir}/bad.deb`
    fs.writeFileSync(deb, bytes)
    const failure = await failureOf(repository.publish(deb))
    t.match(failure.message, message)
    t.ok(failure.message.startsWith(`${deb}: `), 'it says which file')
    t.equal(failure.code, code)
    t.same(snapshotOf(bench.home), before, 'nothing changed')
  })
}

t.test('the made-up package of these tests would be taken if it were whole', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  fs.writeFileSync(`${bench.dir}/good.deb`, debOf(control))
  t.match(await repository.publish(`${bench.dir}/good.deb`), {
    name: 'signpost',
    installedSize: 0,
  })
})

async function everyDamage(t: Test, compression: string, exec = systemExec): Promise<void> {
  const bench = benchOf(t)
  const repository = await bench.open({ exec })
  const whole = fs.readFileSync(
    buildDeb(`${bench.dir}/whole.deb`, { compression, files: { 'usr/share/signpost/map': textOf(20_000) } }),
  )
  const before = snapshotOf(bench.home)
  const deb = `${bench.dir}/damaged.deb`
  for (let step = 0; step < 24; step += 1) {
    const length = Math.floor((whole.length * step) / 24)
    fs.writeFileSync(deb, whole.subarray(0, length))
    t.equal((await failureOf(repository.publish(deb))).code, 'bad-input', `cut to ${length} bytes`)
  }
  // The last third is nothing but compressed data with its checksum.
  for (let step = 0; step < 12; step += 1) {
    const at = Math.floor(whole.length * (0.66 + 0.02 * step))
    const flipped = Buffer.from(whole)
    flipped.writeUInt8(flipped.readUInt8(at) ^ 0x20, at)
    fs.writeFileSync(deb, flipped)
    const failure = await failureOf(repository.publish(deb))
    t.match(failure, { code: 'bad-input', message: /is damaged: / }, `a bit of byte ${at} flipped`)
  }
  t.same(snapshotOf(bench.home), before)
}

t.test('a cut or damaged .deb is refused wherever the damage is', needs('dpkg-deb'), (t) => everyDamage(t, 'gzip'))
t.test('the same with xz', needs('dpkg-deb'), (t) => everyDamage(t, 'xz'))
t.test('the same with gzip and no dpkg-deb', needs('dpkg-deb'), (t) => everyDamage(t, 'gzip', withoutDpkg))
t.test('the same with zstd and no dpkg-deb', needs('dpkg-deb'), (t) => everyDamage(t, 'zstd', withoutDpkg))

t.test('a .deb is not published under another name or version', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const deb = buildDeb(`${bench.dir}/a.deb`)
  const before = snapshotOf(bench.home)
  const hint = 'the name and version of a Debian package are inside it'
  for (const [given, message] of [
    [{ name: 'other' }, `${deb}: the package is named signpost, not other`],
    [{ version: '1.0-2' }, `${deb}: the package is version 1.0-1, not 1.0-2`],
  ] as const) {
    const failure = await failureOf(repository.publish(deb, given))
    t.match(failure, { code: 'conflict', message, hint })
    t.same(snapshotOf(bench.home), before)
  }
})

t.test('a control file is read as Debian Policy says', async (t) => {
  const text = [
    'package:signpost',
    'Version:  1.0  ',
    'ARCHITECTURE: arm64',
    'Depends:',
    ' a,',
    ' b (>= 2),,',
    'Provides: c (= 1.0), d',
    'Breaks: e (<< 2)',
    'Conflicts: f, g',
    'Replaces: e (<< 2),',
    'Description: first line',
    ' second: line',
    ' .',
    '',
    'Package: of another paragraph',
    '',
  ].join('\n')
  t.same(descriptionOfControl(text, 'a.deb'), {
    kind: 'deb',
    name: 'signpost',
    version: '1.0',
    arch: 'arm64',
    installedSize: 0,
    depends: ['a', 'b (>= 2)'],
    provides: ['c (= 1.0)', 'd'],
    conflicts: ['f', 'g', 'e (<< 2)'],
    replaces: ['e (<< 2)'],
    summary: 'first line',
    hooks: {},
  })
})

t.test('the sample .deb of torrents/ builds and is published', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const source = `${bench.dir}/signpost`
  fs.cpSync(path.join(import.meta.dirname, '../../torrents/debs/signpost'), source, { recursive: true })
  run('chmod', ['-R', 'u=rwX,go=rX', source])
  run('dpkg-deb', ['--root-owner-group', '--build', source, `${source}.deb`])
  t.match(await repository.publish(`${source}.deb`), {
    name: 'signpost',
    version: '1:2.10-1',
    depends: ['dpkg (>= 1.15)', 'base-files', 'libc6 | musl'],
  })
})
