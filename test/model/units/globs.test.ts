// Patterns of paths.

import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { globOf } from '../../../src/model/units/globs.ts'

const cases: [pattern: string, yes: string[], no: string[]][] = [
  ['*.md', ['a.md', '.md', '.a.md'], ['a.mdx', 'docs/a.md', 'md']],
  ['**/*.map', ['a.map', 'a/b/c.map', '.cache/x.map'], ['a.mapp', 'a.map/b']],
  ['bin', ['bin'], ['bin/x', 'a/bin']],
  ['bin/', ['bin'], ['bin/x']],
  ['./bin', ['bin'], ['x/bin']],
  ['bin/**', ['bin/x', 'bin/x/y'], ['bin', 'binx/y']],
  [
    '/var/lib/shop/**',
    ['/var/lib/shop/a', '/var/lib/shop/.b/c'],
    ['/var/lib/shop', 'var/lib/shop/a', '/var/lib/shops/a'],
  ],
  ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['a/x', 'b', 'a/bb']],
  ['**', ['a', 'a/b'], []],
  ['a**b', ['ab', 'axxb'], ['a/b']],
  ['?at', ['cat', 'äat', '🐱at'], ['at', '/at', 'ccat']],
  ['[a-c]x', ['ax', 'cx'], ['dx', 'x', '[a-c]x']],
  ['[!a-c]x', ['dx', '!x'], ['ax', 'x']],
  ['[]]x', [']x'], ['x']],
  ['[!]]x', ['ax'], [']x']],
  ['[a-]', ['a', '-'], ['b']],
  ['{a,b}/{c,d}', ['a/c', 'b/d'], ['a/b', 'ac']],
  ['a{,.bak}', ['a', 'a.bak'], ['a.']],
  ['{a,{b,c}d}', ['a', 'bd', 'cd'], ['b', 'ad']],
  ['{a}', ['{a}'], ['a']],
  ['a{b', ['a{b'], ['ab']],
  ['{1..3}', ['{1..3}'], ['1', '2']],
  ['\\*', ['*'], ['a', '\\*']],
  ['\\{a,b\\}', ['{a,b}'], ['a', 'b']],
  ['\\!a', ['!a'], ['b']],
  ['+(a|b)', ['+(a|b)'], ['a', 'ab']],
  ['a.c', ['a.c'], ['abc']],
]

t.test('each pattern matches what it says and nothing else', async (t) => {
  for (const [pattern, yes, no] of cases) {
    const glob = globOf(pattern)
    for (const each of yes) t.ok(glob(each), `${pattern} matches ${each}`)
    for (const each of no) t.notOk(glob(each), `${pattern} does not match ${each}`)
  }
})

t.test('simple patterns match as they do in Node', async (t) => {
  const name = fc.stringMatching(/^[ab*?]{1,5}$/)
  const plain = fc.stringMatching(/^[ab]{1,5}$/)
  const pattern = fc.array(fc.oneof(name, fc.constant('**')), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(pattern, fc.array(plain, { minLength: 1, maxLength: 4 }), (names, at) => {
      // Node reads three stars in a name as a pattern of its own.
      fc.pre(names.every((each) => each === '**' || !each.includes('**')))
      return globOf(names.join('/'))(at.join('/')) === path.matchesGlob(at.join('/'), names.join('/'))
    }),
    { numRuns: 3000 },
  )
  t.pass()
})

t.test('patterns that cannot be read, or stand for too many others, are refused', async (t) => {
  const refused: [string, RegExp][] = [
    ['a'.repeat(limits.globMaxChars + 1), /" is over 256 characters$/],
    ['{a,b}'.repeat(7), /" stands for more than 64 others$/],
    ['{a,b}'.repeat(50), /stands for more than 64 others$/],
    [`{${','.repeat(200)}}`, /stands for more than 64 others$/],
    ['[a', /has a \[ without a \]$/],
    ['a\\', /has a backslash at its end$/],
    ['!a', /begins with !/],
  ]
  for (const [pattern, message] of refused) t.throws(() => globOf(pattern), { code: 'bad-input', message }, pattern)
})

t.test('no pattern takes more than a moment', async (t) => {
  const long = `${'a'.repeat(255)}/`.repeat(8).slice(0, -1)
  const started = process.cpuUsage().user
  for (const pattern of [
    '*a'.repeat(120),
    '**/'.repeat(80),
    '**/*a*a*a*a*b/'.repeat(10),
    '{1..100000000}',
    '*'.repeat(256),
  ]) {
    globOf(pattern)(`${long}b`)
  }
  t.ok(process.cpuUsage().user - started < 2_000_000, 'two seconds of the processor')
})
