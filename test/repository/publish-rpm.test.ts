// Publishing rpm packages.

import fs from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { archOfRpm, rpmVersionOf } from '../../src/model/rpm.ts'
import { systemExec } from '../../src/world/exec.ts'
import { buildRpm } from './build-rpm.ts'
import { benchOf, failureOf, needs, run, snapshotOf, swarmed, textOf, writeTree } from './workbench.ts'

const withoutPrograms = {
  ...systemExec,
  which: async () => undefined,
  run: () => Promise.reject(new Error('no programs')),
}
const files = { '/opt/signpost/way': 'north\n' }

t.test('an .rpm is published as it is, and says itself what it is', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open({ exec: withoutPrograms })
  const rpm = buildRpm(`${bench.dir}/any-name.rpm`, {
    version: '2.10~rc1^git1',
    release: '3.fc40',
    files,
    preamble: [
      'Epoch: 1',
      'Requires: base >= 1.0-2, libjq.so.1()(64bit), (dnf or zypper)',
      'Requires: /bin/sh',
      'Provides: post = 4, config(signpost)',
      'Conflicts: milestone < 2',
      'Obsoletes: waypost <= 1.9-2, finger',
    ],
    scriptlets: { post: 'true' },
  })
  const published = await repository.publish(rpm)
  t.match(published, {
    outcome: 'published',
    name: 'signpost',
    version: '1:2.10~rc1^git1-3.fc40',
    arch: 'all',
    kind: 'rpm',
    summary: 'points the way',
    installedSize: Number(run('rpm', ['-qp', '--qf', '%{SIZE}', rpm])),
    payload: { via: 'object', size: fs.statSync(rpm).size },
  })
  t.same([...published.depends].sort(), ['(dnf or zypper)', '/bin/sh', 'base >= 1.0-2', 'libjq.so.1()(64bit)'])
  const manifest = JSON.parse(Buffer.from((await bench.objects.get(published.manifest)) ?? []).toString())
  t.same(manifest.provides, ['config(signpost)', 'post'])
  t.same(manifest.conflicts, ['milestone < 2'])
  t.same([...manifest.replaces].sort(), ['finger', 'waypost <= 1.9-2'])
  t.same(await bench.objects.get(published.payload.sha256), Uint8Array.from(fs.readFileSync(rpm)))
})

t.test('every compression is fine, for nothing is unpacked', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  for (const payload of ['w1.gzdio', 'w2.xzdio', 'w3.zstdio', 'w9.bzdio']) {
    const version = payload.slice(3)
    const rpm = buildRpm(`${bench.dir}/${version}.rpm`, { payload, version, files })
    t.match(await (await bench.open()).publish(rpm), { version: `${version}-1`, outcome: 'published' }, payload)
  }
})

t.test('what is read from the file is what rpm reads from it', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const rpm = buildRpm(`${bench.dir}/a.rpm`, { preamble: ['BuildArch: x86_64', 'Requires: a = 1, b < 2, c'], files })
  const published = await (await bench.open()).publish(rpm)
  t.equal(published.arch, 'amd64')
  const said = run('rpm', ['-qp', '--requires', rpm]).trim().split('\n')
  t.same([...published.depends].sort(), said.filter((line) => !line.startsWith('rpmlib(')).sort())
})

t.test('a large .rpm travels in a swarm', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const text = textOf(2 * limits.swarmThresholdBytes)
  const rpm = buildRpm(`${bench.dir}/large.rpm`, { files: { '/opt/signpost/map': text } })
  const payload = swarmed(await (await bench.open()).publish(rpm))
  t.ok(fs.readFileSync(`${bench.home}/store/${payload.sha256}`).equals(fs.readFileSync(rpm)))
})

t.test('a source package is refused', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const rpm = buildRpm(`${bench.dir}/a.src.rpm`, { source: true, files })
  t.match(await failureOf((await bench.open()).publish(rpm)), {
    code: 'unsupported',
    message: `${rpm}: it is a source package`,
  })
})

