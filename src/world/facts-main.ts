// Prints, as JSON, the facts of `systeminformation` by which policies may select nodes. facts.ts
// runs this program.

import * as si from 'systeminformation'

const [cpu, system, uuid] = await Promise.all([si.cpu(), si.system(), si.uuid()])

const facts: Record<string, string | number | boolean> = {
  'cpu.model': `${cpu.manufacturer} ${cpu.brand}`.trim(),
  'cpu.vendor': cpu.vendor,
  'cpu.physicalCores': cpu.physicalCores,
  'machine.vendor': system.manufacturer,
  'machine.model': system.model,
  'machine.id': uuid.os,
  virtual: system.virtual ?? false,
  'virtual.kind': system.virtualHost ?? '',
}

const known = Object.entries(facts).filter(([, value]) => value !== '' && value !== '-')
process.stdout.write(JSON.stringify(Object.fromEntries(known)))
