// Metrics as a program that watches gets them, and the distance of a real transfer.

import { randomBytes } from 'node:crypto'
import path from 'node:path'
import t from 'tap'
import { run } from '../../bench/lab/shell.ts'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

t.test('metrics tell of a transfer, by the command and by the control port', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token, settings: { linkRate: '800mbit' } })
  await tree.publish('atlas', '1.0.0', { world: randomBytes(4 * 1024 * 1024) })
  await tree.release('rules:\n  - nodes: all\n    packages: { atlas: latest }\n')
  const text = await until('the transfer is told of', async () => {
    const metrics = await tree.must('leaf', 'metrics')
    // What is known of itself is of its newest report.
    const isThere = [/^banyan_transfer_time_ratio/m, /^banyan_converged 1$/m, /^banyan_nodes\{state="converged"\} 1$/m]
    return isThere.every((line) => line.test(metrics)) && metrics
  })
  const told = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1])
  const ratio = told('banyan_transfer_link_ratio{package="atlas",version="1.0.0"}')
  t.ok(ratio > 1 && ratio < 1.05, `${ratio} of the payload came over the link`)
  t.ok(told('banyan_received_bytes_total{from="parent"}') >= 4 * 1024 * 1024, 'all of it from the parent')
  t.equal(told('banyan_engine_starts_total'), 1)

  const leaf = tree.nodes.get('leaf')
  const keys = path.join(leaf?.home ?? '', 'keys')
  const identity = ['--cert', path.join(keys, 'node.crt.pem'), '--key', path.join(keys, 'node.key.pem')]
  const url = `${tree.nodes.get('root')?.controlUrl}/v1/metrics`
  const scraped = await until('the root knows both nodes', async () => {
    const answer = await run('curl', ['-sS', '-k', '-D', '-', ...identity, url])
    return /^banyan_nodes\{state="converged"\} 2$/m.test(answer) && answer
  })
  t.match(scraped, /content-type: application\/openmetrics-text; version=1\.0\.0/i)
  t.match(scraped, /^banyan_site_link_ratio\{site="berlin"\} 1\.0\d+$/m)
  t.match(scraped, /# EOF\n$/)
  t.match(await tree.must('root', 'status'), /^berlin +1 +1 +1\.0\d\d +\d/m, 'as status says it')
  t.match(await tree.must('root', 'node-info', 'leaf'), /^LAST TRANSFERS.*\natlas +1\.0\.0 +4\.0 MiB +1\.0\d\d +0 %/m)
  await t.rejects(run('curl', ['-sS', '-k', url]), 'nobody without a certificate of the fleet gets them')
})
