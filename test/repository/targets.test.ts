// One name for several distributions: each machine gets the build that is for it.

import t, { type Test } from 'tap'
import { desiredFor } from '../../src/model/desired.ts'
import { parseTarget } from '../../src/model/packages/target-schema.ts'
import type { Report } from '../../src/model/report.ts'
import type { Revision } from '../../src/model/revision.ts'
import { createReleasePlanner } from '../../src/release/release-plan.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { reportOf } from '../report/reports.ts'
import { buildRpm } from './build-rpm.ts'
import { type Bench, benchOf, buildDeb, failureOf, greeter, needs, writeTree } from './workbench.ts'

const options = { file: 'policy.yaml', number: 1, released: 1, message: '' }
const [bookworm, trixie] = [{ 'os.codename': 'bookworm' }, { 'os.codename': 'trixie' }]

/** Publishes a folder for each text: `1.0`, or `1.0 os.codename=bookworm,os.distro=debian`. */
async function withBuilds(t: Test, texts: readonly string[]): Promise<{ bench: Bench; repository: Repository }> {
  const bench = benchOf(t)
  const repository = await bench.open()
  for (const text of texts) {
    const [version = '', target] = text.split(' ')
    const folder = writeTree(`${bench.dir}/probe`, { ...greeter, 'share/words': `${text}\n` })
    const given = target === undefined ? {} : { target: parseTarget([target], '--for') }
    await repository.publish(folder, { name: 'probe', version, ...given })
  }
  return { bench, repository }
}

async function compiled(repository: Repository, wanted = 'latest'): Promise<Revision> {
  const rule = `rules:\n  - nodes: all\n    packages: { probe: '${wanted}' }\n`
  return (await repository.compile(rule, options)).revision
}

/** The version that a machine gets, and the target that its build was published for. */
async function chosenIn(repository: Repository, revision: Revision, facts: Record<string, string>): Promise<string> {
  const [wanted] = desiredFor(revision, { name: 'a', site: 's', arch: 'amd64', labels: {}, facts })
  if (wanted?.state !== 'present') return wanted?.state ?? 'nothing'
  const build = (await repository.package('probe')).find(({ manifest }) => manifest === wanted.manifest)
  return `${wanted.version} ${JSON.stringify(build?.target ?? {})} ${build?.kind}`
}

t.test('the same name and version is published for two distributions, and each gets its own', async (t) => {
  const { bench, repository } = await withBuilds(t, ['1.0 os.codename=bookworm', '1.0 os.codename=trixie'])
  // After a restart of the root as well.
  for (const each of [repository, await bench.open()]) {
    const revision = await compiled(each)
    t.equal(await chosenIn(each, revision, bookworm), '1.0 {"os.codename":"bookworm"} tree')
    t.equal(await chosenIn(each, revision, trixie), '1.0 {"os.codename":"trixie"} tree')
    t.equal(await chosenIn(each, revision, { 'os.codename': 'forky' }), 'no-build')
    t.equal(await chosenIn(each, revision, {}), 'no-build')
  }
  t.match(await repository.packages(), [{ versions: ['1.0'], targets: ['os.codename=bookworm', 'os.codename=trixie'] }])
})

t.test('the most specific build that fits is chosen, and one without a target is for the rest', async (t) => {
  const builds = ['1.0', '1.0 os.distro=debian', '1.0 os.distro=debian,os.codename=trixie']
  const { repository } = await withBuilds(t, builds)
  const revision = await compiled(repository, '1.0')
  t.equal(await chosenIn(repository, revision, { 'os.distro': 'fedora' }), '1.0 {} tree')
  t.equal(
    await chosenIn(repository, revision, { 'os.distro': 'debian', ...bookworm }),
    '1.0 {"os.distro":"debian"} tree',
  )
  t.match(await chosenIn(repository, revision, { 'os.distro': 'debian', ...trixie }), /codename":"trixie/)
})

t.test('latest is the newest of each target', async (t) => {
  const builds = ['1.0 os.codename=bookworm', '2.0 os.codename=trixie', '1.5 os.codename=bookworm', '3.0']
  const { repository } = await withBuilds(t, builds)
  const revision = await compiled(repository)
  t.match(await chosenIn(repository, revision, bookworm), /^1\.5 /)
  t.match(await chosenIn(repository, revision, trixie), /^2\.0 /)
  t.match(await chosenIn(repository, revision, {}), /^3\.0 /)
})

