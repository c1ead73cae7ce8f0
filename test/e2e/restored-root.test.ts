// A root whose home is put back from a copy that is several releases old.

import { cp, rm } from 'node:fs/promises'
import t from 'tap'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

t.setTimeout(280_000)

const policy = (version: string) =>
  `groups:\n  tills: { site: berlin }\nrules:\n  - nodes: [tills]\n    packages: { shop: '${version}' }\n`

t.test('a root that was restored from an older copy goes on above what its fleet has seen', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  const released = async (version: string) => {
    await tree.publish('shop', version, { VERSION: version })
    await tree.release(policy(version))
  }
  const has = (version: string) =>
    tree.reports('leaf', `has ${version}`, ({ packages }) => packages.some((each) => each.version === version))
  await released('1.0')
  await has('1.0')

  const home = tree.nodes.get('root')?.home ?? ''
  await tree.stop('root', 'SIGTERM')
  // Sockets cannot be copied, and mean nothing in a copy.
  const filter = (path: string) => !path.startsWith(`${home}/run`)
  await cp(home, `${home}.copy`, { recursive: true, verbatimSymlinks: true, filter })
  await tree.start('root')
  for (const version of ['2.0', '3.0', '4.0']) await released(version)
  const before = await has('4.0')
  await tree.stop('root', 'SIGTERM')
  await rm(home, { recursive: true })
  await cp(`${home}.copy`, home, { recursive: true, verbatimSymlinks: true })
  await tree.start('root')

  const isSaid = async () => tree.log('root').some((line) => line.includes('restored from an older copy'))
  await until('the leaf has asked again', isSaid, 60_000)
  const refused = await tree.banyan(['release', '--home', home])
  t.equal(refused.code, 1)
  t.match(refused.stderr, /1 of 1 children trust version \d+ .* restored from an older copy(.|\n)*banyan recover/)
  t.match((await tree.banyan(['doctor', '--home', home])).stdout, /restored from an older copy.*banyan recover/)
  const recovered = await tree.must('root', 'recover')
  t.match(recovered, /revision 4 is in force here again, and the next release goes above both/)
  for (const version of ['2.0', '3.0']) {
    t.notMatch(recovered, `shop ${version}`, 'what the newest revision does not name is with no child')
  }
  t.match(recovered, /published here again.*\n {2}shop 4\.0\n/)
  t.match(await tree.must('root', 'recover'), /nothing to recover/)
  t.match(await tree.must('root', 'packages'), /shop .*4\.0/)
  await released('5.0')
  const after = await has('5.0')
  t.ok((after.revision ?? 0) > (before.revision ?? 0), `revision ${after.revision} comes after ${before.revision}`)
  await until('the root knows it', async () => (await tree.report('leaf', 'root')).converged === after.revision)
  const kinds = new Set(after.attacks.map(({ kind }) => kind))
  t.ok(
    [...kinds].every((kind) => kind === 'rolled-back'),
    'to the leaf the old copy was a rollback, and no more',
  )
})
