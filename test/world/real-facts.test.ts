import t from 'tap'
import { systemExec } from '../../src/world/exec.ts'
import { hostnameFrom, openFacts } from '../../src/world/facts.ts'
import { createLog } from '../../src/world/log.ts'
import { factsContract } from '../contract/facts-contract.ts'

const lines: string[] = []
const log = createLog({ write: (line) => lines.push(line), level: 'debug', journal: false })
const failing = { run: async () => ({ code: 1, signal: null, timedOut: false, stdout: '', stderr: 'no such file' }) }
const babbling = { run: async () => ({ code: 0, signal: null, timedOut: false, stdout: '{"a":[1]}', stderr: '' }) }

factsContract(t, () => openFacts({ exec: systemExec, log }))
factsContract(t, () => openFacts({ exec: failing, log }))
factsContract(t, () => openFacts({ exec: babbling, log }))

t.test('the facts of this machine say more than the least', async (t) => {
  const facts = await openFacts({ exec: systemExec, log }).collect()
  t.type(facts['virtual'], 'boolean')
  t.ok((facts['cpu.cores'] as number) > 0)
  t.ok((facts['memory.bytes'] as number) > 1e6)
  t.match(facts['os.kernel'], /^\d/)
})

t.test('what could not be found out is said in the log', async (t) => {
  lines.length = 0
  await openFacts({ exec: failing, log }).collect()
  t.match(lines[0], /warn facts are incomplete code=1 error="no such file"/)
})

t.test('the hostname is the one that the administrator set, not the one of a DHCP server', async (t) => {
  t.equal(hostnameFrom('shop-1\n', 'back-office'), 'shop-1')
  t.equal(hostnameFrom('# set by hand\n\n  shop-1  \n', 'back-office'), 'shop-1')
  t.equal(hostnameFrom('', 'back-office'), 'back-office', 'without the file it is the kernel that knows')
})
