// One reader per format: a package is published as the distribution's own programs read it, or not
// at all. Otherwise every node would try for ever to reach a name or version that never appears.

import fs from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { debVersionOf, problemOfDebVersion } from '../../src/model/packages/deb.ts'
import { tarEnd, tarHeaderOf, tarPaddingAfter } from '../../src/repository/tar.ts'
import { systemExec } from '../../src/world/exec.ts'
import { buildRpm } from './build-rpm.ts'
import { arOf, benchOf, buildDeb, failureOf, needs, run, type TreeFile, writeTree } from './workbench.ts'

/** A .deb of these control lines and files; nothing of it is checked. */
function debOf(
  control: string,
  { latin1 = false, more = '', after = [] as [string, string][], data = tarEnd() } = {},
): Buffer {
  const contents = more === '' ? [control] : [more, control]
  const files = contents.map((text) => {
    const content = Buffer.from(text, latin1 ? 'latin1' : 'utf8')
    const header = tarHeaderOf({ kind: 'file', path: './control', size: content.length, executable: false })
    return Buffer.concat([header, content, tarPaddingAfter(content.length)])
  })
  return arOf([
    ['debian-binary', '2.0\n'],
    ['control.tar.gz', gzipSync(Buffer.concat([...files, tarEnd()]))],
    ['data.tar.gz', gzipSync(data)],
    ...after,
  ])
}

/** A path of more than 100 letters needs one. */
const paxTar = Buffer.concat([tarHeaderOf({ kind: 'folder', path: 'x'.repeat(120) }), tarEnd()])

const lines = (fields: Record<string, string>) =>
  Object.entries({
    ...{ Package: 'pole', Version: '1.0-1', Architecture: 'all', Maintainer: 'A <a@example.org>', Description: 'd' },
    ...fields,
  })
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('')

t.test('a node that installs a published .deb has the name and version of the manifest', needs('dpkg'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const database = `${bench.dir}/root/var/lib/dpkg`
  writeTree(database, { status: '', 'info/format': '1\n', 'updates/x': '', 'triggers/x': '' })
  fs.rmSync(`${database}/updates/x`)
  for (const [Package, Version] of [
    ['OCO-Probe', '0:1.0-1'],
    ['Upper.Case', '01:2.0'],
    ['two_words', '1:0:3-4'],
  ] as const) {
    const deb = buildDeb(`${bench.dir}/a.deb`, { control: { Package, Version }, files: { [`opt/${Package}`]: 'x' } })
    const { name, version } = await repository.publish(deb)
    run('dpkg', [
      ...[`--root=${bench.dir}/root`, '--force-script-chrootless', '--force-overwrite'],
      ...['--log=/dev/null', '--install', deb],
    ])
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in.
    const there = run('dpkg-query', [`--admindir=${database}`, '-W', '-f=${Package} ${Version}\n'])
    t.ok(there.split('\n').includes(`${name} ${version}`), `${Package} ${Version} is ${name} ${version}`)
  }
})

t.test('versions are read as dpkg reads them', needs('dpkg'), async (t) => {
  const words = ['1', '1.0', '1.0-1', '0:1', '00:1', '1:1', '01:1-1', '1:', ':1', '-1', '1-', '1--1', 'v1', '~1', '1~']
  const more = ['1:1:1', 'a:1', '1_2', '1^2', '1-2_3', '1-2:3', '1:2-3:4', '2147483648:1', '2147483647:1', '1+b1-0.1~']
  const versions = [...words, ...more]
  const script = 'for v in "$@"; do dpkg --validate-version -- "$v" >/dev/null 2>&1 && echo good || echo bad; done'
  const said = run('sh', ['-c', script, 'sh', ...versions])
    .trim()
    .split('\n')
  for (const [index, version] of versions.entries()) {
    // Called from a shell, dpkg takes a version without a digit at its start with a warning only.
    if (/^[v~]/.test(version)) t.type(problemOfDebVersion(version), 'string', version)
    else t.equal(problemOfDebVersion(version) === undefined ? 'good' : 'bad', said[index], version)
  }
  t.same(['0:1.0-1', '007:1', '1.0', '0:0:1'].map(debVersionOf), ['1.0-1', '7:1', '1.0', '0:0:1'])
})

