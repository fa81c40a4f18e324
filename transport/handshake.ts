/**
 * The handshake as a pure state machine: frames in, steps out; no stream, no clock.
 *
 *   dialler                         acceptor
 *     hello      ─────────────────▶            who I am, whom I want, a nonce
 *                ◀─────────────────  challenge who I am, a nonce
 *     proof      ─────────────────▶            HMAC over both greetings, as dialler
 *                ◀─────────────────  welcome   HMAC over both greetings and the verdict, as acceptor
 *
 * Where the carrier proves names (TLS), the name in a greeting must be one of them; the secret, if there is one, must hold as well.
 * Invariants: the secret is never sent; neither end acts on who the other is before its proof holds; a refusal because of
 * another live node (duplicate-name, duplicate-link) is only believed from a welcome, whose proof covers it.
 * Source: erl_dist_protocol.md (challenge and response), with HMAC-SHA256 for MD5 and the whole exchange under the proof.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { CloseReason } from './close-reason.ts'
import {
  checkGreetingText,
  decodeGreeting,
  decodeProof,
  decodeWelcome,
  encodeGreeting,
  encodeProof,
  encodeWelcome,
  type Greeting,
  nameBytesMax,
  versionBytesMax,
} from './greeting.ts'
import { decodeGoodbye, FrameKind, headerBytes } from './wire.ts'

/** The protocol versions that this code speaks. */
export const protocolMin = 1
export const protocolMax = 1

/** Who this node is. */
export interface Identity {
  /** Nodes of another cluster id are refused. */
  readonly clusterId: string
  /** Unique among live nodes, at most 255 bytes. */
  readonly node: string
  /** Which start of it, from `newCreation`. */
  readonly creation: number
  /** Software version, at most 64 bytes. */
  readonly version: string
}

/** Throws `bad-identity` for what cannot be said in a greeting. */
export function checkIdentity(identity: Identity): void {
  checkGreetingText('cluster id', identity.clusterId, nameBytesMax)
  checkGreetingText('node name', identity.node, nameBytesMax)
  checkGreetingText('version', identity.version, versionBytesMax)
}

/** What one end brings to a handshake: its greeting without the target, and the secrets it proves and accepts. */
export interface HandshakeSelf {
  readonly greeting: Omit<Greeting, 'target'>
  readonly secrets: readonly string[]
}

/** Why one end does not want the other. */
export interface Refusal {
  readonly reason: CloseReason
  readonly detail: string
}

/** What to do next. */
export type HandshakeStep =
  /** Send it and wait for the next frame. */
  | { readonly do: 'send'; readonly frame: Uint8Array }
  /** Acceptor: the proof holds; answer with {@link Handshake.verdict}. */
  | { readonly do: 'decide' }
  /** Dialler: both ends are proven and the other took us. */
  | { readonly do: 'open' }
  /** We end it, and tell why in a goodbye. */
  | ({ readonly do: 'refuse' } & Refusal)
  /** The other end ended it, and said why. */
  | ({ readonly do: 'refused' } & Refusal)

/** Reasons that depend on other live links: a dialler, who may have to act on them, never believes them without a proof. */
const provenOnly: readonly CloseReason[] = ['duplicate-name', 'duplicate-link', 'superseded']

export class Handshake {
  /** The other end's greeting, once it has come and fits; not proven yet. */
  remote: Greeting | undefined
  readonly #self: HandshakeSelf
  readonly #dialled: boolean
  readonly #screen: (remote: Greeting) => Refusal | undefined
  readonly #peerNames: () => readonly string[] | undefined
  #target: string
  #helloBody: Uint8Array = noBytes
  #challengeBody: Uint8Array = noBytes
  #awaits: FrameKind | undefined

