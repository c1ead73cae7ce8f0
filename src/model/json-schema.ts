// The JSON Schema of policy.yaml, for editors. `node src/model/json-schema.ts >
// docs/policy.schema.json` writes the published one.

import { policySchema } from './policy.ts'

export async function policyJsonSchema(): Promise<object> {
  const { toJsonSchema } = await import('@valibot/to-json-schema')
  const schema = toJsonSchema(policySchema, {
    target: 'draft-07',
    // Some checks cannot be expressed in JSON Schema; `banyan plan` makes them.
    errorMode: 'ignore',
    typeMode: 'input',
    // Policies are read as text, so that 4.10 stays 4.10. An editor reads a number there, so
    // numbers are accepted too.
    overrideSchema: ({ jsonSchema }) =>
      jsonSchema.type === 'string' ? { ...jsonSchema, type: ['string', 'number', 'boolean'] } : undefined,
  })
  return { title: 'Policy of a banyan fleet', ...schema }
}

export async function policyJsonSchemaText(): Promise<string> {
  return `${JSON.stringify(await policyJsonSchema(), null, 2)}\n`
}

if (import.meta.main) process.stdout.write(await policyJsonSchemaText())
