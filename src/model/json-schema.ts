// The JSON Schema of policy.yaml, for editors. `node src/model/json-schema.ts > docs/policy.schema.json` renews the published one.

import { policySchema } from './policy.ts'

export async function policyJsonSchema(): Promise<object> {
  const { toJsonSchema } = await import('@valibot/to-json-schema')
  const schema = toJsonSchema(policySchema, {
    target: 'draft-07',
    // Checks that JSON Schema has no words for are left to `banyan plan`.
    errorMode: 'ignore',
    typeMode: 'input',
    // Policies are read as text, so that 4.10 stays 4.10; an editor sees a number there, and that is fine.
    overrideSchema: ({ jsonSchema }) =>
      jsonSchema.type === 'string' ? { ...jsonSchema, type: ['string', 'number', 'boolean'] } : undefined,
  })
  return { title: 'Policy of a banyan fleet', ...schema }
}

export async function policyJsonSchemaText(): Promise<string> {
  return `${JSON.stringify(await policyJsonSchema(), null, 2)}\n`
}

if (import.meta.main) process.stdout.write(await policyJsonSchemaText())
