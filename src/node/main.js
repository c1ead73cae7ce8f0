// The daemon's first file. It is plain JavaScript so that the compile cache is on before any
// TypeScript is loaded.

import { enableCompileCache, saveCompileCache } from '../world/compile-cache.js'

enableCompileCache()
await import('./real-node.ts')
saveCompileCache()

// The first start of a new version fills the cache. For that it has loaded the type stripper, which
// would take 25 MB of memory for as long as the daemon runs. So the process starts over once, and
// now loads everything from the cache.
const hasStripper = process.moduleLoadList?.includes('NativeModule internal/deps/amaro/dist/index') === true
if (hasStripper && process.env.BANYAN_STARTED_OVER === undefined && process.execve !== undefined) {
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    BANYAN_STARTED_OVER: '1',
  })
}
await import('./main.ts')
saveCompileCache()
