// YAML files of people: what they mean, and how a refusal reads.

import t from 'tap'
import * as v from 'valibot'
import { limits } from '../../../src/model/limits.ts'
import { readYaml } from '../../../src/model/yaml/yaml.ts'
import { checkedYaml } from '../../../src/model/yaml/yaml-check.ts'
import { failureOf } from '../../repository/workbench.ts'

const read = (content: string | Uint8Array, scalars: 'text' | 'typed' = 'text') =>
  readYaml(content, { file: 'a.yaml', maxBytes: 1 << 20, scalars })

t.test('as text, every scalar is what is written', async (t) => {
  const { value } = await read('version: 4.10\ncountry: no\nempty:\nold: 0x1F\nquoted: "a b"\nlist: [1e3, true, ~]\n')
  t.same(value, { version: '4.10', country: 'no', empty: '', old: '0x1F', quoted: 'a b', list: ['1e3', 'true', '~'] })
})

t.test('typed, numbers are numbers', async (t) => {
  const { value } = await read('port: 7420\nname: berlin\non: true\nnone: null\n', 'typed')
  t.same(value, { port: 7420, name: 'berlin', on: true, none: null })
})

t.test('a byte order mark, CRLF and comments alone are fine', async (t) => {
  t.same((await read('\uFEFFa: 1\r\nb:\r\n  - x\r\n')).value, { a: '1', b: ['x'] })
  t.same((await read(Buffer.from('\uFEFFa: 1\r\n'))).value, { a: '1' })
  for (const nothing of ['', '# only a comment\n', '---\n'])
    t.notOk((await read(nothing)).value, JSON.stringify(nothing))
})

t.test('aliases mean what they stand for', async (t) => {
  const yaml = await read('base: &base\n  shop: 4.10\nrules:\n  - packages: *base\n')
  t.same(yaml.value, { base: { shop: '4.10' }, rules: [{ packages: { shop: '4.10' } }] })
  t.equal(yaml.lineOf(['rules', 0, 'packages', 'shop']), 2)
})

t.test('everything has a line', async (t) => {
  const yaml = await read(
    '# top\n\ngroups:\n  web: { site: berlin }\nrules:\n  - nodes: all\n    packages:\n      shop: 1\n  -\n    nodes: x\n',
  )
  for (const [path, line] of [
    [[], 3],
    [['groups'], 3],
    [['groups', 'web', 'site'], 4],
    [['rules', 0], 6],
    [['rules', 0, 'packages', 'shop'], 8],
    [['rules', 0, 'packages', 'missing'], 7],
    [['rules', 1], 10],
    [['rules', 7], 5],
    [['nothing', 'here'], 3],
  ] as const) {
    t.equal(yaml.lineOf(path), line, path.join('.'))
  }
})

t.test('what is no usable YAML is refused with its line', async (t) => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x]']
  for (let code = 98; code < 110; code += 1) {
    const [name, before] = [String.fromCharCode(code), String.fromCharCode(code - 1)]
    bomb.push(`${name}: &${name} [${Array(8).fill(`*${before}`).join(', ')}]`)
  }
  for (const [what, content, message] of [
    ['a syntax error', 'a: 1\nb: [1, 2\n', /^a\.yaml:3: flow sequence in block collection must be .*end with a \]$/],
    ['a tab', 'a:\n\t- b\n', /^a\.yaml:2: tabs are not allowed as indentation$/],
    ['a key twice', 'a: 1\nb: 2\na: 3\n', /^a\.yaml:3: "a" is there twice$/],
    ['a key twice in a flow', 'x: {a: 1, a: 2}\n', /^a\.yaml:1: "a" is there twice$/],
    ['an unknown alias', 'a: 1\nb: *nope\n', /^a\.yaml:2: \*nope is not defined above$/],
    ['an alias of itself', 'a: &a\n  - *a\n', /^a\.yaml:\d: nested more than 32 deep$/],
    ['aliases that grow', `${bomb.join('\n')}\n`, /^a\.yaml:\d+: more than 500000 values$/],
    ['deep nesting', `${'['.repeat(100)}${']'.repeat(100)}\n`, /^a\.yaml:1: nested more than 32 deep$/],
    ['very deep nesting', '['.repeat(100_000), /^a\.yaml:1: nested too deeply$/],
    ['a tag', 'a: 1\nb: !!python/object x\n', /^a\.yaml:2: unresolved tag: .*python\/object$/],
    ['two documents', 'a: 1\n---\nb: 2\n', /^a\.yaml:2: source contains multiple documents/],
    ['a list as key', '? [a]\n: 1\n', /^a\.yaml:1: expected a plain word as key$/],
    ['__proto__', 'x: 1\n__proto__: {}\n', /^a\.yaml:2: "__proto__" cannot be used as a key$/],
    ['constructor', 'constructor: 1\n', /^a\.yaml:1: "constructor" cannot be used as a key$/],
    ['NUL', 'a: 1\nb: \u0000\n', /^a\.yaml:2: control character U\+0000$/],
    ['an escape', 'a: 1\n\nb: \u001b[31m\n', /^a\.yaml:3: control character U\+001B$/],
    ['not UTF-8', Buffer.from('613a20310a623a20ff0a', 'hex'), /^a\.yaml:2: not UTF-8 text$/],
    ['UTF-16', Buffer.from('fffe61003a00', 'hex'), /^a\.yaml:1: not UTF-8 text$/],
  ] as const) {
    const failure = await failureOf(read(content))
    t.equal(failure.code, 'bad-input', what)
    t.match(failure.message, message, what)
  }
})

