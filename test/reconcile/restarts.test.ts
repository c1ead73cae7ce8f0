// Restarts that a policy asks for: which are due, what is remembered of them, and how they are
// carried out.

import * as fs from 'node:fs/promises'
import t from 'tap'
import type { Outcome } from '../../src/model/report.ts'
import { findApplies } from '../../src/reconcile/apply/apply.ts'
import { applyFolder } from '../../src/reconcile/apply/apply-folder.ts'
import { restartedStep, restartFailedStep, restartingStep } from '../../src/reconcile/apply/journal.ts'
import { runRestarts } from '../../src/reconcile/apply/restart-run.ts'
import type { PlannedRestart } from '../../src/reconcile/planned-restart.ts'
import {
  type BegunRestart,
  isDue,
  type KeptRestart,
  type RestartResult,
  restartsAfter,
  restartsUnder,
  restartsWithOwed,
  withRestarts,
} from '../../src/reconcile/restarts.ts'
import { systemDisk } from '../../src/world/disk.ts'
import type { Run } from '../../src/world/world.ts'

const outcome = (name: string, word: Outcome['outcome'] = 'changed'): Outcome => ({
  ...{ name, kind: 'deb', outcome: word, version: '2', before: '1', difference: 'pending' },
})
const nginx: PlannedRestart = { unit: 'nginx.service', packages: ['nginx', 'libssl3'] }

t.test('a plan has restarted what the rules of its actions name, each unit once', async (t) => {
  const action = (name: string) => ({
    ...{
      name,
      kind: 'deb' as const,
      what: 'upgrade' as const,
      cause: 'pending' as const,
      from: '1',
      to: '2',
      found: '',
    },
    ...{ source: null, previous: null },
  })
  const plan = {
    schema: 1 as const,
    revision: 1,
    digest: 'a'.repeat(64),
    actions: ['nginx', 'libssl3', 'jq'].map(action),
    waiting: [],
  }
  const wanted = (name: string, ...restart: string[]) => ({
    ...{ state: 'present' as const, name, version: '2', manifest: 'b'.repeat(64), line: 1 },
    ...(restart.length > 0 && { terms: { restart } }),
  })
  const desired = [
    wanted('nginx', 'nginx.service'),
    wanted('libssl3', 'sshd.service', 'nginx.service'),
    wanted('jq'),
    wanted('zsh', 'other.service'),
  ]
  t.same(withRestarts(plan, desired).restarts, [nginx, { unit: 'sshd.service', packages: ['libssl3'] }])
  t.notOk('restarts' in withRestarts(plan, [wanted('jq')]), 'and no word of it where there is none')
})

t.test('a restart is due once a package has changed, or if an earlier apply did not come to it', async (t) => {
  t.ok(isDue(nginx, [outcome('nginx', 'kept'), outcome('libssl3')]))
  t.notOk(isDue(nginx, [outcome('nginx', 'failed'), outcome('jq')]))
  t.ok(isDue({ ...nginx, owed: { invocation: null } }, []))
})

function after(
  kept: KeptRestart[],
  planned: PlannedRestart[],
  results: (RestartResult | BegunRestart)[],
  outcomes = [outcome('nginx')],
) {
  return restartsAfter(kept, { planned, outcomes, results, now: 50 })
}

t.test('what an apply did not come to is owed, and what it did is done', async (t) => {
  const owed: KeptRestart = { unit: 'nginx.service', state: 'owed', at: 50 }
  t.same(after([], [nginx], []), [owed])
  t.same(after([], [nginx], [], [outcome('nginx', 'failed')]), [], 'nothing changed')
  const begun: BegunRestart = { unit: 'nginx.service', state: 'begun', at: 40, invocation: 'abc' }
  t.same(after([], [nginx], [begun]), [{ ...owed, invocation: 'abc' }], 'killed in the middle of it')
  t.same(restartsWithOwed([], [{ ...owed, invocation: 'abc' }]), [
    { unit: 'nginx.service', packages: [], owed: { invocation: 'abc' } },
  ])
  t.same(restartsWithOwed([nginx], [owed]), [{ ...nginx, owed: { invocation: null } }])
  const again = restartsWithOwed([], [{ ...owed, invocation: 'abc' }])
  t.match(after([], again, [], []), [{ state: 'owed', invocation: 'abc' }], 'the run it was to end is not forgotten')
  const done: RestartResult = { unit: 'nginx.service', state: 'done', at: 45 }
  t.same(after([owed], again, [done], []), [done])
  t.same(after([done], again, [done], []), [done], 'and the same told twice changes nothing')
})

t.test('what no rule has restarted any more is forgotten', async (t) => {
  const kept: KeptRestart[] = [{ unit: 'nginx.service', state: 'owed', at: 1 }]
  const rule = { line: 1, nodes: 'all' as const, except: [], packages: {} }
  t.same(restartsUnder(kept, { rules: [{ ...rule, terms: { restart: ['nginx.service'] } }] }), kept)
  t.same(restartsUnder(kept, { rules: [rule] }), [])
})

