// How commands read the answers of a daemon of their own version, of an older and of a newer one.

import t from 'tap'
import * as v from 'valibot'
import { loadAnswerSchema, loadLineSchema } from '../../src/model/local-api/calls.ts'
import { readAnswer } from '../../src/model/local-api/readable.ts'

const schema = v.object({
  name: v.pipe(v.string(), v.maxLength(4)),
  state: v.picklist(['here', 'gone']),
  size: v.nullable(v.number()),
  hint: v.exactOptional(v.string()),
  parts: v.array(v.strictObject({ path: v.string(), whole: v.boolean() })),
  labels: v.record(v.string(), v.union([v.string(), v.number()])),
})

t.test('an answer of the same version is read as it is', async (t) => {
  const answer: v.InferOutput<typeof schema> = {
    ...{ name: 'jq', state: 'here', size: null, hint: 'none' },
    parts: [{ path: 'a', whole: true }],
    labels: { role: 'shop', floor: 2 },
  }
  t.same(readAnswer(schema, answer), answer)
})

t.test('what an older version does not send is absent', async (t) => {
  t.match(readAnswer(schema, { name: 'jq', parts: [{ path: 'a' }] }), {
    name: 'jq',
    state: undefined,
    size: undefined,
    parts: [{ path: 'a', whole: undefined }],
  })
})

t.test('what a newer version sends beside is ignored, and its new words and larger values are read', async (t) => {
  const answer = { name: 'longer', state: 'moving', colour: 'red', parts: [{ path: 'a', whole: true, of: 'b' }] }
  const read = readAnswer(schema, answer)
  t.match(read, { name: 'longer', state: 'moving', parts: [{ path: 'a', whole: true }] })
  t.notOk('colour' in read)
})

t.test('a field that is something else than known here is absent, and the others are read', async (t) => {
  const read = readAnswer(schema, { name: 7, state: 'here', size: 'large', parts: 'none', labels: { role: [] } })
  t.match(read, { name: undefined, state: 'here', size: undefined, parts: undefined, labels: { role: undefined } })
})

t.test('an answer that is no object at all is refused', async (t) => {
  t.throws(() => readAnswer(schema, 'hello'), { code: 'bad-input', message: /^the answer of the daemon: / })
})

t.test('every answer of the local API can be read', async (t) => {
  const loads: Record<string, () => Promise<v.GenericSchema>> = { ...loadAnswerSchema, ...loadLineSchema }
  for (const [call, load] of Object.entries(loads)) {
    t.type(readAnswer(await load(), {}), 'object', call)
  }
})
