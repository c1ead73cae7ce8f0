// `banyan node`: this process becomes the daemon.

import { existsSync } from 'node:fs'
import module from 'node:module'
import path from 'node:path'
import { type Command, homeOf, homeOption } from '../command.ts'

const daemonFile = path.join(import.meta.dirname, '..', '..', 'node', 'main.js')

export const nodeCommand: Command = {
  command: 'node',
  describe: 'run the daemon in the foreground',
  builder: (argv) => homeOption(argv).example('$0 node --home /srv/root', ''),
  run: async (args) => {
    // Node saves the compile cache when a process exits, and this one does not exit.
    module.flushCompileCache()
    // The daemon replaces this process instead of being its child: the command line's memory is
    // freed, and a supervisor keeps the process id that it knows. Fewer arenas keep glibc from
    // holding on to the memory of threads.
    process.execve?.(
      process.execPath,
      [process.execPath, ...engineFlags(homeOf(args)), daemonFile, '--home', homeOf(args)],
      { ...process.env, MALLOC_ARENA_MAX: process.env['MALLOC_ARENA_MAX'] ?? '2' },
    )
    throw new Error('this Node cannot replace its own process')
  },
}

/**
 * A small young generation saves 4 MB. Without V8's compilers another 10 MB are not resident: a
 * node that mostly waits does not need them, but a root does, since it parses the reports of the
 * whole fleet.
 */
function engineFlags(home: string): string[] {
  const small = ['--max-semi-space-size=1', '--optimize-for-size']
  return existsSync(path.join(home, 'fleet')) ? small : [...small, '--no-sparkplug', '--no-maglev', '--no-opt']
}
