// `banyan node`: this process becomes the daemon.

import module from 'node:module'
import path from 'node:path'
import { type Command, homeOf, homeOption } from '../command.ts'

const daemonFile = path.join(import.meta.dirname, '..', '..', 'node', 'main.js')

export const nodeCommand: Command = {
  command: 'node',
  describe: 'run the daemon in the foreground',
  builder: (argv) => homeOption(argv).example('$0 node --home /srv/root', ''),
  run: async (args) => {
    // Node would save it on exit, and there is none.
    module.flushCompileCache()
    // Not a child: the command line's memory is given back, and a supervisor keeps the process id that it knows. The
    // small young generation saves 4 MB of an idle node; fewer arenas keep glibc from holding on to memory of threads.
    process.execve?.(
      process.execPath,
      [process.execPath, '--max-semi-space-size=1', daemonFile, '--home', homeOf(args)],
      { ...process.env, MALLOC_ARENA_MAX: process.env['MALLOC_ARENA_MAX'] ?? '2' },
    )
    throw new Error('this Node cannot replace its own process')
  },
}
