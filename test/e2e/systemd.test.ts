// The daemon as a service of a real systemd, in a small Debian that boots for this alone.

import { rm } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { systemExec } from '../../src/world/exec.ts'
import { boot, debianTree, missingForTree, notedIn, words } from './debian-tree.ts'

const missing = await missingForTree()
const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'

t.setTimeout(600_000)

const script = `
${words(300)}
show() { systemctl show banyan -P "$1"; }
changed() { [ "$(show "$1")" != "$2" ]; }

banyan init --home $BANYAN_HOME --name root --listen 127.0.0.1
note start systemctl start banyan
note active systemctl show banyan -P ActiveState -P StatusText

mkdir -p /tmp/hello/bin
cat >/tmp/hello/banyan.yaml <<'END'
name: hello
version: "1.0"
hooks: { preInstall: bin/wait, postInstall: bin/serve }
END
cat >/tmp/hello/bin/wait <<'END'
#!/bin/bash
echo begun >>/result/hook
for _ in $(seq 600); do [ -e /run/go ] && break; sleep 0.1; done
echo done >>/result/hook
END
cat >/tmp/hello/bin/serve <<'END'
#!/bin/sh
sleep 1000 &
echo $! >/run/served
END
chmod +x /tmp/hello/bin/wait /tmp/hello/bin/serve
note publish banyan publish /tmp/hello
printf 'rules:\\n  - nodes: all\\n    packages: { hello: latest }\\n' >$BANYAN_HOME/policy.yaml
note release banyan release
is begun test -e /result/hook
note units systemctl list-units --no-legend --plain 'banyan-apply-*'
note cgroup bash -c 'systemctl show banyan-apply-* -P ControlGroup -P KillMode'
pid=$(show MainPID)
note restart systemctl restart banyan
is restarted changed MainPID "$pid"
note still systemctl list-units --no-legend --plain 'banyan-apply-*'
touch /run/go
is converged banyan check
note report banyan node-info root --json
is installed test -e /opt/hello/current/bin/wait
note units-after systemctl list-units --no-legend --plain 'banyan-apply-*'
note serves sh -c 'cat /proc/$(cat /run/served)/comm'

mkdir -p /run/systemd/system/banyan.service.d
printf '[Service]\\nWatchdogSec=2\\nRestartSec=100ms\\n' >/run/systemd/system/banyan.service.d/quick.conf
systemctl daemon-reload
systemctl restart banyan
pid=$(show MainPID)
is beats sleep 5
note beating show MainPID
echo "$pid" >/result/beating-before
kill -STOP "$pid"
is watchdog changed NRestarts 0
is again banyan status
note watchdog-log journalctl -u banyan --no-pager -o cat

note reload systemctl reload banyan
note stop systemctl stop banyan
note stopped systemctl show banyan -p ActiveState -p Result -p ExecMainStatus
`

t.test('a service of systemd', { skip: isCi ? false : (missing ?? false) }, async (t) => {
  t.setTimeout(600_000)
  if (missing !== undefined) throw new Error(missing)
  const result = await boot(await debianTree(), script)
  t.teardown(() => rm(result, { recursive: true, force: true }))
  const noted = notedIn(result)
  t.teardown(() => {
    if (!t.passing()) t.comment(noted('log').slice(-4000), noted('watchdog-log').slice(-4000))
  })

  await t.test('starting waits until the daemon is ready', async (t) => {
    t.equal(noted('start'), '', 'systemctl start went well')
    t.match(noted('active'), /^node root, control 7420, swarm 7421\nactive$/, 'and the daemon says who it is')
  })

  await t.test('an apply survives a restart of the daemon, and is done once', async (t) => {
    t.match(noted('release'), /released revision 1 with 1 package$/)
    t.equal(noted('begun'), 'yes', 'the apply is in the middle of it')
    t.match(noted('units'), /^banyan-apply-\S+\.service loaded active running/, 'in a unit of its own')
    t.match(noted('cgroup'), /banyan-apply-\S+\.service\nprocess/, 'and in a control group of its own')
    t.equal(noted('restart'), '')
    t.equal(noted('restarted'), 'yes', 'another daemon runs')
    t.match(noted('still'), noted('units'), 'the same apply goes on')
    t.equal(noted('converged'), 'yes')
    t.equal(noted('installed'), 'yes')
    t.equal(noted('hook'), 'begun\ndone', 'the hook ran once, to its end')
    const { report } = JSON.parse(noted('report'))
    t.match(report, { state: 'converged', packages: [{ name: 'hello', outcome: 'changed', version: '1.0' }] })
    t.equal(noted('units-after'), '', 'and nothing of it is left')
    t.equal(noted('serves'), 'sleep', 'but what a hook has started')
  })

  await t.test('the watchdog leaves a daemon alone that works, and restarts one that hangs', async (t) => {
    t.equal(noted('beating'), noted('beating-before'), 'after two periods and a half it is the same process')
    t.equal(noted('watchdog'), 'yes', 'stopped in its tracks it is restarted')
    t.equal(noted('again'), 'yes', 'and answers again')
  })

  await t.test('it reads its settings again, and stops cleanly', async (t) => {
    t.equal(noted('reload'), '')
    t.equal(noted('stop'), '')
    t.same(noted('stopped').split('\n').sort(), ['ActiveState=inactive', 'ExecMainStatus=0', 'Result=success'])
  })
})

t.test('the unit file is as systemd likes it', { skip: isCi ? false : (missing ?? false) }, async (t) => {
  const file = path.join(import.meta.dirname, '../../packaging/systemd/banyan.service')
  const args = ['security', '--offline=true', '--threshold=50', file]
  const { code, stdout } = await systemExec.run({ program: 'systemd-analyze', args, timeoutMs: 20_000 })
  t.equal(code, 0, stdout.trim().split('\n').at(-1) ?? '')
  // It ends with 0 for unknown words too: only its silence counts. The program lies elsewhere on
  // this machine.
  const verified = await systemExec.run({ program: 'systemd-analyze', args: ['verify', file], timeoutMs: 20_000 })
  const words = verified.stderr.split('\n').filter((line) => line !== '' && !/\.bin\/node is not executable/.test(line))
  t.same(words, [])
})
