// A policy that names packages for other architectures than the node's own.

import t from 'tap'
import { desiredFor } from '../../src/model/desired.ts'
import { benchOf, buildDeb, greeter, needs, writeTree } from './workbench.ts'

const options = { file: 'policy.yaml', number: 7, released: 1_000, message: '' }

t.test('a policy can want a package for two architectures', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  for (const [name, Version, Architecture] of [
    ['libfo', '1', 'amd64'],
    ['libfo', '1', 'i386'],
    ['libfo', '2', 'amd64'],
    ['doc', '1', 'all'],
  ] as const) {
    const file = `${bench.dir}/${name}_${Version}_${Architecture}.deb`
    await repository.publish(buildDeb(file, { control: { Package: name, Version, Architecture } }))
  }
  await repository.publish(writeTree(`${bench.dir}/tool`, greeter), { name: 'tool', version: '1' })
  const compiled = async (packages: string) => {
    return await repository.compile(`rules:\n  - nodes: all\n    packages: { ${packages} }\n`, options)
  }
  const { revision } = await compiled('libfo: 1, "libfo:i386": latest')
  const traits = { name: 'n', site: '', arch: 'amd64' as const, labels: {}, facts: {} }
  const desired = desiredFor(revision, traits)
  t.match(desired, [
    { name: 'libfo', state: 'present', version: '1' },
    { name: 'libfo:i386', state: 'present', version: '1' },
  ])
  const manifests = desired.map((one) => (one.state === 'present' ? one.manifest : ''))
  t.not(manifests[0], manifests[1])
  t.match((await compiled('"libfo:i386": absent')).revision.rules[0]?.packages, { 'libfo:i386': { state: 'absent' } })
  await t.rejects(compiled('"libfo:arm64": latest'), {
    message: /nothing is published of libfo for arm64; there is amd64, i386/,
  })
  await t.rejects(compiled('"doc:i386": latest'), { message: /nothing is published of doc for i386; there is all/ })
  await t.rejects(compiled('"tool:i386": latest'), { message: /tool is a tree/, hint: 'write tool' })
  await t.rejects(compiled('"libfo:vax": latest'), { message: /package name/ })
})
