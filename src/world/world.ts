// The seams through which everything outside our own code comes in. Each has one real implementation beside this file
// and one in the simulated world (test/world/); both pass the contract suites in test/contract/.

import type { Instant, Sha256 } from '../model/names.ts'

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** The wall clock. It may jump; never use it to measure how long something took. */
  now(): Instant
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number
  /** Calls back once. Timers do not keep the process alive. */
  after(ms: number, callback: () => void): Timer
  /** What the machine's clocks on the wall go by, as IANA names it: `Europe/Berlin`. */
  timeZone(): string
}

export interface Random {
  bytes(count: number): Uint8Array
  /** In [0, 1). */
  fraction(): number
}

export interface FileStat {
  kind: 'file' | 'folder' | 'link' | 'other'
  size: number
  mode: number
}

/**
 * State files. Every change is durable when its promise resolves. Every failing call throws a Failure: `not-found`,
 * `no-space`, `too-large`, `disk`.
 */
export interface Disk {
  read(path: string, options?: { maxBytes?: number }): Promise<Uint8Array>
  /**
   * All of the new content or all of the old, also after a power cut: temporary file, fsync, rename, fsync of the
   * folder. There has to be room for both. A link at `path` is replaced, not followed. The default mode is 0644.
   */
  write(path: string, content: Uint8Array | string, options?: { mode?: number }): Promise<void>
  /**
   * Several small files of one folder, by their names; each as `write` does it, with one fsync of the folder for all. When it
   * fails, none need be there. Those that are not to be durable may after a power cut be there with any content.
   */
  writeAll(folder: string, files: ReadonlyMap<string, Uint8Array>, options?: { isDurable?: boolean }): Promise<void>
  /** Makes the folder and those above it. */
  makeFolder(path: string, options?: { mode?: number }): Promise<void>
  /** Names, sorted; without what a killed `write` left unfinished. */
  list(path: string): Promise<string[]>
  stat(path: string): Promise<FileStat | undefined>
  /** Replaces `to`, unless it is a folder with something in it (`disk`). */
  rename(from: string, to: string): Promise<void>
  /** Files and whole folders; what is not there is fine. */
  remove(path: string): Promise<void>
  /** Points the symbolic link at `path` to `target` in one step, whether or not it was there. */
  pointLink(path: string, target: string): Promise<void>
  readLink(path: string): Promise<string | undefined>
  sha256(path: string): Promise<Sha256>
  freeBytes(path: string): Promise<number>
}

export type StoreChange = { kind: 'put'; key: string; value: unknown } | { kind: 'delete'; key: string }

/**
 * Keys in the order of their UTF-8 bytes, with JSON values. A change is durable (synced) when its promise resolves.
 * Throws `no-space` (what is there can still be read), `disk`, or `stopped` once it is closed; and a TypeError for a
 * value that is no JSON.
 */
export interface Store {
  /** Undefined if there is none. */
  get(key: string): Promise<unknown>
  put(key: string, value: unknown): Promise<void>
  delete(key: string): Promise<void>
  /** All or nothing. */
  batch(changes: readonly StoreChange[]): Promise<void>
  /** Entries whose key starts with the prefix, in key order, as they are when the first is asked for. */
  entries(prefix?: string): AsyncIterable<[key: string, value: unknown]>
  /** A room of its own inside this store: neither sees the other's keys. Lower-case letters, digits and dashes. */
  sub(name: string): Store
}

export interface OpenStore extends Store {
  close(): Promise<void>
}

export interface Run {
  program: string
  args: readonly string[]
  timeoutMs: number
  cwd?: string
  /** Added to a minimal environment (PATH, HOME, LANG=C.UTF-8); the daemon's own is not passed on. */
  env?: Readonly<Record<string, string>>
  /** Of each stream the last bytes are kept; the default is `limits.outputKeptBytes`. */
  outputMaxBytes?: number
  onLine?: (stream: 'stdout' | 'stderr', line: string) => void
  /** Ends the program as the time limit does; then `run` throws `stopped`. */
  signal?: AbortSignal
  /** It goes on, and its output with it, when whoever started it is killed. Lines are told at its end. */
  outlives?: boolean
  /** Called with its process id, which is that of its process group, before `run` returns. */
  onStart?: (pid: number) => void
}

export interface RunResult {
  /** Null if a signal ended it. */
  code: number | null
  signal: string | null
  timedOut: boolean
  stdout: string
  stderr: string
}

