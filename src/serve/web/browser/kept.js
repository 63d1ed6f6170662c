/** What a browser keeps by name. Where it keeps nothing, as it was told to or has no room, it lasts as long as the page. */
class Kept {
  #storage
  /** What the browser did not take. @type {Map<string, string>} */
  #own = new Map()

  /** @param {() => Storage} storage throws where the browser was told to keep nothing */
  constructor(storage) {
    this.#storage = storage
  }

  /** @param {string} key @returns {string | null} */
  get(key) {
    return this.#asked((storage) => storage.getItem(key)) ?? this.#own.get(key) ?? null
  }

  /** @param {string} key @param {string} value */
  set(key, value) {
    this.#own.set(key, value)
    const isTaken = this.#asked((storage) => {
      storage.setItem(key, value)
      return true
    })
    if (isTaken) this.#own.delete(key)
  }

  /** @param {string} key */
  remove(key) {
    this.#own.delete(key)
    this.#asked((storage) => storage.removeItem(key))
  }

  /** @param {string} prefix @returns {readonly string[]} */
  keys(prefix) {
    const kept = this.#asked((storage) => Object.keys(storage)) ?? []
    return [...kept, ...this.#own.keys()].filter((key) => key.startsWith(prefix))
  }

  /** @template Value @param {(storage: Storage) => Value} ask @returns {Value | null} null where it is refused */
  #asked(ask) {
    try {
      return ask(this.#storage())
    } catch (error) {
      if (error instanceof DOMException) return null
      throw error
    }
  }
}

/** As long as the tab. */
export const ofTab = new Kept(() => sessionStorage)
/** For all tabs, until it is removed. */
export const ofBrowser = new Kept(() => localStorage)
