// The apply process as a systemd unit of its own. systemd kills the plain children of a service
// when the service is restarted, even in the middle of a package.

import type { Exec } from '../../world/world.ts'

type Detached = Parameters<Exec['detach']>[0]

/**
 * How long an apply that is stopped may work on its present package. A machine that shuts down
 * waits as long.
 */
const stopPatience = '15min'

/**
 * The same program, run by systemd. `systemd-run` waits for it, so its process lives as long as the
 * unit, and killing that process does not stop the apply. systemd refuses a second unit of the same
 * name, so of the same transaction.
 */
export function asUnit({ program, args, outputFile, env = {} }: Detached, txid: string): Detached {
  const properties = {
    Description: `banyan apply ${txid}`,
    StandardInput: 'null',
    StandardOutput: `append:${outputFile}`,
    StandardError: `append:${outputFile}`,
    // Only the process itself gets the signal, not the package manager that it runs. And what a
    // package's script has started stays when the unit ends, as after apt by hand.
    KillMode: 'process',
    OOMPolicy: 'continue',
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

/**
 * Whether this process is the main process of a service. systemd sets SYSTEMD_EXEC_PID to its pid
 * (systemd.exec(5)).
 */
export function isService(env: Readonly<Record<string, string | undefined>>, pid: number): boolean {
  return env['SYSTEMD_EXEC_PID'] === String(pid)
}