const refused: Record<string, { deb: Buffer; message: RegExp; withoutDpkg?: boolean }> = {
  'no digit first': {
    deb: debOf(lines({ Version: 'v1.0' })),
    message: /Version "v1.0": it does not start with a digit/,
  },
  'an empty revision': {
    deb: debOf(lines({ Version: '1.0-' })),
    message: /Version "1.0-": nothing follows its last dash/,
  },
  'a letter of rpm': {
    deb: debOf(lines({ Version: '1.0^2' })),
    message: /Version "1.0\^2": dpkg allows no "\^" in it/,
  },
  'a dependency that dpkg cannot read': {
    deb: debOf(lines({ Depends: 'foo bar' })),
    message: /dpkg refuses it: .*'Depends' field, syntax error/,
    withoutDpkg: true,
  },
  'two paragraphs': {
    deb: debOf(`${lines({})}\n${lines({ Package: 'other' })}`),
    message: /dpkg refuses it: .*only one allowed/,
    withoutDpkg: true,
  },
  'an extended tar header in the data': {
    deb: debOf(lines({}), { data: paxTar }),
    message: /its data has a tar header of type "x"/,
  },
  'an architecture of sources': {
    deb: debOf(lines({ Architecture: 'any' })),
    message: /Architecture "any": it is for source packages$/,
  },
  'a member that dpkg does not know before the data': {
    deb: arOf([
      ['debian-binary', '2.0\n'],
      ['control.tar.gz', 'x'],
      ['notes', 'x'],
      ['data.tar.gz', 'x'],
    ]),
    message: /it has no data\.tar$/,
  },
}

for (const [what, { deb, message, withoutDpkg = false }] of Object.entries(refused)) {
  t.test(`dpkg refuses it on every node, so publish does: ${what}`, needs('dpkg-deb'), async (t) => {
    const bench = benchOf(t)
    fs.writeFileSync(`${bench.dir}/a.deb`, deb)
    t.match((await failureOf((await bench.open()).publish(`${bench.dir}/a.deb`))).message, message)
    // What our own reading finds needs no dpkg at the root.
    if (withoutDpkg) return
    const alone = await bench.open({ exec: { ...systemExec, which: async () => undefined } })
    t.match((await failureOf(alone.publish(`${bench.dir}/a.deb`))).message, message)
  })
}

const taken: Record<string, { deb: Buffer; is?: object }> = {
  'a signature after the data': {
    deb: debOf(lines({}), { after: [['_gpgorigin', '-----BEGIN PGP SIGNATURE-----\n']] }),
  },
  'a description in Latin-1': {
    deb: debOf(lines({ Description: 'gr\u00fc\u00dft' }), { latin1: true }),
    is: { summary: 'gr\u00fc\u00dft' },
  },
  'two control files, of which the last counts': {
    deb: debOf(lines({ Version: '2.0' }), { more: lines({ Version: '1.0' }) }),
    is: { version: '2.0' },
  },
  'a size that is no number': { deb: debOf(lines({ 'Installed-Size': '12 kB' })), is: { installedSize: 0 } },
}

for (const [what, { deb, is = {} }] of Object.entries(taken)) {
  t.test(`dpkg takes it, so publish does: ${what}`, needs('dpkg-deb'), async (t) => {
    const bench = benchOf(t)
    fs.writeFileSync(`${bench.dir}/a.deb`, deb)
    t.match(await (await bench.open()).publish(`${bench.dir}/a.deb`), { name: 'pole', ...is })
  })
}

t.test('a package that says far too small a size is refused', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const sparse: TreeFile = ''
  const control = { 'Installed-Size': '1' }
  const files = { 'opt/pole/map': sparse }
  const root = fs.mkdtempSync(`${bench.dir}/big-`)
  fs.chmodSync(root, 0o755)
  writeTree(root, { ...files, 'DEBIAN/control': lines(control) })
  fs.truncateSync(`${root}/opt/pole/map`, limits.sizeLieBytes + 4096)
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--nocheck', '--build', root, `${bench.dir}/big.deb`])
  for (const exec of [systemExec, { ...systemExec, which: async () => undefined }]) {
    const failure = await failureOf((await bench.open({ exec })).publish(`${bench.dir}/big.deb`))
    t.match(failure.message, /big\.deb: it says that it takes 1024 bytes, and its files have \d{8}$/)
  }
  const small = buildDeb(`${bench.dir}/small.deb`, { control, files: { 'opt/a': 'x'.repeat(100_000) } })
  t.equal((await repository.publish(small)).installedSize, 100_006, 'a little too small is put right')
})

