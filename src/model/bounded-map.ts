// A map that cannot grow without end.

/**
 * A map that removes its oldest entry once it holds more than `max`. Setting a key again makes the
 * entry the newest, so an owner that sets an entry at each use removes the least recently used one.
 */
export class BoundedMap<K, V> extends Map<K, V> {
  // A field initialiser runs after `super()`, which may call `set`; so the constructor takes no
  // entries.
  readonly #max: number
  readonly #onRemoved: ((value: V, key: K) => void) | undefined

  /** `onRemoved` gets each entry that the map removes by itself. */
  constructor(max: number, onRemoved?: (value: V, key: K) => void) {
    super()
    this.#max = max
    this.#onRemoved = onRemoved
  }

  override set(key: K, value: V): this {
    this.delete(key)
    super.set(key, value)
    for (const [oldest, old] of this) {
      if (this.size <= this.#max) break
      this.delete(oldest)
      this.#onRemoved?.(old, oldest)
    }
    return this
  }
}
