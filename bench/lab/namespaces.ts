// Network namespaces, the cables between them, and how these are shaped.

import { run } from './shell.ts'

const prefix = 'banyanlab'

export interface Port {
  space: string
  name: string
}

export interface Counted {
  /**
   * As the kernel hands the bytes over: up to 64 KiB of a stream at once, under one set of headers.
   */
  bytes: number
  /**
   * As the shaping counts them: each packet with headers of its own, as a real link would carry it.
   */
  withHeaders: number
}

/** The name of a namespace of this run. */
export function spaceOf(lab: number, name: string): string {
  return `${prefix}-${process.pid}-${lab}-${name}`
}

/** Removes what this run has made, and what an earlier one that was killed left behind. */
export async function sweep(): Promise<void> {
  for (const name of (await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ', 1)[0] ?? '')) {
    const owner = new RegExp(`^${prefix}-(\\d+)-`).exec(name)?.[1]
    if (owner !== undefined && (Number(owner) === process.pid || !isAlive(Number(owner)))) await removeSpace(name)
  }
}

/** With a loopback device, without IPv6. */
export async function addSpace(space: string): Promise<void> {
  await run('ip', ['netns', 'add', space])
  await run('ip', ['-n', space, 'link', 'set', 'lo', 'up'])
  await run('ip', ['netns', 'exec', space, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1'])
}

export async function addBridge(space: string): Promise<void> {
  await run('ip', ['-n', space, 'link', 'add', 'bridge', 'type', 'bridge', 'forward_delay', '0'])
  await run('ip', ['-n', space, 'link', 'set', 'bridge', 'up'])
}

/** A cable between two namespaces. */
export async function join(one: Port, other: Port): Promise<void> {
  const peer = ['peer', 'name', other.name, 'netns', other.space]
  await run('ip', ['link', 'add', one.name, 'netns', one.space, 'type', 'veth', ...peer])
}

export async function plug({ space, name }: Port): Promise<void> {
  await run('ip', ['-n', space, 'link', 'set', name, 'master', 'bridge', 'up'])
}

export async function address({ space, name }: Port, value: string): Promise<void> {
  await run('ip', ['-n', space, 'address', 'add', value, 'dev', name])
  await run('ip', ['-n', space, 'link', 'set', name, 'up'])
}

/** What is not for its own network leaves by this router. */
export async function routeBy(space: string, router: string): Promise<void> {
  await run('ip', ['-n', space, 'route', 'add', 'default', 'via', router])
}

/** What comes in by this port of a bridge reaches the bridge's own address, and no other such port. */
export async function isolate({ space, name }: Port): Promise<void> {
  await run('ip', ['-n', space, 'link', 'set', name, 'type', 'bridge_slave', 'isolated', 'on'])
}

/**
 * Makes the namespace of a bridge the router of its site: `inside` is its address at the bridge, and
 * everybody behind it is seen at `outside`, at this port. Both with the length of their network.
 */
export async function translate(port: Port, { inside, outside }: { inside: string; outside: string }): Promise<void> {
  const { space, name } = port
  await address({ space, name: 'bridge' }, inside)
  await address(port, outside)
  const within = ['netns', 'exec', space]
  await run('ip', [...within, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  const rules = `table ip lab {
    chain out { type nat hook postrouting priority 100; oifname "${name}" masquerade; }
  }`
  await run('ip', [...within, 'nft', rules])
}

/** What leaves by this port. */
export async function shape({ space, name }: Port, mbit: number): Promise<void> {
  // A burst of a whole segment as the sender's kernel builds it, so that none has to be cut.
  // A slow line's router holds several packets, or else each connection would starve the others.
  const latency = mbit < 1 ? '500ms' : '50ms'
  const tbf = ['tbf', 'rate', `${mbit}mbit`, 'burst', '128kb', 'latency', latency]
  await run('tc', ['-n', space, 'qdisc', 'add', 'dev', name, 'root', ...tbf])
}

/**
 * What came down a shaped cable so far: counted by the port it arrives at, and by the shaping of
 * the one it left.
 */
export async function countedOn(from: Port, to: Port): Promise<Counted> {
  const [links, queues] = await Promise.all([
    run('ip', ['-n', to.space, '-j', '-s', 'link', 'show', 'dev', to.name]),
    run('tc', ['-n', from.space, '-j', '-s', 'qdisc', 'show', 'dev', from.name]),
  ])
  const [link] = JSON.parse(links) as { stats64: { rx: { bytes: number } } }[]
  const [queue] = JSON.parse(queues) as { bytes: number }[]
  return { bytes: link?.stats64.rx.bytes ?? Number.NaN, withHeaders: queue?.bytes ?? Number.NaN }
}

/** With every process that is still in it: all of them are ours, since the namespace is. */
export async function removeSpace(name: string): Promise<void> {
  await killIn(name)
  await run('ip', ['netns', 'del', name]).catch(() => '')
}

/** Every process in it, at once and without a farewell. */
export async function killIn(space: string): Promise<void> {
  const pids = await run('ip', ['netns', 'pids', space]).catch(() => '')
  for (const pid of pids.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended meanwhile.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