t.test('rpm has to read the same of an .rpm', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const rpm = buildRpm(`${bench.dir}/a.rpm`, { preamble: ['Epoch: 0'], files: { '/opt/signpost/way': 'north\n' } })
  t.match(await (await bench.open()).publish(rpm), { name: 'signpost', version: '1.0-1', arch: 'all' })
  const other = { ...systemExec, run: async () => ({ ...ended, stdout: 'signpost\n0\n2.0\n1\nnoarch\n' }) }
  t.equal(
    (await failureOf((await bench.open({ exec: other })).publish(rpm))).message,
    `${rpm}: rpm reads its version as "2.0-1", and banyan as "1.0-1"`,
  )
  const refusing = { ...systemExec, run: async () => ({ ...ended, code: 1, stderr: 'error: a.rpm: unknown tag\n' }) }
  t.equal(
    (await failureOf((await bench.open({ exec: refusing })).publish(rpm))).message,
    `${rpm}: rpm refuses it: a.rpm: unknown tag`,
  )
})

const ended = { code: 0, signal: null, timedOut: false, stdout: '', stderr: '' }

t.test(
  'warned of: an .rpm without a signature, a .deb that older machines cannot unpack',
  needs('rpmbuild'),
  async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const rpm = buildRpm(`${bench.dir}/a.rpm`, { files: { '/opt/signpost/way': 'north\n' } })
    t.match((await repository.publish(rpm)).warnings, [
      /a\.rpm: it has no signature, and machines whose rpm demands one/,
    ])
    const zstd = buildDeb(`${bench.dir}/a.deb`, { control: { Package: 'other' }, compression: 'zstd' })
    t.match((await repository.publish(zstd)).warnings, [
      /a\.deb: Debian 11 and older cannot unpack its control\.tar\.zst/,
    ])
    const gzip = buildDeb(`${bench.dir}/b.deb`, { control: { Package: 'other', Version: '2' } })
    t.same((await repository.publish(gzip)).warnings, [])
  },
)

t.test(
  'a delta rpm, the sources of a package and a list of changes are refused for what they are',
  needs('rpmbuild'),
  async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const bytes = fs.readFileSync(buildRpm(`${bench.dir}/a.rpm`, { files: { '/opt/signpost/way': 'north\n' } }))
    bytes.write('drpm', bytes.indexOf('cpio\0'), 'latin1')
    fs.writeFileSync(`${bench.dir}/a.drpm`, bytes)
    t.match((await failureOf(repository.publish(`${bench.dir}/a.drpm`))).message, /a\.drpm: it is a delta rpm$/)
    fs.writeFileSync(`${bench.dir}/a.dsc`, 'Format: 3.0 (quilt)\n')
    t.match((await failureOf(repository.publish(`${bench.dir}/a.dsc`))).message, /neither a package nor a folder$/)
  },
)

t.test('file names and folders of all kinds lead to the same package', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const deb = buildDeb(`${bench.dir}/a.deb`, { control: { Version: '2:1.0-1' } })
  for (const name of ['-oDebug=1 %3a:$(x)\n.deb', 'probe_2%3a1.0-1_all.deb', 'no ending']) {
    fs.copyFileSync(deb, `${bench.dir}/${name}`)
    t.match(await repository.publish(`${bench.dir}/${name}`), { name: 'signpost', version: '2:1.0-1' }, name)
  }
  const folder = writeTree(`${bench.dir}/releases/7`, { 'banyan.yaml': 'name: tree\nversion: 1\n', a: 'x' })
  fs.symlinkSync('releases/7', `${bench.dir}/current`)
  const { manifest } = await repository.publish(folder)
  t.match(await repository.publish(`${bench.dir}/current`), { outcome: 'already', manifest })
})
