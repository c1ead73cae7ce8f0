// What is shipped may be shipped: the licence of every package that a node runs, by the lock file, and
// a line in docs/dependencies.md for each that is chosen by us.

import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'

const root = path.join(import.meta.dirname, '..', '..')
const read = (file: string) => fs.readFileSync(path.join(root, file), 'utf8')

/** SPDX names. All of them let a program under Apache 2.0 or MIT be shipped with the package. */
const allowed = ['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']

/** Packages that name their licence in no way that a program reads, with what they say. */
const said: Readonly<Record<string, string>> = {
  // Its package.json says BSD, its README.md "(MIT Licence)"; both let it be shipped.
  compact2string: 'MIT',
  // Its package.json has the list `licenses` of long ago, its LICENSE.txt the text of MIT.
  limiter: 'MIT',
}

interface Locked {
  version?: string
  license?: string
  dev?: boolean
  link?: boolean
}

/** The packages that `npm ci --omit=dev` installs. Links are folders of ours. */
function shipped(lock: { packages: Record<string, Locked> }): { name: string; licence: string | undefined }[] {
  return Object.entries(lock.packages)
    .filter(([place, { dev, link }]) => place.startsWith('node_modules/') && dev !== true && link !== true)
    .map(([place, { license }]) => {
      const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
      return { name, licence: said[name] ?? license }
    })
}

function refused(packages: ReturnType<typeof shipped>): string[] {
  return packages
    .filter(({ licence }) => licence === undefined || !allowed.includes(licence))
    .map(({ name, licence }) => `${name} has the licence ${licence ?? 'that nobody has read'}: leave the package out`)
}

t.test('every package that is shipped has a licence that allows it', async (t) => {
  const packages = shipped(JSON.parse(read('package-lock.json')))
  t.ok(packages.length > 100, `${packages.length} packages`)
  t.same(refused(packages), [])
  const names = new Set(packages.map(({ name }) => name))
  t.same(
    Object.keys(said).filter((name) => !names.has(name)),
    [],
    'no exception for what is not shipped',
  )
})

t.test('the licences are those of the packages that lie there', async (t) => {
  for (const [place, { license, dev, link }] of Object.entries(
    (JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }).packages,
  )) {
    const file = path.join(root, place, 'package.json')
    // Optional packages are for other machines.
    if (place === '' || dev === true || link === true || license === undefined || !fs.existsSync(file)) continue
    const { license: own } = JSON.parse(fs.readFileSync(file, 'utf8')) as { license?: unknown }
    if (own !== license) t.equal(own, license, place)
  }
})

t.test('a licence that is unknown, absent or not allowed is seen', async (t) => {
  const packages = shipped({
    packages: {
      '': {},
      'node_modules/a': { license: 'MIT' },
      'node_modules/a/node_modules/@b/c': { license: 'GPL-3.0-only' },
      'node_modules/d': {},
      'node_modules/e': { license: 'UNLICENSED', dev: true },
      'node_modules/f': { link: true },
    },
  })
  t.same(
    refused(packages).map((line) => line.split(' ')[0]),
    ['@b/c', 'd'],
  )
})

t.test('each package that is chosen by us says who keeps it, or why it stays', async (t) => {
  const { dependencies, optionalDependencies } = JSON.parse(read('package.json'))
  const text = read('docs/dependencies.md')
  const rows = text.slice(text.indexOf('## At run time'), text.indexOf('## To work on it')).split('\n')
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const row = rows.find((line) => line.split('|')[1]?.includes(`\`${name}\``))
    t.ok((row?.split('|')[3]?.trim() ?? '') !== '', `${name} has a row with what keeps it alive`)
  }
})
