// The apply process as a unit of systemd's own: what a service starts as a plain child is killed when the service is
// restarted, in the middle of a package too.

import type { Exec } from '../../world/world.ts'

type Detached = Parameters<Exec['detach']>[0]

/** How long an apply that is told to stop has for the package it is at; a machine that shuts down waits for it. */
const stopPatience = '15min'

/**
 * The same program, run by systemd. `systemd-run` waits for it, so that its process lives as long as the unit; whoever
 * kills it kills a messenger. A unit's name is taken once: a second one of the same transaction is refused.
 */
export function asUnit({ program, args, outputFile, env = {} }: Detached, txid: string): Detached {
  const properties = {
    Description: `banyan apply ${txid}`,
    StandardInput: 'null',
    StandardOutput: `append:${outputFile}`,
    StandardError: `append:${outputFile}`,
    // The process itself is told, never the package manager below it.
    KillMode: 'mixed',
    TimeoutStopSec: stopPatience,
  }
  return {
    program: 'systemd-run',
    args: [
      ...['--quiet', '--wait', '--collect', '--no-ask-password', `--unit=banyan-apply-${txid}`],
      ...Object.entries(properties).map(([name, value]) => `--property=${name}=${value}`),
      ...Object.entries({ LANG: 'C.UTF-8', ...env }).map(([name, value]) => `--setenv=${name}=${value}`),
      '--',
      program,
      ...args,
    ],
    outputFile,
  }
}

/** Whether this very process is the main one of a service, as systemd tells it (systemd.exec(5), SYSTEMD_EXEC_PID). */
export function isService(env: Readonly<Record<string, string | undefined>>, pid: number): boolean {
  return env['SYSTEMD_EXEC_PID'] === String(pid)
}
