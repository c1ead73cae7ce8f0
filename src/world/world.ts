// The seams to everything outside our own code. Each has one real implementation beside this file
// and one in the simulated world (test/world/). Both pass the contract suites in test/contract/.

import type { Instant, Sha256 } from '../model/names.ts'

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** The wall clock. It may jump; never use it to measure how long something took. */
  now(): Instant
  /** Milliseconds since some fixed moment. Never decreases. */
  monotonicMs(): number
  /** Calls back once. Timers do not keep the process alive. */
  after(ms: number, callback: () => void): Timer
  /** The time zone of the machine, as an IANA name: `Europe/Berlin`. */
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
 * State files. Every change is durable when its promise resolves. Every failing call throws a
 * Failure: `not-found`, `no-space`, `too-large`, `disk`.
 */
export interface Disk {
  read(path: string, options?: { maxBytes?: number }): Promise<Uint8Array>
  /**
   * Leaves all of the new content or all of the old, also after a power cut: temporary file, fsync,
   * rename, fsync of the folder. Needs room for both. Replaces a link at `path`, and does not
   * follow it. The default mode is 0644.
   */
  write(path: string, content: Uint8Array | string, options?: { mode?: number }): Promise<void>
  /**
   * Writes several small files of one folder, by name, each as `write` does, with one fsync of the
   * folder for all. After a failure, none of them need exist. Without `isDurable`, a power cut may
   * leave them with any content.
   */
  writeAll(folder: string, files: ReadonlyMap<string, Uint8Array>, options?: { isDurable?: boolean }): Promise<void>
  /** Makes the folder and those above it. */
  makeFolder(path: string, options?: { mode?: number }): Promise<void>
  /** Names, sorted, without the unfinished files of a killed `write`. */
  list(path: string): Promise<string[]>
  stat(path: string): Promise<FileStat | undefined>
  /** Replaces `to`. Throws `disk` if that is a folder that is not empty. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file or a whole folder. Does nothing if there is none. */
  remove(path: string): Promise<void>
  /**
   * Removes a file, a link or an empty folder. Throws `disk` for a folder with content: for places
   * where another user may put something, and `remove` could be led elsewhere while it goes through.
   */
  removeOne(path: string): Promise<void>
  /**
   * Points the symbolic link at `path` to `target` in one step, and creates it if there is none.
   */
  pointLink(path: string, target: string): Promise<void>
  readLink(path: string): Promise<string | undefined>
  sha256(path: string): Promise<Sha256>
  freeBytes(path: string): Promise<number>
  /** How many more files the file system can hold; Infinity where that has no bound of its own. */
  freeFiles(path: string): Promise<number>
}

export type StoreChange = { kind: 'put'; key: string; value: unknown } | { kind: 'delete'; key: string }

/**
 * Keys in the order of their UTF-8 bytes, with JSON values. A change is durable (synced) when its
 * promise resolves. Throws `no-space` (what is there can still be read), `disk`, or `stopped` once
 * it is closed; and a TypeError for a value that is no JSON.
 */
export interface Store {
  /** Undefined if there is none. */
  get(key: string): Promise<unknown>
  put(key: string, value: unknown): Promise<void>
  delete(key: string): Promise<void>
  /** All or nothing. */
  batch(changes: readonly StoreChange[]): Promise<void>
  /**
   * The entries whose key starts with the prefix, in key order. A snapshot from the moment of the
   * first request.
   */
  entries(prefix?: string): AsyncIterable<[key: string, value: unknown]>
  /**
   * A room inside this store: neither sees the other's keys. Its name has lower-case letters,
   * digits and dashes.
   */
  sub(name: string): Store
}

export interface OpenStore extends Store {
  close(): Promise<void>
}

/** A database that was damaged and is rebuilt. */
export interface StoreDamage {
  /** What was found, in words for a person. */
  because: string
  /** What the database said, for the log. */
  detail: string
  /** How many values were saved. */
  saved: number
  /** Where the damaged database is kept. */
  aside: string
}

export interface StoreOptions {
  /** Called after each rebuild, also while the store is being opened. */
  onDamaged?: (damage: StoreDamage) => void
}