t.test('two builds of one version that fit equally well are refused at the release, both named', async (t) => {
  const { repository } = await withBuilds(t, ['1.0 os.codename=bookworm', '1.0 os.distro=debian'])
  const failure = await failureOf(compiled(repository))
  t.equal(
    failure.message,
    'policy.yaml:3: probe 1.0 is published for all with os.codename=bookworm and for all with os.distro=debian, and both fit a machine with all of these facts',
  )
  // Of two versions, the newer one is meant.
  const { repository: other } = await withBuilds(t, ['1.0 os.codename=bookworm', '1.1 os.distro=debian'])
  t.match(await chosenIn(other, await compiled(other), { 'os.distro': 'debian', ...bookworm }), /^1\.1 /)
})

t.test('only a real duplicate is refused at publish', async (t) => {
  const { bench, repository } = await withBuilds(t, ['1.0', '1.0 os.codename=trixie'])
  const folder = writeTree(`${bench.dir}/probe`, { ...greeter, 'share/words': 'other\n' })
  const again = { name: 'probe', version: '1.0', target: trixie }
  t.match(await failureOf(repository.publish(folder, again)), {
    code: 'conflict',
    message: 'probe 1.0 for all with os.codename=trixie is published already with another content',
  })
  t.match(await repository.publish(folder, { ...again, target: bookworm }), { outcome: 'published', target: bookworm })
  t.match(await repository.publish(folder, { ...again, target: bookworm }), { outcome: 'already' })
})

t.test(
  'a .deb and an .rpm of one name are each for the machines of their package manager',
  needs('rpmbuild'),
  async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const files = { '/opt/probe/way': 'north\n' }
    await repository.publish(buildDeb(`${bench.dir}/a.deb`, { control: { Package: 'probe', Version: '1.0-1' } }))
    await repository.publish(buildRpm(`${bench.dir}/a.rpm`, { name: 'probe', files }))
    await repository.publish(buildRpm(`${bench.dir}/b.rpm`, { name: 'probe', version: '1.1', files }))
    for (const each of [repository, await bench.open()]) {
      const revision = await compiled(each)
      t.match(await chosenIn(each, revision, { 'os.packages': 'deb' }), /^1\.0-1 .* deb$/)
      t.match(await chosenIn(each, revision, { 'os.packages': 'rpm' }), /^1\.1-1 .* rpm$/)
      t.equal(await chosenIn(each, revision, {}), 'no-build')
      t.match(await each.packages(), [{ name: 'probe', kinds: ['deb', 'rpm'] }])
    }
    const folder = writeTree(`${bench.dir}/tree`, greeter)
    t.equal(
      (await failureOf(repository.publish(folder, { name: 'probe', version: '3' }))).message,
      'probe is published as deb already, not as tree',
    )
  },
)

t.test(
  'a package can say itself which machines it is for, and --for has the last word',
  needs('dpkg-deb'),
  async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const described = 'name: probe\nversion: 1\nfor: { os.distro: debian, os.codename: trixie }\n'
    const folder = writeTree(`${bench.dir}/tree`, { ...greeter, 'banyan.yaml': described })
    t.same((await repository.publish(folder)).target, { 'os.codename': 'trixie', 'os.distro': 'debian' })
    t.same((await repository.publish(folder, { target: bookworm })).target, bookworm)
    const control = { 'Banyan-For': 'os.codename=trixie' }
    t.same((await repository.publish(buildDeb(`${bench.dir}/a.deb`, { control }))).target, trixie)
  },
)

t.test('facts that are none are refused', async (t) => {
  for (const text of ['', 'bookworm', '=x', 'os.codename=', 'a=1,a=2', 'a=1,b=2,c=3,d=4,e=5', 'a b=1']) {
    t.throws(() => parseTarget([text], '--for'), { code: 'bad-input', message: /^--for: / }, text)
  }
  t.same(parseTarget(['b=2', 'a=1, c=x=y'], '--for'), { a: '1', b: '2', c: 'x=y' })
})

t.test('a plan has the build of each machine', async (t) => {
  const { repository } = await withBuilds(t, ['1.0 os.codename=bookworm', '2.0 os.codename=trixie'])
  const revision = await compiled(repository)
  const holdings = new Map((await repository.holdings()).map((each) => [each.manifest, each.manifestBody]))
  const planner = createReleasePlanner({ revision, before: null, manifest: (digest) => holdings.get(digest) })
  const report = (node: string, facts: Report['facts']) => reportOf(node, 1, { packages: [], facts })
  planner.add(report('old', bookworm))
  planner.add(report('new', trixie))
  planner.add(report('other', {}))
  const { changes, unknown } = planner.plan([])
  t.match(changes, [
    { name: 'probe', to: '1.0', target: 'os.codename=bookworm', nodes: ['old'] },
    { name: 'probe', to: '2.0', nodes: ['new'] },
  ])
  t.same(unknown.unbuilt, [{ name: 'probe', nodes: 1 }])
})
