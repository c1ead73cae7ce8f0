// The published JSON Schema of the policy.

import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { policyJsonSchema, policyJsonSchemaText } from '../../src/model/json-schema.ts'

const published = path.join(import.meta.dirname, '../../docs/policy.schema.json')

t.test('the published schema is the one that policies are checked with', async (t) => {
  const renew = 'renew it: node src/model/json-schema.ts > docs/policy.schema.json'
  t.equal(fs.readFileSync(published, 'utf8'), await policyJsonSchemaText(), renew)
})

t.test('an editor refuses unknown keys, offers the known ones, and takes versions for numbers', async (t) => {
  t.match(await policyJsonSchema(), {
    $schema: 'http://json-schema.org/draft-07/schema#',
    additionalProperties: false,
    properties: {
      groups: {
        additionalProperties: {
          additionalProperties: false,
          properties: { site: {}, labels: {}, facts: {}, names: {} },
        },
      },
      rules: {
        items: {
          additionalProperties: false,
          required: ['nodes', 'packages'],
          properties: {
            packages: {
              additionalProperties: {
                anyOf: [{ const: 'latest' }, { const: 'absent' }, { type: ['string', 'number', 'boolean'] }],
              },
            },
          },
        },
      },
    },
  })
})