t.test(
  'another name or version on the command line, and a name of another kind, are refused',
  needs('rpmbuild'),
  async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const rpm = buildRpm(`${bench.dir}/a.rpm`, { files })
    t.match(await failureOf(repository.publish(rpm, { version: '1.0' })), {
      message: `${rpm}: the package is version 1.0-1, not 1.0`,
      hint: 'the name and version of an rpm package are inside it',
    })
    t.match(await repository.publish(rpm, { name: 'signpost', version: '1.0-1' }), { outcome: 'published' })
    t.match(await repository.publish(rpm), { outcome: 'already' })
    t.match(
      await failureOf(
        repository.publish(writeTree(`${bench.dir}/tree`, { x: 'x' }), { name: 'signpost', version: '2' }),
      ),
      {
        message: 'signpost is published as rpm already, not as tree',
      },
    )
  },
)

t.test('a damaged .rpm is refused and leaves nothing', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const whole = fs.readFileSync(buildRpm(`${bench.dir}/a.rpm`, { files }))
  const changed = (at: number) => {
    const bytes = Buffer.from(whole)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    return bytes
  }
  const name = whole.lastIndexOf('signpost\0')
  const counted = Buffer.from(whole)
  counted.writeUInt32BE(0xffffffff, 96 + 8)
  const vast = Buffer.from(whole)
  vast.writeUInt32BE(0xfffffff0, 96 + 12)
  const bad: Record<string, [Uint8Array, RegExp]> = {
    'a file of no bytes': [Buffer.alloc(0), /: the file is empty$/],
    'a file of zeros': [Buffer.alloc(1000), /: not an rpm package$/],
    'a web page': [Buffer.from('<!DOCTYPE html>'), /: not an rpm package$/],
    'only a lead': [whole.subarray(0, 96), /: not a whole rpm package: it is cut off in its signature$/],
    'half a lead': [whole.subarray(0, 50), /: not a whole rpm package: it is cut off$/],
    'half a header': [whole.subarray(0, 2000), /: not a whole rpm package: its \w+ lacks \d+ bytes$/],
    'a cut payload': [whole.subarray(0, -1), /: not a whole rpm package: \d+ bytes, it says \d+$/],
    'a byte too much': [Buffer.concat([whole, Buffer.from('x')]), /: not a whole rpm package: \d+ bytes, it says \d+$/],
    'a changed payload': [
      changed(whole.length - 9),
      /: not a whole rpm package: its payload is not as its digest says$/,
    ],
    'a changed header': [changed(name), /: not a whole rpm package: its header is not as its digest says$/],
    'a signature of countless entries': [counted, /its signature is damaged: 4294967295 entries$/],
    'a signature of four gigabytes': [vast, /its signature is over \d+ bytes$/],
  }
  const before = snapshotOf(bench.home)
  for (const [what, [bytes, message]] of Object.entries(bad)) {
    const file = `${bench.dir}/bad.rpm`
    fs.writeFileSync(file, bytes)
    t.match((await failureOf(repository.publish(file))).message, message, what)
  }
  t.same(snapshotOf(bench.home), before)
})

t.test('whatever byte is changed, it is refused or says the same', needs('rpmbuild'), async (t) => {
  const bench = benchOf(t)
  const whole = fs.readFileSync(buildRpm(`${bench.dir}/a.rpm`, { files, preamble: ['Requires: base >= 1'] }))
  const repository = await bench.open({ exec: withoutPrograms })
  const original = await repository.publish(`${bench.dir}/a.rpm`)
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const bytes = Buffer.from(whole)
      bytes.writeUInt8(bytes.readUInt8(at) ^ change, at)
      fs.writeFileSync(`${bench.dir}/b.rpm`, bytes)
      // Its payload's digest is another one, so the best that can become of it is a conflict.
      const failure = await failureOf(repository.publish(`${bench.dir}/b.rpm`))
      return failure.code !== 'conflict' || failure.message.endsWith('published already with another content')
    }),
    { numRuns: 150 },
  )
  t.match((await repository.package('signpost'))[0], { manifest: original.manifest })
})

t.test('rpm’s versions and architectures in banyan’s words', async (t) => {
  t.equal(rpmVersionOf(0, '1.0', '1'), '1.0-1')
  t.equal(rpmVersionOf('(none)', '1.0', '1'), '1.0-1')
  t.equal(rpmVersionOf('02', '1.0', '1'), '2:1.0-1')
  t.equal(archOfRpm('noarch'), 'all')
  t.equal(archOfRpm('constructor'), undefined)
})
