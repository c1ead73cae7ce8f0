// The apply process as a unit of systemd; `test/e2e/systemd.test.ts` runs it.

import t from 'tap'
import { asUnit, isService } from '../../../src/reconcile/apply/apply-unit.ts'

t.test('the program, its output and its environment are those of the child', async (t) => {
  const child = {
    program: '/usr/bin/node',
    args: ['apply.ts', '/home', 'x'],
    outputFile: '/home/out put',
    env: { A: 'b c' },
  }
  const { program, args, outputFile } = asUnit(child, 'm1-2f')
  t.equal(program, 'systemd-run')
  t.equal(outputFile, child.outputFile)
  t.ok(args.includes('--unit=banyan-apply-m1-2f'))
  t.ok(args.includes('--property=StandardOutput=append:/home/out put'))
  t.ok(args.includes('--setenv=A=b c'))
  t.ok(args.includes('--property=KillMode=process'), 'what a package starts outlives the unit')
  t.strictSame(args.slice(args.indexOf('--')), ['--', child.program, ...child.args])
})

t.test('only the main process of a service is one, not what it starts', async (t) => {
  t.ok(isService({ SYSTEMD_EXEC_PID: '42' }, 42))
  t.notOk(isService({ SYSTEMD_EXEC_PID: '42' }, 43))
  t.notOk(isService({}, 42))
})