export interface Exec {
  /**
   * Standard input is /dev/null. On the time limit: TERM to the process group; KILL 5 s later, or for the rest of the
   * group as soon as its leader has gone. What a program leaves running in a group of its own is not waited for.
   * Throws `not-found` if there is no such program, `program-failed` if it cannot be started.
   */
  run(run: Run): Promise<RunResult>
  /** Starts a program that outlives us, its output appended to a file. Resolves once it runs. */
  detach(run: {
    program: string
    args: readonly string[]
    outputFile: string
    env?: Readonly<Record<string, string>>
  }): Promise<{ pid: number }>
  /** Where a program lies on PATH. */
  which(program: string): Promise<string | undefined>
}

/** PEM texts. */
export interface TlsIdentity {
  key: string
  certificate: string
  ca: string
}

export interface HttpPeer {
  /** DER of the certificate that TLS verified against our CA. */
  certificate: Uint8Array
  address: string
  /** The server's own address, as the caller has reached it. */
  reachedAt: string
}

export interface HttpRequest {
  method: 'GET' | 'POST'
  path: string
  query: Readonly<Record<string, string>>
  body: Uint8Array
  peer: HttpPeer
  /** Aborts when the caller has gone, and when the server closes: a handler that hangs for news answers then. */
  signal: AbortSignal
}

/** Without a body and content type for statuses that say it all. */
export interface HttpResponse {
  status: number
  body?: Uint8Array | string
  contentType?: string
  /** Whole seconds (RFC 9110, 10.2.3). */
  retryAfterS?: number
}

export interface HttpServer {
  port: number
  /** New certificates for new connections. */
  renew(tls: TlsIdentity): void
  /** Takes no more connections, lets running requests end for a moment, then cuts them off. */
  close(): Promise<void>
}

export interface HttpReply {
  status: number
  body: Uint8Array
  /** For how long the server asks not to be asked again; as it says, without any bound. */
  retryAfterMs?: number
  /** DER of the server's certificate. */
  certificate: Uint8Array
}

/**
 * HTTPS with mutual TLS 1.3 between nodes. A body over its limit is answered with 413 and never read to its end; a
 * handler that throws, with an empty 500. What is under way has a bound for each certificate and for all together: for a
 * body beyond it the answer is 503, a large answer waits, and for one to a GET the handler is then asked once more.
 */
export interface Http {
  /** Throws `conflict` if the port is taken. Port 0 takes any free one. */
  serve(options: {
    address: string
    port: number
    tls: TlsIdentity
    /** Asked before any of the body is read, so that it is read only from those who may send one. */
    bodyMaxBytes: (path: string, peer: HttpPeer) => number
    /** The default is `limits.connectionsPerCertificateMax`. Of more, the oldest is closed. */
    connectionsMax?: (peer: HttpPeer) => number
    handler: (request: HttpRequest) => Promise<HttpResponse>
    /**
     * Somebody spoke no TLS 1.3 or showed no certificate of our CA that holds now; the reason is OpenSSL's or Node's
     * code, e.g. `CERT_HAS_EXPIRED`. A connection that merely broke is none.
     */
    onStranger?: (address: string, reason: string) => void
  }): Promise<HttpServer>
  /**
   * Resolves with whatever status came. Throws a Failure with `retry: 'later'`: `unreachable` (also if no connection
   * comes about within `limits.connectTimeoutMs`, and mostly if the other end does not accept our certificate),
   * `timed-out` (a large answer that has begun in time gets more, as `sendingMs` says), `too-large`, `stopped` by its
   * signal, or `untrusted` if the other end is not of our CA. The server's certificate is checked against our CA only; who
   * it is, the caller reads from `certificate`. A request may arrive twice: it is repeated once if a kept-alive
   * connection turns out to be closed.
   */
  request(options: {
    /** `https://ADDRESS:PORT`. */
    url: string
    method: 'GET' | 'POST'
    /** With its query. */
    path: string
    body?: Uint8Array | string
    tls: TlsIdentity
    timeoutMs: number
    responseMaxBytes: number
    signal?: AbortSignal
  }): Promise<HttpReply>
  /** Ends the idle connections. */
  close(): void
}

/** Flat, e.g. `os.codename`; always with `arch` (Debian's name) and `hostname`. */
export type Facts = Readonly<Record<string, string | number | boolean>>

export interface FactSource {
  collect(): Promise<Facts>
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** One line each: a constant message plus fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export interface World {
  clock: Clock
  random: Random
  disk: Disk
  exec: Exec
  http: Http
  facts: FactSource
  log: Log
  /** One process at a time: `locked` if another one has it open. */
  openStore(path: string): Promise<OpenStore>
}
