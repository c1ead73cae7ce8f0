// What a machine needs so that what is installed is what runs.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { createCachedNeeds } from '../../src/reconcile/machine-needs.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { deletedCodeIn, outdatedProcesses, serviceIn } from '../../src/world/processes.ts'
import { until } from './apply-world.ts'

const noExec = {
  which: async () => undefined,
  run: async () => {
    throw new Error('nothing is to be run')
  },
}

t.test('a reboot that Debian packages ask for is found below the target root, with their names', async (t) => {
  const root = t.testdir({ run: {} })
  const clock = { monotonicMs: () => 0 }
  const look = createCachedNeeds({
    targetRoot: root,
    exec: noExec,
    disk: systemDisk,
    clock,
    outdatedProcesses: async () => t.fail('nothing runs there') as never,
  })
  t.same(await look.look(), { reboot: null, restarts: [] })
  await fs.writeFile(path.join(root, 'run/reboot-required'), '*** System restart required ***\n')
  t.match(await look.look(), { reboot: 'a package asks for it' })
  await fs.writeFile(path.join(root, 'run/reboot-required.pkgs'), 'linux-image-amd64\nlibc6\nlibc6\n')
  t.match(await look.look(), { reboot: 'asked for by libc6, linux-image-amd64' })
})

t.test('of rpm packages those count that a machine runs only after a start, and that are newer than it', async (t) => {
  const files: Record<string, string> = { '/proc/stat': 'cpu 1\nbtime 1000\n' }
  const parts = {
    targetRoot: '/',
    clock: { monotonicMs: () => 0 },
    outdatedProcesses: async () => [],
    disk: {
      stat: async (file: string) =>
        file === '/var/lib/rpm' ? { kind: 'folder' as const, size: 0, mode: 0 } : undefined,
      read: async (file: string) => new TextEncoder().encode(files[file]),
    },
  }
  const rpm = (stdout: string) => ({
    which: async () => '/usr/bin/rpm',
    run: async () => ({ code: 1, signal: null, timedOut: false, stdout, stderr: '' }),
  })
  const older = 'glibc 900\npackage gnutls is not installed\n'
  t.match(await createCachedNeeds({ ...parts, exec: rpm(older) }).look(), { reboot: null })
  const newer = `${older}kernel-core 1001\nkernel-core 800\nsystemd 2000\n`
  t.match(await createCachedNeeds({ ...parts, exec: rpm(newer) }).look(), {
    reboot: 'kernel-core, systemd newer than the last start',
  })
  t.match(await createCachedNeeds({ ...parts, exec: noExec }).look(), { reboot: null }, 'without rpm nothing is asked')
})

t.test('services are looked at again after a change, and otherwise now and then', async (t) => {
  let looks = 0
  let now = 0
  const look = createCachedNeeds({
    targetRoot: '/',
    exec: noExec,
    disk: { stat: async () => undefined, read: systemDisk.read },
    clock: { monotonicMs: () => now },
    outdatedProcesses: async () => {
      looks += 1
      return [
        { pid: 2, unit: 'sshd.service', file: '/usr/sbin/sshd' },
        { pid: 3, unit: null, file: '/usr/bin/bash' },
        { pid: 4, unit: 'cron.service', file: '/usr/sbin/cron' },
        { pid: 5, unit: 'sshd.service', file: '/usr/sbin/sshd' },
      ]
    },
  })
  t.same(await look.look(), { reboot: null, restarts: ['cron.service', 'sshd.service'] })
  await look.look()
  t.equal(looks, 1)
  look.changed()
  await look.look()
  t.equal(looks, 2)
  now = 11 * 60_000
  await look.look()
  t.equal(looks, 3)
})

t.test('code that is gone is told from what a program unlinks by itself', async (t) => {
  const line = (mode: string, file: string) => `7f0000000000-7f0000001000 ${mode} 00000000 08:01 1234      ${file}\n`
  const is = (text: string) => deletedCodeIn(`${line('r-xp', '/usr/bin/nginx')}${text}`)
  t.equal(is(''), undefined)
  t.equal(is(line('r-xp', '/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)')), '/usr/lib/x86_64-linux-gnu/libssl.so.3')
  t.equal(is(line('r-xp', '/lib64/libc.so.6 (deleted)')), '/lib64/libc.so.6')
  t.equal(is(line('r--p', '/usr/lib/locale/locale-archive (deleted)')), undefined)
  t.equal(is(line('rwxp', '/memfd:jit (deleted)')), undefined)
  t.equal(is(line('r-xp', '/tmp/.org.chromium.x (deleted)')), undefined)
  t.equal(is(line('r-xp', '/usr/bin/my program (deleted)')), '/usr/bin/my program')
})

t.test('a process is of the service in whose control group it runs', async (t) => {
  t.equal(serviceIn('0::/system.slice/nginx.service\n'), 'nginx.service')
  t.equal(serviceIn('0::/system.slice/system-getty.slice/getty@tty1.service\n'), 'getty@tty1.service')
  t.equal(serviceIn('0::/system.slice/docker.service/payload\n'), 'docker.service')
  t.equal(serviceIn('12:pids:/x\n1:name=systemd:/system.slice/cron.service\n'), 'cron.service')
  t.equal(serviceIn('0::/user.slice/user-1000.slice/session-2.scope\n'), null)
  t.equal(serviceIn('0::/system.slice/docker-0123.scope\n'), null)
  t.equal(serviceIn(''), null)
})

t.test(
  'a program that is replaced while it runs is found',
  { skip: process.getuid?.() !== 0 && 'not as root' },
  async (t) => {
    const copy = `/usr/local/bin/banyan-test-sleep-${process.pid}`
    await fs.copyFile('/bin/sleep', copy)
    const child = spawn(copy, ['60'])
    t.teardown(async () => {
      child.kill('SIGKILL')
      await fs.rm(copy, { force: true })
    })
    const isRunning = async () => (await fs.readFile(`/proc/${child.pid}/maps`, 'utf8')).includes(copy)
    await until(isRunning)
    const own = async () => (await outdatedProcesses()).filter(({ pid }) => pid === child.pid)
    t.same(await own(), [], 'as long as it is what is installed')
    await fs.rm(copy)
    t.match(await own(), [{ pid: child.pid, file: copy }])
  },
)