export interface Run {
  program: string
  args: readonly string[]
  timeoutMs: number
  cwd?: string
  /**
   * Added to a minimal environment (PATH, HOME, LANG=C.UTF-8). The daemon's own environment is not
   * passed on.
   */
  env?: Readonly<Record<string, string>>
  /**
   * How many of the last bytes of each stream are kept. The default is `limits.outputKeptBytes`.
   */
  outputMaxBytes?: number
  onLine?: (stream: 'stdout' | 'stderr', line: string) => void
  /** When it aborts, the program is ended as by the time limit, and `run` throws `stopped`. */
  signal?: AbortSignal
  /**
   * The program goes on, and can go on printing, when its starter is killed. `onLine` is called
   * only at its end.
   */
  outlives?: boolean
  /**
   * Called with the id of the process, which is also that of its process group, before `run`
   * returns.
   */
  onStart?: (pid: number) => void
  /**
   * The program runs only once `onStart` has returned, and never if its starter ends before that.
   * Until then, a shell is in its place.
   */
  gated?: boolean
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
   * Standard input is /dev/null. At the time limit, the process group gets TERM; 5 s later it gets
   * KILL, or as soon as its leader has gone. Processes that the program leaves running in another
   * group are not waited for. Throws `not-found` if there is no such program, `program-failed` if
   * it cannot be started.
   */
  run(run: Run): Promise<RunResult>
  /**
   * Starts a program that outlives this process and appends its output to a file. Resolves once the
   * program runs.
   */
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
  /** The server's address at which the caller connected. */
  reachedAt: string
  /** Present for a certificate that is ours in everything, and has ended. */
  isEnded?: true
}

/**
 * `joining`: with the certificate of a token. `ended`: with a certificate that may only be renewed.
 */
export type GuestKind = 'joining' | 'ended'

/** A caller that is no node just now. */
export interface Guest {
  kind: GuestKind
  /** Whose places it takes, whatever its addresses. */
  of: string
}

export interface HttpRequest {
  method: 'GET' | 'POST'
  path: string
  query: Readonly<Record<string, string>>
  body: Uint8Array
  peer: HttpPeer
  /**
   * Aborts when the caller has gone or the server closes. A handler that hangs for news answers
   * then.
   */
  signal: AbortSignal
}

/** Body and content type are absent where the status says everything. */
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
  /** Accepts no more connections, gives running requests a moment to end, then closes theirs. */
  close(): Promise<void>
}

export interface HttpReply {
  status: number
  body: Uint8Array
  /**
   * How long the server asks to wait before the next request. Not bounded: the server controls the
   * value.
   */
  retryAfterMs?: number
  /** DER of the server's certificate. */
  certificate: Uint8Array
}

/**
 * HTTPS with mutual TLS 1.3 between nodes. The server answers a body over its limit with 413 and
 * does not read it to its end. It answers with an empty 500 if the handler throws. The bytes under
 * way are bounded, for each name and for all together: the server answers a body beyond the
 * bound with 503. A large answer waits for room; if it answers a GET, the handler is then called
 * again.
 */
export interface Http {
  /** Throws `conflict` if the port is taken. Port 0 takes any free one. */
  serve(options: {
    address: string
    port: number
    tls: TlsIdentity
    /**
     * Called before any of the body is read, so that only callers who may send one can make the
     * server read it.
     */
    bodyMaxBytes: (path: string, peer: HttpPeer) => number
    /**
     * The default is `limits.connectionsPerNodeMax`. Beyond it, the oldest connection of the same
     * name is closed.
     */
    connectionsMax?: (peer: HttpPeer) => number
    /** Whose connections, bodies and answers count together. By default: of one certificate. */
    nameOf?: (peer: HttpPeer) => string
    /**
     * Undefined for a node. Guests have few places of their own, and none of those for nodes. By
     * default, only who comes with a certificate that has ended is a guest.
     */
    guestOf?: (peer: HttpPeer) => Guest | undefined
    handler: (request: HttpRequest) => Promise<HttpResponse>
    /**
     * A caller whose certificate has ended may send requests with this path, and gets 403 for any
     * other. Without `renewalPath` such a caller is a stranger.
     */
    renewalPath?: string
    /**
     * A caller did not speak TLS 1.3, or presented no valid certificate of our CA. The reason is a
     * code of OpenSSL or Node, such as `CERT_HAS_EXPIRED`. Not called for a connection that merely
     * broke.
     */
    onStranger?: (address: string, reason: string) => void
  }): Promise<HttpServer>
  /**
   * Resolves with any status. Throws a Failure with `retry: 'later'`: `unreachable` (also if there
   * is no connection within `limits.connectTimeoutMs`, and usually if the other end refuses our
   * certificate), `timed-out` (no progress for `timeoutMs`; a body gets `sendingMs` beside it),
   * `too-large`, `stopped` by its signal, or `untrusted` if the other end has no certificate of our
   * CA. The server's certificate is checked against our CA only; the caller reads from
   * `certificate` which node it is. A request may arrive twice: it is repeated once if a kept-alive
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
    /** The longest without an answer, and then without `limits.progressBytes` more of it. */
    timeoutMs: number
    /** A connection has to stand within this time; `limits.connectTimeoutMs` if absent. */
    connectMs?: number
    /** Called with each part of the answer's body as it comes, and with the status. */
    onPart?: (part: Uint8Array, status: number) => void
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
  /** Throws `locked` if another process has the store open. */
  openStore(path: string, options?: StoreOptions): Promise<OpenStore>
}