  /**
   * @param target whom we dial; `undefined` when we accept
   * @param screen asked once when the other's greeting fits: a reason to refuse it even before its proof
   * @param peerNames the names that the carrier has proven; `undefined` where it proves none
   */
  constructor(
    self: HandshakeSelf,
    target: string | undefined,
    screen: (remote: Greeting) => Refusal | undefined,
    peerNames: () => readonly string[] | undefined = () => undefined,
  ) {
    this.#self = self
    this.#dialled = target !== undefined
    this.#target = target ?? ''
    this.#screen = screen
    this.#peerNames = peerNames
    this.#awaits = this.#dialled ? FrameKind.challenge : FrameKind.hello
  }

  /** The dialler's first frame. */
  hello(): Uint8Array {
    const frame = encodeGreeting(FrameKind.hello, { ...this.#self.greeting, target: this.#target })
    this.#helloBody = frame.subarray(headerBytes)
    return frame
  }

  /** Takes one frame from the other end; `body` is only read during the call. */
  receive(kind: number, body: Uint8Array): HandshakeStep {
    if (kind === FrameKind.goodbye) return this.#receiveGoodbye(body)
    if (kind !== this.#awaits) return refuse('bad-frame', `frame kind ${kind} out of place in a handshake`)
    switch (kind) {
      case FrameKind.hello:
        return this.#receiveHello(body)
      case FrameKind.challenge:
        return this.#receiveChallenge(body)
      case FrameKind.proof:
        return this.#receiveProof(body)
      default:
        return this.#receiveWelcome(body)
    }
  }

  /** The acceptor's welcome frame: the link is up, or refused with a reason that the dialler can believe. */
  verdict(refusal: Refusal | undefined): Uint8Array {
    const reason = refusal?.reason
    const detail = refusal?.detail ?? ''
    const verdict = encodeWelcome({ proof: noProof, refusal: reason, detail }).subarray(
      headerBytes + noProof.length,
    )
    return encodeWelcome({
      proof: this.#prove(this.#firstSecret, 'acceptor', verdict),
      refusal: reason,
      detail,
    })
  }

  #receiveHello(body: Uint8Array): HandshakeStep {
    const remote = decodeGreeting(body)
    if (remote === undefined) return refuse('bad-frame', 'the hello is none')
    this.remote = remote
    const refusal = this.#mismatch(remote) ?? this.#uncertified(remote) ?? this.#screen(remote)
    if (refusal !== undefined) return refuse(refusal.reason, refusal.detail)
    const frame = encodeGreeting(FrameKind.challenge, { ...this.#self.greeting, target: remote.node })
    this.#helloBody = new Uint8Array(body)
    this.#challengeBody = frame.subarray(headerBytes)
    this.#awaits = FrameKind.proof
    return { do: 'send', frame }
  }

  #receiveChallenge(body: Uint8Array): HandshakeStep {
    const remote = decodeGreeting(body)
    if (remote === undefined) return refuse('bad-frame', 'the challenge is none')
    this.remote = remote
    const refusal =
      this.#mismatch(remote) ?? this.#uncertified(remote) ?? this.#wrongName(remote) ?? this.#screen(remote)
    if (refusal !== undefined) return refuse(refusal.reason, refusal.detail)
    this.#challengeBody = new Uint8Array(body)
    this.#awaits = FrameKind.welcome
    return { do: 'send', frame: encodeProof(this.#prove(this.#firstSecret, 'dialler', noBytes)) }
  }

  #receiveProof(body: Uint8Array): HandshakeStep {
    const proof = decodeProof(body)
    if (proof === undefined) return refuse('bad-frame', 'the proof is none')
    if (!this.#proves(proof, 'dialler', noBytes))
      return refuse('wrong-secret', `${this.remote?.node} does not prove a secret that we accept`)
    this.#awaits = undefined
    return { do: 'decide' }
  }

  #receiveWelcome(body: Uint8Array): HandshakeStep {
    const welcome = decodeWelcome(body)
    if (welcome === undefined) return refuse('bad-frame', 'the welcome is none')
    const remote = this.remote!
    if (!this.#proves(welcome.proof, 'acceptor', body.subarray(noProof.length)))
      return refuse('wrong-secret', `${remote.node} does not prove a secret that we accept`)
    this.#awaits = undefined
    if (welcome.refusal === undefined) {
      if (remote.node === this.#target) return { do: 'open' }
      return refuse('wrong-name', `dialled ${this.#target}, ${remote.node} answered`)
    }
    return { do: 'refused', reason: welcome.refusal, detail: welcome.detail }
  }

  #receiveGoodbye(body: Uint8Array): HandshakeStep {
    const goodbye = decodeGoodbye(body)
    if (goodbye === undefined) return refuse('bad-frame', 'the goodbye is none')
    if (this.#dialled && provenOnly.includes(goodbye.reason))
      return refuse('bad-frame', `${goodbye.reason} said without a proof`)
    return { do: 'refused', reason: goodbye.reason, detail: goodbye.detail }
  }

  /** What the greetings alone rule out. */
  #mismatch(remote: Greeting): Refusal | undefined {
    const own = this.#self.greeting
    if (remote.protocolMax < own.protocolMin || remote.protocolMin > own.protocolMax)
      return {
        reason: 'version',
        detail: `${own.node} speaks protocol ${own.protocolMin} to ${own.protocolMax}, ${remote.node} ${remote.protocolMin} to ${remote.protocolMax}`,
      }
    if ((remote.featuresRequired & ~own.features) !== 0 || (own.featuresRequired & ~remote.features) !== 0)
      return {
        reason: 'version',
        detail: `${own.node} and ${remote.node} require features of each other that are missing`,
      }
    if (remote.clusterId !== own.clusterId)
      return {
        reason: 'foreign-cluster',
        detail: `${own.node} is of ${own.clusterId}, ${remote.node} of ${remote.clusterId}`,
      }
    return undefined
  }

  #uncertified(remote: Greeting): Refusal | undefined {
    const names = this.#peerNames()
    if (names === undefined || names.includes(remote.node)) return undefined
    const shown = names.length === 0 ? 'no node' : names.join(' or ')
    return { reason: 'wrong-certificate', detail: `${remote.node} shows a certificate of ${shown}` }
  }

  #wrongName(remote: Greeting): Refusal | undefined {
    const own = this.#self.greeting
    // Another process under our own name answers: its welcome will say so, and prove it.
    const namesake = remote.node === own.node && remote.creation !== own.creation
    if (remote.node === this.#target || namesake) return undefined
    return { reason: 'wrong-name', detail: `dialled ${this.#target}, ${remote.node} answered` }
  }

  get #firstSecret(): string {
    return this.#self.secrets[0] ?? ''
  }

  #proves(proof: Uint8Array, role: Role, verdict: Uint8Array): boolean {
    const secrets = this.#self.secrets.length === 0 ? [''] : this.#self.secrets
    let holds = false
    // Every secret is tried, so that the time taken says nothing about which one held.
    for (const secret of secrets) holds = timingSafeEqual(proof, this.#prove(secret, role, verdict)) || holds
    return holds
  }

  #prove(secret: string, role: Role, verdict: Uint8Array): Uint8Array {
    const hmac = createHmac('sha256', secret)
      .update('wandist 1')
      .update(role === 'dialler' ? dialler : acceptor)
    for (const part of [this.#helloBody, this.#challengeBody, verdict])
      hmac.update(lengthOf(part)).update(part)
    return hmac.digest()
  }
}

type Role = 'dialler' | 'acceptor'
const dialler = Uint8Array.of(1)
const acceptor = Uint8Array.of(2)
const noBytes = new Uint8Array(0)
const noProof = new Uint8Array(32)

/** A part's length as u16, so that no two exchanges give the same input to the proof. */
function lengthOf(part: Uint8Array): Uint8Array {
  return Uint8Array.of(part.length >>> 8, part.length & 0xff)
}

function refuse(reason: CloseReason, detail: string): HandshakeStep {
  return { do: 'refuse', reason, detail }
}
