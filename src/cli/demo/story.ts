// The demo's story: a tree is planted, software is published, released, replaced, broken by hand and removed.

import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure } from '../../model/failure.ts'
import type { NodeName } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { type Report, reportSchema } from '../../model/report.ts'
import { systemClock } from '../../world/clock.ts'
import { systemExec } from '../../world/exec.ts'
import { type Screen, watchTree } from './live.ts'
import { type DemoResult, resultOf, type Step } from './table.ts'
import type { Tree } from './tree.ts'

const project = fileURLToPath(new URL('../../../', import.meta.url))
const sites = ['berlin', 'oslo'] as const
const clientsPerSite = 3
const stepTimeoutMs = 120_000
// A thin link for a machine of today: slow enough to watch, fast enough to wait for.
const rootUploadBytesPerSecond = 16 * 1024 * 1024

const parseReport = parserOf(reportSchema)

/** Throws a Failure if a command fails; a step that does not converge in time is part of the result. */
export async function tell(tree: Tree, screen: Screen): Promise<DemoResult> {
  const steps: Step[] = []
  const banyan = async (...args: string[]) => {
    screen.say(`$ banyan ${args.join(' ')}`)
    const { code, stdout, stderr } = await tree.banyan([...args, '--home', homeOf('root')])
    if (code !== 0) throw new Failure('program-failed', `banyan ${args[0]} ended with ${code}: ${stderr.trim()}`)
    return stdout.trim()
  }
  const homeOf = (name: string) => tree.nodes.get(name)?.home ?? ''
  const policy = (text: string) => writeFile(path.join(homeOf('root'), 'policy.yaml'), text)

  screen.title('A root, two staging servers at two sites, three clients at each: nine daemons')
  await tree.plant({
    name: 'root',
    site: 'headquarters',
    parent: null,
    settings: { uploadLimit: rootUploadBytesPerSecond },
  })
  const token = await banyan('token', 'create', '--uses', '8')
  await Promise.all(sites.map((site) => tree.plant({ name: site, site, parent: 'root', token })))
  await Promise.all(
    sites.flatMap((site) =>
      Array.from({ length: clientsPerSite }, (_, index) =>
        tree.plant({ name: `${site}-${index + 1}`, site, parent: site, token, labels: [`place=${site}`] }),
      ),
    ),
  )
  screen.say(`${tree.nodes.size} nodes run below ${tree.folder}`)

  const step = async (name: string, revision: number, isDone: (report: Report) => boolean = () => true) => {
    const since = systemClock.monotonicMs()
    const converged = await watchTree({ tree, screen, revision, isDone, timeoutMs: stepTimeoutMs })
    const late = [...tree.nodes.keys()].filter((node) => !converged.includes(node))
    const seconds = Math.round((systemClock.monotonicMs() - since) / 100) / 10
    steps.push({ name, revision, seconds, converged, late })
    screen.say(`${converged.length} of ${tree.nodes.size} nodes converged to revision ${revision} after ${seconds} s`)
    if (late.length > 0) screen.say(`late: ${late.join(', ')}`)
  }

  screen.title('Publish real software and release it')
  const compiler = await typeCheckerPackage()
  await banyan('publish', compiler.folder, '--name', 'typescript', '--version', compiler.version)
  const sample = (name: string) => path.join(project, 'torrents', 'packages', name)
  await banyan('publish', sample('greeter-1.0.0'), sample('shop-4.1.0'))
  const deb = await debPackage(tree.folder)
  if (deb === null) screen.say('no dpkg-deb here, so no .deb in this demo')
  else await banyan('publish', deb)
  const everywhere = ['typescript', 'greeter', ...(deb === null ? [] : ['lantern'])]
  const rules = (shop: boolean) =>
    [
      'groups:',
      '  berlin: { site: berlin }',
      'rules:',
      '  - nodes: all',
      `    packages: { ${everywhere.map((name) => `${name}: latest`).join(', ')} }`,
      ...(shop ? ['  - nodes: [berlin]', '    packages: { shop: latest }'] : []),
      '',
    ].join('\n')
  await policy(rules(true))
  await banyan('release', '-m', 'first release')
  await step('first release', 1)

  screen.title('A second version')
  await banyan('publish', sample('greeter-2.0.0'), sample('shop-4.2.0'))
  await banyan('release', '-m', 'second version')
  await step('second version', 2)

  screen.title('Somebody breaks a client by hand')
  const victim: NodeName = 'oslo-2'
  const machine = tree.nodes.get(victim)?.targetRoot ?? ''
  await rm(path.join(machine, 'opt/greeter/current/bin/greet'))
  screen.say(`${victim}: /opt/greeter/current/bin/greet is gone`)
  screen.say(`$ banyan apply (on ${victim})`)
  const applied = await tree.banyan(['apply', '--home', homeOf(victim)])
  if (applied.code !== 0) screen.say(applied.stderr.trim())
  await step('drift corrected', 2, (report) => report.node !== victim || hasHealed(report))

  screen.title('A package is no longer wanted')
  await policy(rules(false))
  await banyan('release', '-m', 'no shop any more', '--allow-removals')
  await step('package removed', 3)

  const reports: Report[] = []
  for (const name of tree.nodes.keys()) {
    const info = (await tree.ask('root', `/nodes/${name}`)) as { report: unknown }
    reports.push(parseReport(info.report, `report of ${name}`))
  }
  return resultOf(steps, reports, 'root')
}

function hasHealed(report: Report): boolean {
  return report.packages.some(
    (each) => each.name === 'greeter' && each.outcome === 'changed' && each.difference === 'drift',
  )
}

/** The type checker that `npm ci` brought: over 20 MB of real software, the same bytes on every machine of one kind. */
async function typeCheckerPackage(): Promise<{ folder: string; version: string }> {
  const folder = path.join(project, 'node_modules', '@typescript', `typescript-linux-${process.arch}`)
  const text = await readFile(path.join(folder, 'package.json'), 'utf8').catch((error) => {
    throw new Failure('not-found', `${folder} is not there`, { hint: 'run npm ci first', cause: error })
  })
  return { folder, version: (JSON.parse(text) as { version: string }).version }
}

async function debPackage(folder: string): Promise<string | null> {
  if ((await systemExec.which('dpkg-deb')) === undefined) return null
  const source = path.join(folder, 'lantern')
  await mkdir(source, { recursive: true })
  await cp(path.join(project, 'torrents', 'debs', 'lantern'), source, { recursive: true })
  const file = path.join(folder, 'lantern.deb')
  const args = ['--root-owner-group', '-Zgzip', '-b', source, file]
  const built = await systemExec.run({ program: 'dpkg-deb', args, timeoutMs: 30_000 })
  if (built.code !== 0) throw new Failure('program-failed', `dpkg-deb: ${built.stderr.trim()}`)
  return file
}
