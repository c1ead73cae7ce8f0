// The order of versions, against the programs whose order it is.

import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import type { Kind } from '../../src/model/manifest.ts'
import { compareVersions } from '../../src/model/versions.ts'
import { isLarge } from '../large.ts'
import { hasProgram, needs, run } from '../repository/workbench.ts'

const kinds = ['deb', 'rpm', 'tree'] as const satisfies readonly Kind[]

/** Each older than the next. */
const ascending: Record<Kind, string[][]> = {
  deb: [
    ['1.0~~', '1.0~~a', '1.0~', '1.0~rc1', '1.0~rc1+b1', '1.0', '1.0-1', '1.0-1+deb12u1', '1.0a', '1.0+b', '1.0.1'],
    ['1.9', '1.10', '1.10-2', '1.10-10', '2', '1:0.1', '2:0~'],
    ['4.1', '4.2', '4.10', '4.10.0'],
    ['9007199254740993', '9007199254740994', '90071992547409920'],
  ],
  tree: [['1.0.0~rc1', '1.0.0', '1.0.1', '1.0.10', '1.1.0', '10.0.0']],
  rpm: [
    ['1.0~~', '1.0~', '1.0~rc1', '1.0~rc1^git', '1.0', '1.0^', '1.0^git1', '1.0a', '1.0.1', '1.10'],
    ['1.0', '1.0-1', '1.0-1.fc40', '1.0-2', '1:0.1', '2:0~'],
    ['a', 'b', '1', '10a', '10.1'],
  ],
}

t.test('known orders hold, both ways round', async (t) => {
  for (const kind of kinds) {
    for (const versions of ascending[kind]) {
      for (const [index, older] of versions.entries()) {
        t.equal(compareVersions(kind, older, older), 0, `${kind} ${older}`)
        for (const newer of versions.slice(index + 1)) {
          t.ok(compareVersions(kind, older, newer) < 0, `${kind} ${older} < ${newer}`)
          t.ok(compareVersions(kind, newer, older) > 0, `${kind} ${newer} > ${older}`)
        }
      }
    }
  }
})

t.test('different texts can be the same version', async (t) => {
  for (const [a, b] of [
    ['1.0', '1.00'],
    ['1.0', '0:1.0'],
    ['1.0-0', '1.0'],
    ['1.0', '1.'],
  ] as const) {
    t.equal(compareVersions('deb', a, b), 0, `deb ${a} = ${b}`)
  }
  for (const [a, b] of [
    ['1.0', '1.00'],
    ['1.0', '1_0'],
    ['1.0', '0:1.0'],
  ] as const) {
    t.equal(compareVersions('rpm', a, b), 0, `rpm ${a} = ${b}`)
  }
})

const versionOf = (letters: string, separators: string) => {
  const part = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 7 })
  return fc
    .tuple(fc.constantFrom('', '', '', '0:', '1:', '12:'), fc.constantFrom('0', '1', '10'), part, part)
    .chain(([epoch, start, first, second]) =>
      fc.constantFrom(
        `${epoch}${start}${first}`,
        ...[...separators].map((mark) => `${epoch}${start}${first}${mark}${second}`),
      ),
    )
}
// Few letters, so that versions often begin alike.
const debVersion = versionOf('0019ab.+~', '-')
const rpmVersion = versionOf('0019ab.~^', '-')
const versionsOf = { deb: debVersion, tree: debVersion, rpm: rpmVersion }

t.test('the order is total', async () => {
  for (const kind of kinds) {
    const version = versionsOf[kind]
    fc.assert(
      fc.property(version, version, (a, b) => {
        return Math.sign(compareVersions(kind, a, b)) === -Math.sign(compareVersions(kind, b, a))
      }),
      { numRuns: 2_000 },
    )
    fc.assert(
      fc.property(version, version, version, (x, y, z) => {
        const [a, b, c] = [x, y, z].sort((one, other) => compareVersions(kind, one, other)) as [string, string, string]
        return compareVersions(kind, a, b) <= 0 && compareVersions(kind, b, c) <= 0 && compareVersions(kind, a, c) <= 0
      }),
      { numRuns: 2_000 },
    )
  }
})

function pairsOf(version: fc.Arbitrary<string>, count: number): { pairs: [string, string][]; seed: number } {
  const seed = Number(process.env['BANYAN_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  return { pairs: fc.sample(fc.tuple(version, version), { numRuns: count, seed }), seed }
}

function differences(kind: Kind, pairs: [string, string][], answers: string): string[] {
  const signs = answers.trim().split(/\s+/).map(Number)
  if (signs.length !== pairs.length) throw new Error(`${signs.length} answers to ${pairs.length} questions`)
  return pairs.flatMap(([a, b], index) => {
    const ours = Math.sign(compareVersions(kind, a, b))
    return ours === signs[index] ? [] : [`${a} and ${b}: ${ours}, not ${signs[index]}`]
  })
}

t.test('dpkg puts random versions in the same order', needs('dpkg'), async (t) => {
  const { pairs, seed } = pairsOf(debVersion, isLarge ? 400 : 100)
  const script = `while read -r a b; do
    if dpkg --compare-versions "$a" lt "$b"; then echo -1
    elif dpkg --compare-versions "$a" gt "$b"; then echo 1
    else echo 0; fi
  done`
  const answers = run('sh', ['-c', script], pairs.map((pair) => `${pair.join(' ')}\n`).join(''))
  t.same(differences('deb', pairs, answers), [], `BANYAN_SEED=${seed}`)
})

const hasDpkgPerl = hasProgram('perl') && spawnSync('perl', ['-MDpkg::Version', '-e', '1']).status === 0

t.test(
  "dpkg's own Perl code agrees on thousands",
  { skip: !hasDpkgPerl && 'libdpkg-perl is not on this machine' },
  async (t) => {
    const { pairs, seed } = pairsOf(debVersion, 5_000)
    const script = 'while (<>) { my ($a, $b) = split; print version_compare($a, $b), "\n" }'
    const answers = run('perl', ['-MDpkg::Version', '-e', script], pairs.map((pair) => `${pair.join(' ')}\n`).join(''))
    t.same(differences('deb', pairs, answers), [], `BANYAN_SEED=${seed}`)
  },
)

t.test('rpm puts random versions in the same order', needs('rpm'), async (t) => {
  const { pairs, seed } = pairsOf(rpmVersion, 3_000)
  const table = pairs.map(([a, b]) => `{"${a}","${b}"}`).join(',')
  const answers = run('rpm', [
    '--eval',
    `%{lua:for _, p in ipairs({${table}}) do print(rpm.vercmp(p[1], p[2]) .. " ") end}`,
  ])
  t.same(differences('rpm', pairs, answers), [], `BANYAN_SEED=${seed}`)
})
