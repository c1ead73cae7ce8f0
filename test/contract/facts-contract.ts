// What holds for every source of facts.

import type { Test } from 'tap'
import { archSchema } from '../../src/model/names.ts'
import type { FactSource } from '../../src/world/world.ts'

export function factsContract(t: Test, open: () => FactSource): void {
  t.test('facts are flat, and name the architecture and the node’s own name', async (t) => {
    const facts = await open().collect()
    t.ok((archSchema.options as readonly unknown[]).includes(facts['arch']), String(facts['arch']))
    t.match(facts['hostname'], /./)
    for (const [key, value] of Object.entries(facts)) {
      t.match(key, /^[a-z][A-Za-z.]*$/)
      t.ok(['string', 'number', 'boolean'].includes(typeof value), key)
    }
  })
}
