// The edge: what comes in as JSON or as an unknown value, and what it may cost.

import t from 'tap'
import * as v from 'valibot'
import { atMost } from '../../src/model/names.ts'
import { parseJson, parserOf } from '../../src/model/parse.ts'
import { misplacedListFinder } from '../../src/model/yaml/misplaced-list.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

t.test('text with more marks than allowed is refused before it is parsed, at its bound it is taken', async (t) => {
  t.same(parseJson(bytesOf('[{"a":1},2]'), 'x', 4), [{ a: 1 }, 2])
  t.same(parseJson('[{"a":1},2]', 'x', 4), [{ a: 1 }, 2])
  const refusal = { code: 'bad-input', message: 'x: more than 3 commas, colons and brackets' }
  t.throws(() => parseJson(bytesOf('[{"a":1},2]'), 'x', 3), refusal)
  t.throws(() => parseJson('[{"a":1},2]', 'x', 3), refusal)
  // It is no JSON, and nobody gets to see that.
  for (const mark of ',:[{') t.throws(() => parseJson(mark.repeat(4), 'x', 3), refusal)
})

t.test('a key that would reach the prototype is dropped, however it is written', async (t) => {
  const escaped = [...'__proto__'].map((letter, place) => {
    const code = `\\u00${letter.charCodeAt(0).toString(16)}`
    return [...'__proto__'].map((other, index) => (index === place ? code : other)).join('')
  })
  const keys = [
    '__proto__',
    '\\u005F_proto__',
    '\\u005f\\u005f\\u0070\\u0072\\u006F\\u0074\\u006f\\u005f\\u005f',
    ...escaped,
  ]
  for (const key of keys) {
    const value = parseJson(`{"inside":{"${key}":{"role":"root"},"a":1}}`, 'x') as { inside: object }
    t.same(Object.getOwnPropertyNames(value.inside), ['a'], key)
  }
})

t.test('a list where keys and values belong is refused with its place', async (t) => {
  const parse = parserOf(
    v.strictObject({
      deep: v.exactOptional(v.array(v.nullable(v.strictObject({ a: v.exactOptional(v.number()) })))),
      bounded: v.exactOptional(v.pipe(atMost(1, 'entries'), v.record(v.string(), v.string()))),
      record: v.exactOptional(
        v.pipe(
          v.record(v.string(), v.object({})),
          v.check(() => true),
        ),
      ),
      either: v.exactOptional(v.union([v.string(), v.strictObject({ a: v.exactOptional(v.number()) })])),
      list: v.exactOptional(v.union([v.array(v.string()), v.record(v.string(), v.string())])),
      variant: v.exactOptional(
        v.variant('kind', [
          v.strictObject({ kind: v.literal('x'), facts: v.record(v.string(), v.number()) }),
          v.strictObject({ kind: v.literal('y'), facts: v.array(v.number()) }),
        ]),
      ),
    }),
  )
  const rows: [unknown, string][] = [
    [[], ''],
    [{ deep: [null, {}, []] }, 'deep.2: '],
    [{ record: [] }, 'record: '],
    [{ record: { a: {}, b: [] } }, 'record.b: '],
    [{ either: [] }, 'either: '],
    [{ bounded: [] }, 'bounded: '],
    [{ variant: { kind: 'x', facts: [] } }, 'variant.facts: '],
  ]
  for (const [input, place] of rows) {
    const message = `input: ${place}expected keys and values, got a list`
    t.throws(() => parse(input, 'input'), { code: 'bad-input', message }, JSON.stringify(input))
  }
  for (const input of [{ deep: [null, {}] }, { list: ['a'] }, { list: {} }, { variant: { kind: 'y', facts: [] } }]) {
    t.same(parse(input, 'input'), input)
  }
})

t.test('a refusal quotes no more of the input than a line can hold', async (t) => {
  const parse = parserOf(v.number())
  t.throws(() => parse('x'.repeat(1_000_000), 'input'), { message: /^.{1,1100}$/ })
})

t.test('a schema without objects has nothing to look for', async (t) => {
  t.equal(misplacedListFinder(v.array(v.pipe(v.string(), v.maxLength(3)))), undefined)
  t.equal(misplacedListFinder(v.nullable(v.union([v.string(), v.number()]))), undefined)
})
