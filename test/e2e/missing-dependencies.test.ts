// A release is looked at before it is signed: what packages need and nodes would not have is named.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { buildDeb, needs } from '../repository/workbench.ts'
import { realTree } from './real-tree.ts'

t.test(
  'a release is refused for what nodes would not have, until somebody mends it or says so',
  needs('dpkg-deb'),
  async (t) => {
    const tree = await realTree(t)
    const home = tree.nodes.get('root')?.home ?? ''
    const deb = (name: string, version: string, control: Record<string, string>) =>
      buildDeb(path.join(tree.folder, `${name}.deb`), { control: { Package: name, Version: version, ...control } })
    const shop = deb('shop', '2.0', { Depends: 'libshop (>= 2), libc6 (>= 2.34) | musl' })
    const libshop = deb('libshop2', '2.1', { Provides: 'libshop (= 2.1)' })
    await tree.must('root', 'publish', shop)
    await tree.reports('root', 'has said what it is', () => true)
    const policy = (packages: string, more = '') =>
      writeFile(
        path.join(home, 'policy.yaml'),
        `${more}rules:\n  - nodes: all\n    packages: ${packages}\n    mode: audit\n`,
      )

    const wanted = (packages: string, more = '') =>
      writeFile(path.join(home, 'policy.yaml'), `${more}rules:\n  - nodes: all\n    packages: ${packages}\n`)
    const release = (...options: string[]) => tree.banyan(['release', ...options, '--home', home])
    const base = 'base: { all: base.txt }\n'
    await writeFile(path.join(home, 'base.txt'), 'libc6 2.41-12\n')

    await wanted('{ shop: 2.0 }', base)
    const refused = await release()
    t.match(refused, {
      code: 1,
      stderr: /policy\.yaml:3: shop 2\.0 needs libshop \(>= 2\), which 1 node would not have: root \(nodes: all\)/,
    })
    t.match(refused.stderr, /hint: publish what is missing, .*--allow-missing-dependencies/)
    const plan = await tree.banyan(['plan', '--home', home])
    t.match(plan.stdout, /^libshop \(>= 2\) +shop 2\.0 +3 +1 +root$/m, 'the plan says it too')
    t.same(JSON.parse(await tree.must('root', 'history', '--json')), [], 'nothing was signed')

    await tree.must('root', 'publish', libshop)
    const published = await release()
    t.match(published, { code: 1, stderr: /hint: the repository has libshop2: add it to the rule/ })

    await writeFile(path.join(home, 'base.txt'), 'libc6 2.31\n')
    await wanted('{ shop: 2.0, libshop2: latest }', base)
    t.match(
      await release(),
      { code: 1, stderr: /needs libc6 \(>= 2\.34\) \| musl/ },
      'one that brings too old a version',
    )

    await wanted('{ shop: 2.0, libshop2: latest }', 'base: { all: nowhere.txt }\n')
    t.match(await release(), { code: 1, stderr: /policy\.yaml:1: the base list of all: .*nowhere\.txt/ })

    await wanted('{ shop: 2.0, libshop2: latest }')
    const unknown = await release('--dry-run')
    t.match(unknown.stderr, /warning: .*whether root has libc6 \(>= 2\.34\) \| musl for shop 2\.0 is not known/)

    await policy('{ shop: 2.0 }', base)
    await wanted('{ shop: 2.0 }', base)
    const allowed = await release('--allow-missing-dependencies')
    t.match(allowed, { code: 0, stderr: /warning: .*shop 2\.0 needs libshop \(>= 2\)/ }, 'and a person may know better')
  },
)
