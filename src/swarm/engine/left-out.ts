// webtorrent's ways to the network are not loaded: DHT, trackers, local discovery, uTP, port
// mapping, block lists, web seeds, its own listener and its file server. A module that is not there
// cannot open a socket, and an engine without them starts in a third of the time and takes 23 MB
// less.

import module from 'node:module'

const nothing = new URL('left-out/nothing.js', import.meta.url).href
const noDiscovery = new URL('left-out/no-discovery.js', import.meta.url).href

const standIns: Readonly<Record<string, string>> = {
  'bittorrent-dht': nothing,
  'load-ip-set': nothing,
  '@silentbot1/nat-api': nothing,
  './lib/conn-pool.js': nothing,
  './lib/server.js': nothing,
  './utp.cjs': nothing,
  './webconn.js': nothing,
  ut_pex: nothing,
  'cross-fetch-ponyfill': nothing,
  'create-torrent': nothing,
  'torrent-discovery': noDiscovery,
}

/**
 * The modules of webtorrent and of parse-torrent, its reader of metainfo, which could fetch
 * metainfo from elsewhere.
 */
const importers = /\/node_modules\/(webtorrent|parse-torrent)\/(index|lib\/[a-z-]+)\.js$/

/**
 * The module that webtorrent, and nobody else, gets instead of this one; undefined for a module
 * that is loaded.
 */
export function standInFor(specifier: string, importer: string | undefined): string | undefined {
  if (importer === undefined || !importers.test(importer)) return undefined
  return Object.hasOwn(standIns, specifier) ? standIns[specifier] : undefined
}

/** To be called before webtorrent is imported; holds for this process. */
export function leaveOutWaysOut(): void {
  module.registerHooks({
    resolve: (specifier, context, next) => {
      const url = standInFor(specifier, context.parentURL)
      return url === undefined ? next(specifier, context) : { url, format: 'module', shortCircuit: true }
    },
  })
}
