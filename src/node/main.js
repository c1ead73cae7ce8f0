// The daemon's first file, plain JavaScript so that the compile cache is on before any TypeScript is loaded.

import { enableCompileCache, saveCompileCache } from '../world/compile-cache.js'

enableCompileCache()
await import('./main.ts')
saveCompileCache()