t.test('a file over its limit is refused before it is read', async (t) => {
  const failure = await failureOf(readYaml('a: 1\n', { file: 'a.yaml', maxBytes: 4, scalars: 'text' }))
  t.match(failure, { code: 'too-large', message: 'a.yaml:1: 5 bytes are over the limit of 4' })
  t.ok(limits.yamlDepthMax < 100)
})

const schema = v.strictObject({
  name: v.string(),
  ports: v.optional(v.array(v.number('expected a port')), []),
  labels: v.optional(v.record(v.string(), v.string()), {}),
  place: v.exactOptional(v.strictObject({ site: v.union([v.string(), v.array(v.string())], 'expected sites') })),
})

t.test('what does not fit a schema is refused with line, place and hint', async (t) => {
  for (const [content, message, hint] of [
    ['nmae: a\n', 'a.yaml:1: unknown key "nmae"', 'did you mean name?'],
    ['name: a\nxyz: 1\n', 'a.yaml:2: unknown key "xyz"', undefined],
    ['name: a\nold: 1\n', 'a.yaml:2: unknown key "old"', 'it is called name now'],
    ['name: a\nplace:\n  sites: b\n', 'a.yaml:3: place: unknown key "sites"', 'did you mean site?'],
    ['ports: [1]\n', 'a.yaml:1: name is missing', undefined],
    ['name: a\nports:\n  - 1\n  - x\n', 'a.yaml:4: ports.1: expected a port, got "x"', undefined],
    ['name: 12\n', 'a.yaml:1: name: expected string, got "12"', undefined],
    ['name:\n', 'a.yaml:1: name: expected string, got nothing', undefined],
    ['name: [a]\n', 'a.yaml:1: name: expected string, got a list', undefined],
    ['name: {a: b}\n', 'a.yaml:1: name: expected string, got keys and values', undefined],
    ['name: a\nlabels: [b]\n', 'a.yaml:2: labels: expected keys and values, got a list', undefined],
    ['- name: a\n', 'a.yaml:1: expected keys and values, got a list', undefined],
    ['name: a\nplace: { site: [b, 3] }\n', 'a.yaml:2: place.site.1: expected string, got "3"', undefined],
    ['name: a\nplace: { site: 3 }\n', 'a.yaml:2: place.site: expected sites, got "3"', undefined],
  ] as const) {
    const yaml = await read(content, 'typed')
    const failure = await failureOf((async () => checkedYaml(yaml, schema, { old: 'it is called name now' }))())
    t.equal(failure.message, message)
    t.equal(failure.hint, hint, content)
    t.equal(failure.code, 'bad-input')
  }
})

t.test('the first mistake of many is the one that is named', async (t) => {
  const yaml = await read('name: a\nports:\n  - 1\n  - x\n  - y\nlabels: { a: 1 }\n', 'typed')
  t.match(await failureOf((async () => checkedYaml(yaml, schema))()), { message: /^a\.yaml:4: / })
})

t.test('thousands of anchors and aliases are read in a moment', async (t) => {
  const anchors = Array.from({ length: 2500 }, (_, index) => `k${index}: &a${index} [x, y]\n`)
  const aliases = Array.from({ length: 5000 }, (_, index) => `  - *a${index % 2500}\n`)
  const text = `${anchors.join('')}list:\n${aliases.join('')}`
  const before = process.cpuUsage().user
  const { value } = await readYaml(text, { file: 'a.yaml', maxBytes: 1 << 20, scalars: 'text' })
  t.equal((value as { list: unknown[] }).list.length, 5000)
  t.ok(process.cpuUsage().user - before < 5_000_000, 'five seconds of the processor')
})

t.test('an alias means the last node before it with its anchor', async (t) => {
  const text = 'a: &x { n: &y 1 }\nb: &y 2\nc: *x\nd: *y\n'
  const { value } = await readYaml(text, { file: 'a.yaml', maxBytes: 1000, scalars: 'text' })
  t.same(value, { a: { n: '1' }, b: '2', c: { n: '1' }, d: '2' })
})

t.test('nothing nests so deeply that it is anything but bad input', async (t) => {
  for (const one of ['[', '{a: ', '- ', '? ', '!!seq ', '&a *a ', '- - ? [']) {
    const reading = readYaml(one.repeat(8000), { file: 'a.yaml', maxBytes: 1 << 20, scalars: 'text' })
    await t.rejects(reading, { name: 'Failure', code: 'bad-input' }, one)
  }
})
