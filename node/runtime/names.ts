/**
 * Who has which names on a node. A name has one owner, an owner any number of names.
 *
 * Invariant: an owner that is gone has no name. Only owners with a second name cost more than an entry.
 */
export class Names<Owner extends { readonly name: string | undefined }> {
  readonly #owners = new Map<string, Owner>()
  /** The names beyond an owner's first. */
  readonly #further = new Map<Owner, Set<string>>()

  get(name: string): Owner | undefined {
    return this.#owners.get(name)
  }

  /** False when another, or the same, has it already. */
  add(name: string, owner: Owner): boolean {
    if (this.#owners.has(name)) return false
    this.#owners.set(name, owner)
    if (name === owner.name) return true
    const further = this.#further.get(owner)
    if (further) further.add(name)
    else this.#further.set(owner, new Set([name]))
    return true
  }

  /** Frees a name, if it is that owner's. */
  delete(name: string, owner: Owner): void {
    if (this.#owners.get(name) !== owner) return
    this.#owners.delete(name)
    this.#further.get(owner)?.delete(name)
  }

  deleteAll(owner: Owner): void {
    if (owner.name !== undefined) this.delete(owner.name, owner)
    for (const name of this.#further.get(owner) ?? []) this.#owners.delete(name)
    this.#further.delete(owner)
  }
}
