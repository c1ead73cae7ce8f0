// Keeps compiled code between starts. Without the cache, every start loads the type stripper, which
// costs 18 MB and most of the start-up time. Plain JavaScript, because it runs before the first
// TypeScript file is loaded.

import fs from 'node:fs'
import module from 'node:module'
import os from 'node:os'
import path from 'node:path'

/**
 * Switches the cache on for this process and those started with its environment. Call it before
 * anything else is imported. Where no folder is safe to use, the program runs without a cache.
 */
export function enableCompileCache() {
  if (process.env.NODE_COMPILE_CACHE !== undefined || process.env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  const folder = folderBesideTheCode() ?? folderOfThisUser()
  if (folder === undefined) return
  module.enableCompileCache(folder)
  process.env.NODE_COMPILE_CACHE = folder
}

/**
 * Node writes the cache when a process exits by itself. A daemon may be killed, so it saves the
 * cache earlier.
 */
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
    // A read-only file system, an installation of another user, a full disk: the program starts
    // without a cache.
    return undefined
  }
}

// Node runs what is in the cache. Below a folder that everybody can write to, the cache has to
// belong to this user alone.
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
