/**
 * What a member says of itself, for whoever chooses among members: small, flat, and never read by the registry.
 *
 * Invariant: metadata that got past `metaOf` has only the four known fields, at least one of them, each in its range; so
 * it is equal on every node that holds it. On the wire it is `[times, weight, zone, version, draining]`, null where not said.
 */

/** Everything may be left out. */
export interface MemberMeta {
  /** Share of the work that it wants, against 1 for a member without one; 0 to 1,000,000. */
  readonly weight?: number
  /** At most 64 characters. */
  readonly zone?: string
  /** At most 64 characters. */
  readonly version?: string
  /** It still serves, but wants no new work. */
  readonly draining?: boolean
}

/** How a member with metadata travels. */
export type MetaFields = readonly [
  times: number,
  weight: number | null,
  zone: string | null,
  version: string | null,
  draining: boolean | null,
]

const weightMax = 1_000_000
const textLengthMax = 64

/**
 * Metadata in its one form: frozen, only what is said; `undefined` when that is nothing.
 * @throws TypeError for a field out of its range
 */
export function metaOf(given: MemberMeta | undefined): MemberMeta | undefined {
  if (given === undefined) return undefined
  const { weight, zone, version, draining } = given
  const meta = read(weight ?? null, zone ?? null, version ?? null, draining ?? null)
  if (meta === 'bad')
    throw new TypeError(`join with metadata: a field is out of its range: ${JSON.stringify(given)}`)
  return meta
}

export function fieldsOfMeta(times: number, meta: MemberMeta): MetaFields {
  return [times, meta.weight ?? null, meta.zone ?? null, meta.version ?? null, meta.draining ?? null]
}

/** Metadata from the wire; `undefined` when the fields are none, or say nothing. */
export function metaFrom(fields: readonly unknown[]): MemberMeta | undefined {
  if (fields.length !== 5) return undefined
  const meta = read(fields[1], fields[2], fields[3], fields[4])
  return meta === 'bad' ? undefined : meta
}

export function sameMeta(one: MemberMeta | undefined, other: MemberMeta | undefined): boolean {
  if (one === other) return true
  return (
    one !== undefined &&
    other !== undefined &&
    one.weight === other.weight &&
    one.zone === other.zone &&
    one.version === other.version &&
    one.draining === other.draining
  )
}

function read(
  weight: unknown,
  zone: unknown,
  version: unknown,
  draining: unknown,
): MemberMeta | undefined | 'bad' {
  if (weight !== null && !(typeof weight === 'number' && weight >= 0 && weight <= weightMax)) return 'bad'
  if (!isText(zone) || !isText(version)) return 'bad'
  if (draining !== null && typeof draining !== 'boolean') return 'bad'
  if (weight === null && zone === null && version === null && draining === null) return undefined
  return Object.freeze({
    // Minus zero is equal to zero, but not in a digest.
    ...(weight === null ? {} : { weight: weight + 0 }),
    ...(zone === null ? {} : { zone }),
    ...(version === null ? {} : { version }),
    ...(draining === null ? {} : { draining }),
  })
}

function isText(value: unknown): value is string | null {
  return (
    value === null || (typeof value === 'string' && value.length <= textLengthMax && value.isWellFormed())
  )
}
