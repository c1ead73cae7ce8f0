// Services that a policy has restarted after a change, and what runs from files that are gone: a
// real systemd, in a small Debian that boots for this alone.

import { rm } from 'node:fs/promises'
import t from 'tap'
import { boot, debianTree, missingForTree, notedIn, words } from './debian-tree.ts'

const missing = await missingForTree()
const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'

t.setTimeout(600_000)

/** Stopping the service takes as long as there is no /run/stop. */
const script = `
${words(150)}
starts() { [ "$(wc -l </result/starts)" = "$1" ]; }
told() { banyan node-info root --json | grep -q "$1"; }

mkdir -p /opt/old
cp /bin/sleep /opt/old/sleep
cat >/run/systemd/system/shop.service <<'END'
[Service]
ExecStartPre=/bin/sh -c 'echo started >>/result/starts'
ExecStart=/bin/sleep infinity
ExecStop=/bin/bash -c 'touch /run/stopping; while [ ! -e /run/stop ]; do sleep 0.1; done'
END
printf '[Service]\\nExecStart=/opt/old/sleep infinity\\n' >/run/systemd/system/old.service
systemctl daemon-reload
touch /run/stop
systemctl start shop old

banyan init --home $BANYAN_HOME --name root --listen 127.0.0.1
systemctl start banyan
shop() {
  mkdir -p /tmp/shop-$1; echo $1 >/tmp/shop-$1/VERSION
  printf 'name: shop\\nversion: "%s"\\n' $1 >/tmp/shop-$1/banyan.yaml
  banyan publish /tmp/shop-$1
  cat >$BANYAN_HOME/policy.yaml <<END
rules:
  - nodes: all
    packages: { shop: $1 }
    restart: [shop.service, nowhere.service]
END
  banyan release
}
note first shop 1.0
is restarted starts 2
is told told '"done"'
note report-first banyan node-info root --json
note text-first banyan node-info root

rm /run/stop /run/stopping
note second shop 2.0
is stopping test -e /run/stopping
note kill systemctl kill -s KILL --kill-whom=all 'banyan-apply-*'
touch /run/stop
is restarted-again starts 3
is converged banyan check
is told-again told 'by an apply that was interrupted'
note report-second banyan node-info root --json
sleep 3
note starts-after wc -l </result/starts

rm /opt/old/sleep
note restart systemctl restart banyan
is outdated told 'old.service'
touch /run/reboot-required
echo linux-image-amd64 >/run/reboot-required.pkgs
note apply banyan apply
is reboot told 'linux-image-amd64'
note report-third banyan node-info root --json
note status banyan status
note daemon-log journalctl -u banyan --no-pager -o cat
`

t.test('services of a real systemd', { skip: isCi ? false : (missing ?? false) }, async (t) => {
  t.setTimeout(600_000)
  if (missing !== undefined) throw new Error(missing)
  const result = await boot(await debianTree(), script)
  t.teardown(() => rm(result, { recursive: true, force: true }))
  const noted = notedIn(result)
  const report = (name: string) => JSON.parse(noted(name)).report
  t.teardown(() => {
    if (!t.passing()) t.comment(noted('log').slice(-3000), noted('daemon-log').slice(-3000))
  })

  await t.test('one that the policy names is restarted once its package has changed', async (t) => {
    t.match(noted('first'), /released revision 1/)
    t.equal(noted('restarted'), 'yes')
    t.match(report('report-first').restarts, [
      { unit: 'nowhere.service', state: 'skipped', detail: 'there is no such unit here' },
      { unit: 'shop.service', state: 'done' },
    ])
    t.match(noted('text-first'), /^ {2}shop\.service was restarted, /m)
  })

  await t.test('killed while a restart is under way, an apply leaves it done, and once only', async (t) => {
    t.equal(noted('stopping'), 'yes', 'the service was being stopped')
    t.equal(noted('kill'), '')
    t.equal(noted('restarted-again'), 'yes')
    t.equal(noted('converged'), 'yes')
    t.equal(noted('starts-after'), '3', 'not twice')
    const { restarts, packages } = report('report-second')
    t.match(packages, [{ name: 'shop', version: '2.0' }])
    t.match(restarts[1], { unit: 'shop.service', state: 'done', detail: 'by an apply that was interrupted' })
  })

  await t.test(
    'a service that runs from a file which is gone, and a reboot that is asked for, are reported',
    async (t) => {
      t.equal(noted('outdated'), 'yes')
      t.equal(noted('reboot'), 'yes')
      t.match(report('report-third').needs, { reboot: 'asked for by linux-image-amd64', restarts: ['old.service'] })
      t.match(noted('status'), /^needed +a reboot on 1 node, restarts of services on 1 node$/m)
    },
  )
})