interface Machine {
  shows?: Record<string, string>
  restarts?: { code: number; stderr?: string }
  targetRoot?: string
  hasSystemd?: boolean
  units?: string[]
  stopping?: boolean
}

async function ran(machine: Machine, planned: PlannedRestart[] = [nginx]) {
  const { shows = {}, restarts = { code: 0 }, targetRoot = '/', hasSystemd = true, units = ['nginx.service'] } = machine
  const done: string[] = []
  const ended = { code: 0, signal: null, timedOut: false, stdout: '', stderr: '' }
  const results = await runRestarts({
    planned,
    outcomes: [outcome('nginx')],
    units: new Set(units),
    targetRoot,
    exec: {
      async run({ args }: Run) {
        const words = args.filter((arg) => arg !== '--no-ask-password')
        if (words[0] === 'show') {
          const found = { LoadState: 'loaded', ActiveState: 'active', InvocationID: 'aaaa', ...shows }
          return {
            ...ended,
            stdout: Object.entries(found)
              .map(([key, value]) => `${key}=${value}\n`)
              .join(''),
          }
        }
        done.push(words.join(' '))
        return { ...ended, ...restarts, stderr: restarts.stderr ?? '' }
      },
    },
    disk: { stat: async () => (hasSystemd ? { kind: 'folder', size: 0, mode: 0 } : undefined) },
    clock: { now: () => 7 },
    journal: async (step, name) => void done.push(`${step}: ${name}`),
    isStopping: () => machine.stopping ?? false,
  })
  return { results, done }
}

t.test('a unit that runs is restarted, and the journal says so before and after', async (t) => {
  const { results, done } = await ran({})
  t.same(results, [{ unit: 'nginx.service', state: 'done', at: 7 }])
  t.same(done, [`${restartingStep} aaaa: nginx.service`, 'try-restart -- nginx.service', 'restarted: nginx.service'])
})

t.test('what a killed apply had begun is not begun again, if systemd has carried it out', async (t) => {
  const owed = (invocation: string) => [{ unit: 'nginx.service', packages: [], owed: { invocation } }]
  const carriedOut = await ran({}, owed('0000'))
  t.match(carriedOut, { results: [{ state: 'done', detail: 'by an apply that was interrupted' }], done: [] })
  t.match((await ran({}, owed('aaaa'))).done.length, 3, 'and is, if not')
})

t.test('a restart that goes wrong says how', async (t) => {
  const stderr = 'Job for nginx.service failed.\nSee "systemctl status nginx.service".\n'
  const { results, done } = await ran({ restarts: { code: 1, stderr } })
  t.match(results, [{ state: 'failed', detail: 'See "systemctl status nginx.service".' }])
  t.equal(done.at(-1), 'restart failed: See "systemctl status nginx.service".: nginx.service')
})

t.test('an apply that is killed after a restart knows how it went', async (t) => {
  const home = t.testdir({})
  const { dir, plan, journal } = applyFolder(home, '1')
  await fs.mkdir(dir, { recursive: true })
  await fs.writeFile(plan, JSON.stringify({ schema: 1, revision: 1, digest: 'a'.repeat(64), actions: [], waiting: [] }))
  const steps = [
    ['nginx.service', `${restartingStep} aaaa`],
    ['nginx.service', `${restartFailedStep}it took too long`],
    ['sshd.service', `${restartingStep} bbbb`],
    ['sshd.service', restartedStep],
    ['cron.service', `${restartingStep} cccc`],
  ]
  const lines = steps.map(([name, step]) => `${JSON.stringify({ at: 7, step, name })}\n`)
  await fs.writeFile(journal, lines.join(''))
  t.match(await findApplies({ home, disk: systemDisk }), [
    {
      state: 'aborted',
      restarts: [
        { unit: 'nginx.service', state: 'failed', detail: 'it took too long' },
        { unit: 'sshd.service', state: 'done' },
        { unit: 'cron.service', state: 'begun', invocation: 'cccc' },
      ],
    },
  ])
})

const leftAlone: Record<string, [Machine, RegExp]> = {
  'that is not there': [{ shows: { LoadState: 'not-found' } }, /no such unit/],
  'that does not run': [{ shows: { ActiveState: 'inactive' } }, /it is inactive/],
  'below another root': [{ targetRoot: '/srv/root' }, /packages lie below \/srv\/root/],
  'without systemd': [{ hasSystemd: false }, /systemd does not run/],
  'that no rule names': [{ units: ['sshd.service'] }, /does not name it/],
}
for (const [what, [machine, detail]] of Object.entries(leftAlone)) {
  t.test(`a unit ${what} is left alone`, async (t) => {
    const { results, done } = await ran(machine)
    t.match(results, [{ unit: 'nginx.service', state: 'skipped', detail }])
    t.same(done, [])
  })
}

t.test('an apply that is stopped leaves the rest for the next time', async (t) => {
  t.same((await ran({ stopping: true })).results, [])
})
