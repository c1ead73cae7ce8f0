// Compiled code kept between starts. Without it every start loads the type stripper, which costs 18 MB and most of the
// start-up time. Plain JavaScript, because it has to run before the first TypeScript file is loaded.

import fs from 'node:fs'
import module from 'node:module'
import os from 'node:os'
import path from 'node:path'

/**
 * Switches the cache on for this process and those started with its environment. Call it before anything else is
 * imported. Where no folder is safe to use, the program runs without a cache.
 */
export function enableCompileCache() {
  if (process.env.NODE_COMPILE_CACHE !== undefined || process.env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  const folder = folderBesideTheCode() ?? folderOfThisUser()
  if (folder === undefined) return
  module.enableCompileCache(folder)
  process.env.NODE_COMPILE_CACHE = folder
}

/** Node writes the cache when a process exits by itself; a daemon that may be killed saves it earlier. */
export function saveCompileCache() {
  module.flushCompileCache()
}

function folderBesideTheCode() {
  const modules = path.join(import.meta.dirname, '..', '..', 'node_modules')
  const folder = path.join(modules, '.cache', 'banyan')
  try {
    fs.accessSync(modules, fs.constants.W_OK)
    fs.mkdirSync(folder, { recursive: true })
    fs.accessSync(folder, fs.constants.W_OK)
    return folder
  } catch {
    // Read-only file system, somebody else's installation, full disk: whatever it is, a start without cache works.
    return undefined
  }
}

// What lies in the cache is run. In a folder that everybody can write to, only one that is ours alone will do.
function folderOfThisUser() {
  const uid = process.getuid()
  const folder = path.join(os.tmpdir(), `banyan-cache-${uid}`)
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    const stat = fs.lstatSync(folder)
    return stat.isDirectory() && stat.uid === uid && (stat.mode & 0o077) === 0 ? folder : undefined
  } catch {
    return undefined
  }
}
